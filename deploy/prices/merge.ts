import type { GenaiPrice, GenaiPrices } from '../../pricing/feeds/genai-prices.ts';
import type { FeedPrice } from '../../pricing/feeds/price.ts';
import { parseDecimal } from '../../pricing/money.ts';
import {
  completePriceRow,
  type PriceBookData,
  type PriceRow,
  timelineKeyOf,
} from '../../pricing/prices/rows.ts';
import type { ModelNames } from './names.ts';

/** A list that rows are read from, and how the book names it. */
interface ListSource {
  key: string;
  title: string;
  asOf: string;
  note: string;
}

/** What a person said about a price on which the lists do not agree. */
export interface Decision {
  model: string;
  deploymentType: PriceRow['deploymentType'];
  tokenType: PriceRow['tokenType'];
  /** Whose figure holds. */
  use: 'litellm' | 'genai-prices' | 'book';
  /** `ever`: the earlier figure was a slip and goes; `list`: it was right until the day of the list. */
  since: 'ever' | 'list';
  why: string;
}

export interface MergeInput {
  book: PriceBookData;
  names: ModelNames;
  litellm: readonly FeedPrice[];
  /** Of `litellm` those that are read as regional. */
  regional: readonly FeedPrice[];
  genai: GenaiPrices;
  sources: { litellm: ListSource; genai: ListSource };
  decisions: readonly Decision[];
}

/** The figures that the lists have of one price. */
interface Figures {
  key: PriceRow;
  /** The first is the one that counts. */
  litellm: FeedPrice[];
  /** What the first list names without a place and was read as regional. */
  regional: FeedPrice[];
  genai: GenaiPrice[];
  /** The book's rows, the oldest first. */
  book: PriceRow[];
}

/** The rows of the new book, in the order of the old one, new ones behind. Pure: the same lists give the same rows. */
export function mergeLists(input: MergeInput): PriceRow[] {
  const all = figuresByKey(input);
  const rows = [...all.values()].flatMap((figures) => rowsOf(figures, input));
  const lastChange = new Map(
    rows.flatMap((row) =>
      row.deploymentType === 'global' && row.effectiveFrom !== null
        ? [[subjectOf(row), row.effectiveFrom]]
        : [],
    ),
  );
  const isNew = (row: PriceRow) =>
    row.effectiveFrom === null && all.get(timelineKeyOf(row))?.book.length === 0;
  // What a zone or a batch cost before the global price changed is in no list: until then the global one stands in.
  return rows.map((row) =>
    row.deploymentType !== 'global' && isNew(row)
      ? { ...row, effectiveFrom: lastChange.get(subjectOf(row)) ?? null }
      : row,
  );
}

function subjectOf({ model, tokenType }: PriceRow): string {
  return `${model} ${tokenType}`;
}

function figuresByKey({ book, names, litellm, regional, genai }: MergeInput): Map<string, Figures> {
  const all = new Map<string, Figures>();
  const figuresOf = (row: PriceRow): Figures => {
    const known = all.get(timelineKeyOf(row)) ?? { key: row, litellm: [], regional: [], genai: [], book: [] };
    all.set(timelineKeyOf(row), known);
    return known;
  };
  for (const row of book.prices) figuresOf(row).book.push(row);
  for (const price of inOneZone(litellm, names)) figuresOf(keyRow(price, names)).litellm.push(price);
  for (const price of regional) {
    const row = keyRow(price, names);
    figuresOf(row).litellm.push(price);
    figuresOf(row).regional.push(price);
    figuresOf({ ...row, deploymentType: 'global' }).regional.push(price);
  }
  for (const model of names.models) {
    const isEmbedding = all.has(
      timelineKeyOf(completePriceRow({ model, tokenType: 'embedding', amount: '1' })),
    );
    for (const price of pricesOfAny(genai, [model, ...names.aliasesOf(model)])) {
      const tokenType = isEmbedding && price.tokenType === 'prompt' ? 'embedding' : price.tokenType;
      const row = keyRow({ ...price, tokenType }, names);
      // A part that Azure's lists do not name is the maker's, whose usage Azure may count otherwise.
      if (price.provider === 'azure' || all.has(timelineKeyOf(row))) figuresOf(row).genai.push(price);
    }
  }
  return all;
}

