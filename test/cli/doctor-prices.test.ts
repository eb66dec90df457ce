import { afterEach, expect, it } from 'vitest';
import { azureOpenAiPriceBook as shipped } from '../../pricing/prices/azure-openai.ts';
import { checkPriceBook } from '../../src/command-line/doctor/price-checks.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
afterEach(() => ledger.close());

it('warns of a price book whose lists are older than was allowed, and says of which day they are', async () => {
  ledger = await createTestLedger();
  const shippedOn = new Date(shipped.version.slice(0, 10));
  await seedPriceBook(ledger.database, shippedOn);
  const check = (dayCount: number) =>
    checkPriceBook(ledger.database, 60, new Date(shippedOn.getTime() + dayCount * 86_400_000));
  expect(await check(60)).toMatchObject([
    { verdict: 'good', what: expect.stringContaining('prices as of 20') },
  ]);
  expect(await check(61)).toMatchObject([
    { verdict: 'look', what: expect.stringContaining('61 days ago; PRICE_BOOK_WARN_DAYS is 60') },
  ]);
});
