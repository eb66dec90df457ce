import { type RawBuilder, sql } from 'kysely';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { modelsPricedByPart, priceBreaks, type UntoldHours } from '../../pricing/prices/segments.ts';
import type { ScenarioCustomer, ScenarioKind, ScenarioUsage } from '../../pricing/simulations/scenario.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { readMonthlyMinimums } from '../billing/minimums.ts';
import { CUSTOMER_OF_COST } from '../costs/customers.ts';
import { readPurchases } from '../costs/provisioned/provisioned.ts';
import { CustomerRateReader } from '../plans/customer-rates.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import { readMeasuredModels, readUntoldHours } from '../usage/collection/measured-figures.ts';
import { countedColumn } from '../usage/name-keys.ts';

/** Rows of one answer, and customers whose rates are read together. Bound memory. */
const FETCH_ROWS = 4_000;
const CUSTOMER_BATCH = 100;

export interface ScannedCustomer extends ScenarioCustomer {
  /** Null: usage of subjects without a customer. */
  customerId: string | null;
}

interface ScanRow {
  customer_id: string | null;
  segment: number;
  is_bought: boolean;
  model: string;
  feature: string;
  deployment: string;
  token_type: TokenType;
  /** Which of the runs of untold hours, from 1; 0: none. */
  untold_run: number;
  token_count: string;
}

/**
 * Every customer's usage of a window, customer by customer, from one scan of the hourly usage that Postgres groups and
 * a cursor hands over. What is in memory depends on neither the hours nor the customers.
 * @param scope the book's price changes divide the window, as calendar months do; `customerIds` null: of everybody, and
 *   nobody's usage
 */
export async function* scanCustomers(
  transaction: LedgerTransaction,
  {
    window,
    book,
    customerIds,
  }: { window: TimeWindow; book: PriceBook; customerIds: readonly string[] | null },
): AsyncGenerator<ScannedCustomer[]> {
  const segments = segmentsOf(window, book);
  const monthStarts = [...new Map(segments.map(({ monthStart }) => [+monthStart, monthStart])).values()];
  const measured = await readMeasuredModels(transaction, window);
  const untold = await readUntoldHours(transaction, window, modelsPricedByPart(book, measured, window));
  const kinds = new KindIndex(segments, untold);
  const rateReader = new CustomerRateReader();
  const bought = (await readPurchases(transaction, window)).filter(({ terms }) => terms.unitCount > 0);
  const isBought =
    bought.length === 0
      ? sql`false`
      : sql`exists (
          select 1 from unnest(${bought.map((entry) => entry.deployment)}::text[],
            ${bought.map((entry) => entry.validFrom.toISOString())}::timestamptz[],
            ${bought.map((entry) => entry.validUntil?.toISOString() ?? 'infinity')}::timestamptz[])
            as bought(deployment, starts_at, ends_at)
          where bought.deployment = ${countedColumn('deployment', 'usage')}
            and usage.window_start >= bought.starts_at and usage.window_start < bought.ends_at)`;
  const untoldRun =
    untold.length === 0
      ? sql`0`
      : sql`coalesce((
          select run.number from unnest(${untold.map((hours) => hours.model)}::text[],
            ${untold.map((hours) => hours.deployment)}::text[],
            ${untold.map((hours) => hours.start.toISOString())}::timestamptz[],
            ${untold.map((hours) => hours.end.toISOString())}::timestamptz[])
            with ordinality as run(model, deployment, starts_at, ends_at, number)
          where run.model = ${countedColumn('model', 'usage')} and run.deployment = ${countedColumn('deployment', 'usage')}
            and usage.window_start >= run.starts_at and usage.window_start < run.ends_at), 0)::integer`;
  // The whole answer is wanted: without this a plan for its first rows would be chosen.
  await sql`set local cursor_tuple_fraction = 1.0`.execute(transaction);
  await sql`
    declare simulation_scan no scroll cursor for
    select ${CUSTOMER_OF_COST} as customer_id,
      width_bucket(usage.window_start, ${segments.map(({ at }) => at.toISOString())}::timestamptz[]) - 1 as segment,
      ${isBought} as is_bought, ${countedColumn('model', 'usage')} as model, usage.feature,
      ${countedColumn('deployment', 'usage')} as deployment, usage.token_type,
      ${untoldRun} as untold_run, sum(usage.delta_token_count)::text as token_count
    from hourly_usage as usage left join subjects on subjects.subject = usage.subject
    where usage.window_start >= ${window.start} and usage.window_start < ${window.end}
      and ${ofCustomers(customerIds)}
    group by 1, 2, 3, 4, 5, 6, 7, 8
    order by 1, 2, 3, 4, 5, 6, 7, 8`.execute(transaction);
  let batch: { customerId: string | null; usage: ScenarioUsage[] }[] = [];
  const hydrate = async (found: typeof batch): Promise<ScannedCustomer[]> => {
    const ids = found.flatMap(({ customerId }) => (customerId === null ? [] : [customerId]));
    const rates = await rateReader.read(transaction, ids);
    const minimums = await readMonthlyMinimums(transaction, ids, monthStarts);
    const shares = bought.length === 0 ? new Map() : await readShares(transaction, window, ids);
    return found.map(({ customerId, usage }) => ({
      customerId,
      usage,
      billed:
        customerId === null
          ? null
          : {
              ...(rates.get(customerId) ?? { currency: 'usd', rates: [] }),
              minimums: minimums.get(customerId) ?? [],
            },
      provisionedCostPicoUsd: shares.get(customerId ?? '') ?? 0n,
    }));
  };
  for (;;) {
    const { rows } = await sql<ScanRow>`fetch forward ${sql.lit(FETCH_ROWS)} from simulation_scan`.execute(
      transaction,
    );
    for (const row of rows) {
      let last = batch.at(-1);
      if (last === undefined || last.customerId !== row.customer_id) {
        // The last one of a batch is complete once another begins.
        if (batch.length >= CUSTOMER_BATCH) {
          yield await hydrate(batch);
          batch = [];
        }
        last = { customerId: row.customer_id, usage: [] };
        batch.push(last);
      }
      last.usage.push({ kind: kinds.of(row), tokenCount: BigInt(row.token_count) });
    }
    if (rows.length < FETCH_ROWS) break;
  }
  if (batch.length > 0) yield await hydrate(batch);
  await sql`close simulation_scan`.execute(transaction);
}

