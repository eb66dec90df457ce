import { type RawBuilder, sql } from 'kysely';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { priceSegments } from '../../pricing/prices/segments.ts';
import { TOKEN_TYPES } from '../../pricing/usage/shape.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/**
 * What a token of the events of some hours cost, as rows (model, deployment, token_type, starts_at, ends_at, pico_usd); none of
 * what has no price.
 * @param hours at least one, in their order
 * @param customerId of whose subjects; null: of all
 */
export async function readEventPrices(
  database: LedgerDatabase,
  { hours, customerId, book }: { hours: readonly Date[]; customerId: string | null; book: PriceBook },
): Promise<RawBuilder<unknown>> {
  const [first, last] = [hours[0], hours.at(-1)];
  if (first === undefined || last === undefined) throw new Error('prices of no hours');
  const ofCustomer =
    customerId === null
      ? sql`true`
      : sql`exists (select from subjects where subjects.subject = usage_events.subject and subjects.customer_id = ${customerId})`;
  const kinds = await sql<{ model: string; deployment: string }>`
    select distinct model, deployment from usage_events
    where window_start = any(${hours.map((hour) => hour.toISOString())}::timestamptz[]) and kind = 'usage'
      and status <> 'quarantined' and ${ofCustomer}`.execute(database);
  const segments = priceSegments(
    book,
    kinds.rows.flatMap((kind) => TOKEN_TYPES.map((tokenType) => ({ ...kind, tokenType }))),
    { start: first, end: addMs(last, HOUR_MS) },
  ).filter(({ picoUsdPerToken }) => picoUsdPerToken !== null);
  return sql`select * from unnest(${segments.map((segment) => segment.model)}::text[],
    ${segments.map((segment) => segment.deployment)}::text[],
    ${segments.map((segment) => segment.tokenType)}::text[],
    ${segments.map((segment) => segment.start.toISOString())}::timestamptz[],
    ${segments.map((segment) => segment.end.toISOString())}::timestamptz[],
    ${segments.map((segment) => String(segment.picoUsdPerToken))}::numeric[])
    as price(model, deployment, token_type, starts_at, ends_at, pico_usd)`;
}
