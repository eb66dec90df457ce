import { afterAll, beforeAll, expect, it } from 'vitest';
import type { QuoteQuestion } from '../../pricing/quotes/question.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { gatherQuoteFacts, readQuoteFacts } from '../../src/quotes/gather.ts';
import { QuoteRequestSchema } from '../../src/quotes/request-schema.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { insertCatalog } from './world.ts';

const now = systemClock.now();
let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
  await seedPriceBook(ledger.database, now);
  await insertCatalog(ledger.database);
});
afterAll(() => ledger.close());

it.each([{}, { currency: 'usd' }, { currency: 'jpy' }])(
  'a plain quote in %o is answered from one statement as it would be from a snapshot',
  async (more) => {
    const usage = [{ model: 'gpt-4o', promptTokenCount: 1_000, completionTokenCount: 10 }];
    const question: QuoteQuestion = QuoteRequestSchema.parse({ usage, ...more });
    const facts = await readQuoteFacts(ledger.database, question, now);
    expect(facts).toEqual(
      await readSnapshot(ledger.database, (snapshot) => gatherQuoteFacts(snapshot, question, now)),
    );
    expect(facts.rates.length > 0).toBe(!('currency' in more) || more.currency === 'usd');
  },
);
