import data from '../data/azure-openai-price-book.json' with { type: 'json' };
import { createPriceBook, type PriceBook } from './price-book.ts';
import { completePriceRow, type PriceBookData, type PriceRowInput } from './rows.ts';

/**
 * Azure OpenAI list prices as of the day in `version`, as shipped. A ledger starts with these rows; what was added
 * or corrected since is in the ledger's book.
 */
export const azureOpenAiPriceBook: PriceBook = createPriceBook({
  ...(data as Omit<PriceBookData, 'prices'>),
  prices: data.prices.map((row) => completePriceRow(row as PriceRowInput)),
});