/** The list may know a model by another of its names. */
function pricesOfAny(genai: GenaiPrices, names: readonly string[]): GenaiPrice[] {
  return names.map(genai).find((prices) => prices.length > 0) ?? [];
}

/** Data zones that cost the same are one price, for any zone; others keep their names. */
function inOneZone(prices: readonly FeedPrice[], names: ModelNames): FeedPrice[] {
  const bySubject = Map.groupBy(
    prices.filter(
      ({ deploymentType, region }) => deploymentType === 'data_zone' && (region === 'us' || region === 'eu'),
    ),
    (price) => timelineKeyOf({ ...keyRow(price, names), region: '*' }),
  );
  const anyZone = new Set(
    [...bySubject].flatMap(([subject, of]) =>
      new Set(of.map(({ amount }) => amount)).size === 1 ? [subject] : [],
    ),
  );
  return prices.map((price) =>
    anyZone.has(timelineKeyOf({ ...keyRow(price, names), region: '*' })) && /^(?:us|eu)$/.test(price.region)
      ? { ...price, region: '*' }
      : price,
  );
}

function keyRow(price: FeedPrice, names: ModelNames): PriceRow {
  const { deploymentType, region, tokenType, aboveInputTokenCount, amount, unit } = price;
  const model = names.canonicalOf(price.model);
  return completePriceRow({ model, deploymentType, region, tokenType, aboveInputTokenCount, amount, unit });
}

function rowsOf(figures: Figures, input: MergeInput): PriceRow[] {
  const { key, book } = figures;
  const decision = input.decisions.find(
    ({ model, deploymentType, tokenType }) =>
      model === key.model && deploymentType === key.deploymentType && tokenType === key.tokenType,
  );
  const chosen = choose(figures, decision);
  const note = noteOf(figures, chosen, decision, input);
  const confirmed = isConfirmed(figures, chosen.price.amount);
  const last = book.at(-1);
  if (chosen.from === 'book') {
    return book.map((row) => (row === last ? { ...row, confirmed, note: withNote(row.note, note) } : row));
  }
  const source = chosen.from === 'LiteLLM' ? input.sources.litellm : input.sources.genai;
  const { amount, unit, sourceKey } = chosen.price;
  const from = { source: source.key, sourceKey, listedAt: source.asOf };
  const row: PriceRow = { ...key, ...from, amount, unit, effectiveFrom: null, note, confirmed };
  const history = historyOf(figures, row, input.sources.genai);
  if (history.length > 0) return history;
  if (last === undefined || decision?.since === 'ever') return [row];
  // The same figure again: it holds as long as it did, and was seen anew.
  if (isSame(last, row)) return [...book.slice(0, -1), { ...row, effectiveFrom: last.effectiveFrom }];
  return [...book, { ...row, effectiveFrom: `${source.asOf}T00:00:00Z` }];
}

interface Chosen {
  from: 'LiteLLM' | 'genai-prices' | 'book';
  price: Pick<FeedPrice, 'amount' | 'unit' | 'sourceKey'>;
}

/**
 * Azure's own entry goes before what a maker charges elsewhere, unless a person decided; what the book has from an earlier
 * list stays where only a maker's price is left.
 */
function choose({ litellm, genai, book, key }: Figures, decision: Decision | undefined): Chosen {
  const ofGenai = genai.at(-1);
  const [ofLitellm] = litellm;
  const last = book.at(-1);
  if (decision?.use === 'book' && last !== undefined) return { from: 'book', price: last };
  if (ofLitellm !== undefined && decision?.use !== 'genai-prices')
    return { from: 'LiteLLM', price: ofLitellm };
  if (
    ofGenai !== undefined &&
    (last === undefined || ofGenai.provider === 'azure' || isSame(last, ofGenai))
  ) {
    return { from: 'genai-prices', price: ofGenai };
  }
  if (last === undefined) throw new Error(`${timelineKeyOf(key)} is in no list`);
  return { from: 'book', price: last };
}

