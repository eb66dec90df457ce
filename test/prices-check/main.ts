// Holds the shipped price book against the two lists it was made of: `npm run prices:check -- --litellm FILE`. Reads the book's
// file and the lists by itself; only the last part asks the product what mixed usage costs.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { calcPrice } from '@pydantic/genai-prices';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { findPrice, STANDARD_REQUEST } from '../../pricing/prices/lookup.ts';
import { attoOf, figuresOfLitellm, GENAI_FIELDS, type ListedFigure } from './figures.ts';

interface Row {
  model: string;
  deploymentType?: string;
  region?: string;
  tokenType: string;
  amount: string;
  unit?: string;
  effectiveFrom?: string;
  serviceTier?: string;
  aboveInputTokenCount?: number;
  note?: string;
  confirmed?: boolean;
}

const { values } = parseArgs({ options: { litellm: { type: 'string' } } });
if (values.litellm === undefined) throw new Error('--litellm FILE is missing');
const file = new URL('../../pricing/data/azure-openai-price-book.json', import.meta.url);
const book = JSON.parse(readFileSync(file, 'utf8')) as {
  models: { model: string; aliases: string[] }[];
  prices: Row[];
};
const modelOf = new Map(
  book.models.flatMap(({ model, aliases }) => [model, ...aliases].map((name) => [name, model])),
);
const usual = ({ serviceTier = 'standard', aboveInputTokenCount = 0 }: Row) =>
  serviceTier === 'standard' && aboveInputTokenCount === 0;
const newest = new Map<string, Row>();
for (const row of book.prices.filter(usual)) {
  const key = keyOf(row.model, row.deploymentType ?? 'global', row.region ?? '*', row.tokenType);
  const known = newest.get(key);
  if (known === undefined || (known.effectiveFrom ?? '') < (row.effectiveFrom ?? '')) newest.set(key, row);
}

function keyOf(...parts: string[]): string {
  return parts.join(' ');
}

function attoOfRow({ amount, unit }: Row): bigint | null {
  return attoOf(unit === undefined || unit === 'million_tokens' ? `${amount}e-6` : amount);
}

/** As the notes write amounts: for a million, without zeros at the end. */
function isNamed(note: string | undefined, atto: bigint): boolean {
  return [...(note ?? '').matchAll(/\d+\.\d+/g)].some(([figure]) => attoOf(`${figure}e-6`) === atto);
}

const differences: string[] = [];
const held: ListedFigure[] = [];
const figures = figuresOfLitellm(readFileSync(values.litellm, 'utf8'));
for (const figure of figures) {
  const { name, deploymentType, region, tokenType, atto, where } = figure;
  const model = modelOf.get(name);
  if (model === undefined) {
    differences.push(`${where}: the book knows no ${name}`);
    continue;
  }
  const row =
    newest.get(keyOf(model, deploymentType, region, tokenType)) ??
    newest.get(keyOf(model, deploymentType, '*', tokenType));
  const regional = newest.get(keyOf(model, 'regional', '*', tokenType));
  if (row !== undefined && attoOfRow(row) === atto) held.push(figure);
  else if (row !== undefined && (row.note ?? '').includes('In dispute') && isNamed(row.note, atto)) continue;
  else if (deploymentType === 'global' && regional !== undefined && attoOfRow(regional) === atto) continue;
  else differences.push(`${where}: ${atto} against ${row === undefined ? 'nothing' : row.amount}`);
}

/** Makers that charge by the hour of the day are off their peak then; Azure has no such prices. */
const timestamp = new Date('2026-12-01T20:00:00Z');
let genaiCount = 0;
for (const { model, aliases } of book.models) {
  const found = [model, ...aliases]
    .map((name) => calcPrice({ input_tokens: 1 }, name, { providerId: 'azure', timestamp }))
    .find((price) => price !== null);
  for (const [tokenType, field] of Object.entries(GENAI_FIELDS)) {
    const row = newest.get(keyOf(model, 'global', '*', tokenType));
    const price = (found?.model_price as Record<string, number | { base: number } | undefined> | undefined)?.[
      field
    ];
    if (row === undefined || price === undefined) {
      if (row?.confirmed === true)
        differences.push(`${model} ${tokenType}: confirmed, and not in the second list`);
      continue;
    }
    const atto = attoOf(`${typeof price === 'object' ? price.base : price}e-6`) ?? -1n;
    genaiCount += 1;
    if (attoOfRow(row) !== atto && !isNamed(row.note, atto)) {
      differences.push(`${model} ${tokenType}: ${row.amount} against ${String(price)} of the second list`);
    }
    if (row.confirmed === true && attoOfRow(row) !== atto)
      differences.push(`${model} ${tokenType}: confirmed, and differs`);
  }
}

/** Costs of random usage over what neither list disputes, by the product and by the lists' own digits. */
function mixedUsages(count: number): number {
  let seed = 20_261_201;
  const next = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  let wrong = 0;
  for (let index = 0; index < count; index += 1) {
    let [ours, theirs] = [0n, 0n];
    for (let part = 0; part < 4; part += 1) {
      const { name, deploymentType, region, tokenType, atto } = held[next(held.length)] as ListedFigure;
      const tokens = BigInt(next(5_000_000));
      const query = { ...STANDARD_REQUEST, model: name, deploymentType: deploymentType as 'global', region };
      const found = findPrice(azureOpenAiPriceBook, query, tokenType as 'prompt');
      ours += found.found ? found.picoUsdPerToken * tokens : -1n;
      theirs += (atto * tokens) / 1_000_000n;
    }
    if (ours !== theirs) wrong += 1;
  }
  return wrong;
}

for (const difference of differences) console.log(difference);
console.log(
  `${figures.length} figures of LiteLLM, ${genaiCount} of genai-prices: ${differences.length} differ without being marked so`,
);
const wrong = mixedUsages(500);
console.log(`500 mixed usages: ${wrong} differ from the lists' own digits`);
process.exitCode = differences.length + wrong === 0 ? 0 : 1;