/** Whether a row of `usage` is of one of them; null: any row. */
export function ofCustomers(customerIds: readonly string[] | null): RawBuilder<boolean> {
  return customerIds === null
    ? sql<boolean>`true`
    : sql<boolean>`${CUSTOMER_OF_COST} = any(${[...customerIds]}::text[])`;
}

interface Segment {
  at: Date;
  monthStart: Date;
}

function segmentsOf(window: TimeWindow, book: PriceBook): Segment[] {
  const starts = new Set([window.start.getTime(), ...priceBreaks(book, window).map((at) => at.getTime())]);
  const month = new Date(Date.UTC(window.start.getUTCFullYear(), window.start.getUTCMonth() + 1, 1));
  for (; month < window.end; month.setUTCMonth(month.getUTCMonth() + 1)) starts.add(month.getTime());
  return [...starts]
    .sort((left, right) => left - right)
    .map((startMs) => {
      const at = new Date(startMs);
      return { at, monthStart: new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1)) };
    });
}

/** Gives equal kinds of usage one object and one number, so that prices are looked up once. */
class KindIndex {
  readonly #segments: readonly Segment[];
  readonly #untold: readonly UntoldHours[];
  readonly #byKey = new Map<string, ScenarioKind>();

  constructor(segments: readonly Segment[], untold: readonly UntoldHours[]) {
    this.#segments = segments;
    this.#untold = untold;
  }

  of(row: ScanRow): ScenarioKind {
    const { segment, model, feature, deployment, token_type: tokenType, is_bought: isProvisioned } = row;
    const untold = this.#untold[row.untold_run - 1]?.untold ?? [];
    const key = [segment, isProvisioned, tokenType, model, feature, deployment, untold.join()].join('\0');
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const { at, monthStart } = this.#segments[segment] ?? { at: new Date(0), monthStart: new Date(0) };
    const index = this.#byKey.size;
    const kind = { index, at, monthStart, model, feature, deployment, tokenType, untold, isProvisioned };
    this.#byKey.set(key, kind);
    return kind;
  }
}

/** What each customer bears of bought capacity; under the empty text what nobody's usage bears. */
async function readShares(
  transaction: LedgerTransaction,
  window: TimeWindow,
  customerIds: readonly string[],
): Promise<Map<string, bigint>> {
  const result = await sql<{ customer_id: string; cost: string }>`
    select coalesce(customer_id, '') as customer_id, sum(cost_pico_usd)::text as cost from daily_costs
    where kind = 'provisioned' and day >= ${window.start.toISOString().slice(0, 10)}::date
      and day < ${window.end.toISOString().slice(0, 10)}::date
      and (customer_id is null or customer_id = any(${customerIds}::text[]))
    group by 1`.execute(transaction);
  return new Map(result.rows.map((row) => [row.customer_id, BigInt(row.cost)]));
}