/** Whether both lists say it, or the second one and an earlier list: what was confirmed stays so at the same figure. */
function isConfirmed({ litellm, genai, book }: Figures, amount: string): boolean {
  const ofGenai = genai.at(-1);
  if (ofGenai === undefined || !equals(ofGenai.amount, amount)) return false;
  const earlier = book.filter(({ source, confirmed }) => confirmed || !source.startsWith('genai-prices'));
  return [...litellm, ...earlier].some((other) => equals(other.amount, amount));
}

/** Earlier prices that the second list dates, where its last one is the one that holds. */
function historyOf({ genai, book }: Figures, row: PriceRow, source: ListSource): PriceRow[] {
  const last = genai.at(-1);
  if (genai.length < 2 || last === undefined || !equals(last.amount, row.amount)) return [];
  const dates = new Set(genai.map(({ effectiveFrom }) => effectiveFrom));
  if (book.some(({ effectiveFrom }) => !dates.has(effectiveFrom))) return [];
  return genai
    .filter((price, index) => index === 0 || !equals(price.amount, genai[index - 1]?.amount ?? ''))
    .map((price) => {
      const note = `Dated by ${price.provider}; when Azure followed is not known.`;
      const dated = { ...row, amount: price.amount, effectiveFrom: price.effectiveFrom };
      if (equals(price.amount, last.amount)) return { ...dated, note: withNote(row.note, note) };
      return {
        ...dated,
        source: source.key,
        sourceKey: price.sourceKey,
        listedAt: source.asOf,
        note,
        confirmed: false,
      };
    });
}

/** Every figure that is not the one in use is named, with its list. */
function noteOf(
  figures: Figures,
  chosen: Chosen,
  decision: Decision | undefined,
  { names }: MergeInput,
): string {
  const { key, litellm, regional, genai } = figures;
  const { amount } = chosen.price;
  const others = new Map<string, string[]>();
  const say = (value: string, who: string) => {
    if (!equals(value, amount)) others.set(value, [...new Set([...(others.get(value) ?? []), who])]);
  };
  for (const price of litellm) say(price.amount, `LiteLLM ${price.sourceKey}`);
  const ofGenai = genai.at(-1);
  if (ofGenai !== undefined) say(ofGenai.amount, `genai-prices ${ofGenai.sourceKey}`);
  if (key.deploymentType === 'global') {
    for (const price of regional)
      say(price.amount, `LiteLLM ${price.sourceKey}, read as regional: a tenth more`);
  }
  const disputed = [...others].map(([value, who]) => `${value} (${who.join(', ')})`);
  const why = decision?.why ?? WHY[chosen.from];
  const retired = names.retiredOn(key.model);
  return [
    ...(disputed.length === 0
      ? []
      : [`In dispute: ${amount} of ${chosen.from}, against ${disputed.join('; ')}.`]),
    ...(disputed.length > 0 || decision !== undefined ? [why] : []),
    ...(key.deploymentType === 'regional' && regional.length > 0
      ? ['Listed without a place, a tenth above the global price of the second list: read as regional.']
      : []),
    ...(chosen.from === 'book' && ofGenai === undefined ? ['No longer in either list.'] : []),
    ...(retired === null ? [] : [`Azure retires the model on ${retired}, by LiteLLM.`]),
  ].join(' ');
}

const WHY: Record<Chosen['from'], string> = {
  LiteLLM: 'It is listed for Azure by name.',
  'genai-prices': 'The global price is that of the second list.',
  book: 'What is left is what the maker charges elsewhere.',
};

function withNote(note: string, more: string): string {
  return note.includes(more) ? note : [note, more].filter((part) => part !== '').join(' ');
}

type Amount = Pick<PriceRow, 'amount' | 'unit'>;

function isSame(left: Amount, right: Amount): boolean {
  return left.unit === right.unit && equals(left.amount, right.amount);
}

function equals(left: string, right: string): boolean {
  return (
    left === right ||
    (/^\d/.test(left) && /^\d/.test(right) && parseDecimal(left, 12) === parseDecimal(right, 12))
  );
}
