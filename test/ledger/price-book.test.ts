import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { readPriceBook, seedPriceBook } from '../../src/prices/book.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
});
afterAll(() => ledger.close());

const NOW = new Date('2026-11-21T10:30:00Z');

describe('the price book of a ledger', () => {
  it('is the shipped list at first, seeded once', async () => {
    expect(await seedPriceBook(ledger.database, NOW)).toBe(false);
    const book = await readPriceBook(ledger.database);
    expect(book.version).toBe(`${azureOpenAiPriceBook.version}+1`);
    expect(book.data.prices).toEqual(azureOpenAiPriceBook.data.prices);
    expect(book.models).toEqual(azureOpenAiPriceBook.models);
    expect(await readPriceBook(ledger.database, { version: '1' })).toBe(book);
    await expect(readPriceBook(ledger.database, { version: '99' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
