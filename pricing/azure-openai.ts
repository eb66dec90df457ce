import data from './data/azure-openai-price-book.json' with { type: 'json' };
import { createPriceBook, type PriceBook, type PriceBookData } from './price-book.ts';

/** Azure OpenAI's list prices, embedded so that a Worker has them too. The file says where each came from. */
export const azureOpenAiPriceBook: PriceBook = createPriceBook(data as PriceBookData);
