import { emptyPriceFile, type NotTaken, type PriceFile } from '../prices/file.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { completePriceRow, type PriceRow, timelineKeyOf } from '../prices/rows.ts';
import { readLitellmMap } from './litellm.ts';
import type { FeedPrice } from './price.ts';

const LITELLM_SOURCE = 'litellm-map';

interface Told {
  price: FeedPrice;
  row: PriceRow;
}

/**
 * LiteLLM's map of models as rows of the book. What it says of other providers is not looked at; what it says of Azure and the
 * book cannot take is told.
 * @param parseJson gives every number as its text
 * @param today `2026-12-01`: what ended before it is left out
 */
export function parseLitellmFile(
  text: string,
  book: PriceBook,
  { parseJson, today }: { parseJson: (text: string) => unknown; today: string },
): PriceFile {
  const file = emptyPriceFile();
  let reading: ReturnType<typeof readLitellmMap>;
  try {
    reading = readLitellmMap(parseJson(text.replace(/^\uFEFF/, '')));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    const message =
      error instanceof SyntaxError ? `is no JSON, or was cut off: ${error.message}` : error.message;
    file.problems.push({ line: lineOfError(text, error), field: 'file', message });
    return file;
  }
  for (const { sourceKey, field, value, why } of reading.notUnderstood) {
    file.notTaken.push({ line: 0, subject: sourceKey, why, details: { field, value } });
  }
  const told = reading.prices.map((price) => ({ price, row: rowOf(price, book) }));
  for (const [, all] of Map.groupBy(told, ({ row }) => timelineKeyOf(row))) {
    const { taken, notTaken } = chooseOne(all, book, (key) => {
      const day = reading.retiredOn.get(key);
      return day !== undefined && day < today ? day : null;
    });
    file.notTaken.push(...notTaken);
    if (taken === null) continue;
    file.rows.push(taken.row);
    file.lineOf.set(taken.row, 0);
  }
  return file;
}

/** Engines say a position, or line and column; none must. */
function lineOfError(text: string, { message }: Error): number {
  const line = /line (\d+)/.exec(message)?.[1];
  if (line !== undefined) return Number(line);
  const position = /position (\d+)/.exec(message)?.[1];
  return position === undefined ? 0 : text.slice(0, Number(position)).split('\n').length;
}

function rowOf(price: FeedPrice, book: PriceBook): PriceRow {
  const { effectiveFrom: _undated, ...said } = price;
  const model = book.canonicalByName.get(price.model) ?? price.model;
  return completePriceRow({ ...said, model, source: LITELLM_SOURCE });
}

/** The map may know a price under several names: the model's own counts, and where two of these differ neither. */
function chooseOne(
  all: readonly Told[],
  book: PriceBook,
  endedOn: (sourceKey: string) => string | null,
): { taken: Told | null; notTaken: NotTaken[] } {
  const notTaken: NotTaken[] = [];
  const leave = (one: Told, why: string) =>
    notTaken.push({
      line: 0,
      subject: one.price.sourceKey,
      why,
      details: { price: timelineKeyOf(one.row), amount: one.row.amount, unit: one.row.unit },
    });
  const usable = all.filter((one) => {
    const day = endedOn(one.price.sourceKey);
    const { model, serviceTier } = one.row;
    if (day !== null) leave(one, `ended on ${day}`);
    else if (
      serviceTier !== 'standard' &&
      book.tiers.get(model)?.serviceTiers.includes(serviceTier) !== true
    ) {
      leave(
        one,
        `is of the service tier ${serviceTier}, of which the book has no price of the model: with one, no usage of it has a ` +
          'known cost before a rule says the tier of its deployments; "prices add --service-tier" adds it',
      );
    } else return true;
    return false;
  });
  const own = usable.filter(({ price, row }) => price.model === row.model);
  const candidates = own.length > 0 ? own : usable;
  const [first, ...others] = candidates;
  if (first === undefined) return { taken: null, notTaken };
  if (others.some(({ row }) => row.amount !== first.row.amount)) {
    for (const one of candidates) leave(one, 'is said twice, with other figures: neither is taken');
    return { taken: null, notTaken };
  }
  for (const one of usable) {
    if (one.row.amount === first.row.amount) continue;
    leave(one, `is another name of ${first.row.model}, whose own entry says ${first.row.amount}`);
  }
  return { taken: first, notTaken };
}
