import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findProvider } from '@pydantic/genai-prices';
import { parse } from 'yaml';
import { readGenaiPrices } from '../../pricing/feeds/genai-prices.ts';
import { readLitellmMap } from '../../pricing/feeds/litellm.ts';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import { completePriceRow, type PriceBookData, type PriceRowInput } from '../../pricing/prices/rows.ts';
import { parseExactJson } from '../../src/azure/exact-json.ts';
import { formatBook } from './format.ts';
import { type Decision, mergeLists } from './merge.ts';
import { nameModels } from './names.ts';
import { isRegional } from './regional.ts';

const BOOK = new URL('../../pricing/data/azure-openai-price-book.json', import.meta.url);
const DECISIONS = new URL('./decisions.yaml', import.meta.url);
const MAKERS = ['azure', 'openai', 'anthropic', 'deepseek', 'x-ai', 'moonshotai'];

/** Of the second list; Azure ended them in 2024 and 2025. */
const LONG_RETIRED = new Set(['babbage', 'curie', 'davinci']);

// Makes the shipped price book again: `npm run prices:rebuild -- --litellm FILE ...`. docs/pricing.md says where the file comes
// from. The present book is what it begins with, so that what was in force stays as history.
const { values } = parseArgs({
  options: {
    litellm: { type: 'string' },
    'litellm-version': { type: 'string' },
    'litellm-as-of': { type: 'string' },
    'genai-version': { type: 'string' },
    'genai-as-of': { type: 'string' },
    'show-left-out': { type: 'boolean', default: false },
  },
});
const need = (name: Exclude<keyof typeof values, 'show-left-out'>): string => {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
};

const before = JSON.parse(readFileSync(BOOK, 'utf8')) as PriceBookData;
const book = { ...before, prices: before.prices.map((row) => completePriceRow(row as PriceRowInput)) };
const litellm = readLitellmMap(parseExactJson(readFileSync(need('litellm'), 'utf8')));
const genai = readGenaiPrices(MAKERS.map((providerId) => findProvider({ providerId })));
const expressible = litellm.prices.filter(({ serviceTier }) => serviceTier === 'standard');
const base = Object.assign(
  (name: string) => genai(name).filter(({ aboveInputTokenCount }) => aboveInputTokenCount === 0),
  genai,
);
const ofAzure = genai.azureModels.filter((model) => base(model).length > 0 && !LONG_RETIRED.has(model));
const names = nameModels(book, expressible, ofAzure, litellm.retiredOn);
const sources = {
  litellm: {
    key: `litellm-${need('litellm-version')}`,
    title: `LiteLLM model_prices_and_context_window, package litellm ${need('litellm-version')}, entries azure/* and azure_ai/*`,
    asOf: need('litellm-as-of'),
    note: 'Published list prices as that project keeps them, not from Microsoft. It names no dates.',
  },
  genai: {
    key: `genai-prices-${need('genai-version')}`,
    title: `@pydantic/genai-prices ${need('genai-version')}, provider azure and the makers it falls back to`,
    asOf: need('genai-as-of'),
    note: "A maker's own price stands for Azure's global one, as that list does.",
  },
};
const byPlace = Map.groupBy(expressible, (price) => (isRegional(price, base, names) ? 'regional' : 'said'));
const rows = mergeLists({
  book,
  names,
  litellm: byPlace.get('said') ?? [],
  regional: (byPlace.get('regional') ?? []).map((price) => ({
    ...price,
    deploymentType: 'regional' as const,
  })),
  genai,
  sources,
  decisions: parse(readFileSync(DECISIONS, 'utf8')) as Decision[],
});
const used = new Set(rows.map(({ source }) => source));
const data: PriceBookData = {
  ...book,
  version: `${sources.litellm.asOf}.1`,
  sources: Object.fromEntries(
    [
      ...Object.entries(book.sources),
      ...Object.values(sources).map(({ key, title, asOf, note }) => [key, { title, asOf, note }] as const),
    ].filter(([key]) => used.has(key)),
  ),
  models: names.models.map((model) => ({ model, aliases: names.aliasesOf(model) })),
  prices: rows,
};
createPriceBook(data);
writeFileSync(BOOK, formatBook(data));
console.log(
  `${rows.length} rows of ${data.models.length} models; ${rows.filter(({ confirmed }) => confirmed).length} confirmed, ` +
    `${rows.filter(({ note }) => note.includes('In dispute')).length} in dispute; ` +
    `${litellm.notUnderstood.length} fields left out (--show-left-out)`,
);
if (values['show-left-out']) {
  for (const { sourceKey, field, value, why } of litellm.notUnderstood)
    console.log(`${sourceKey}: ${field} ${value} ${why}`);
}
