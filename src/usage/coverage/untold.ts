import { findPrice, hasPrice } from '../../../pricing/prices/lookup.ts';
import type { PriceBook } from '../../../pricing/prices/price-book.ts';
import { modelsPricedByPart } from '../../../pricing/prices/segments.ts';
import { TELLABLE_PARTS, type TellablePart } from '../../../pricing/usage/untold.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readMeasuredModels, readUntoldHours } from '../collection/measured-figures.ts';

/** Hours in which the source that bills did not tell of parts that have a price: what their tokens cost is not known. */
export interface UntoldCoverage extends TimeWindow {
  model: string;
  deployment: string;
  parts: Pick<TellablePart, 'tokenType' | 'reason'>[];
}

/** Only what matters to a price of the book is told, by model and deployment, in the order of time. */
export async function queryUntold(
  database: LedgerDatabase,
  window: TimeWindow,
  book: PriceBook,
): Promise<UntoldCoverage[]> {
  const measured = await readMeasuredModels(database, window);
  const hours = await readUntoldHours(database, window, modelsPricedByPart(book, measured, window));
  return hours.flatMap(({ untold, ...place }) => {
    const { model, deployment, start: at } = place;
    const parts = TELLABLE_PARTS.filter(
      ({ tokenType }) =>
        untold.includes(tokenType) && hasPrice(findPrice(book, { model, deployment, at }, tokenType)),
    );
    return parts.length === 0
      ? []
      : [{ ...place, parts: parts.map(({ tokenType, reason }) => ({ tokenType, reason })) }];
  });
}
