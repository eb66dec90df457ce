import { type RawBuilder, sql } from 'kysely';
import { formatPicoMinor } from '../../pricing/money.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { holding } from '../platform/database/like-pattern.ts';
import type { SimulatedFigures } from './schemas.ts';

/** What a scenario changes of a customer. Null: it is unknown, in another currency, or of other tokens than before. */
export interface SimulatedChange {
  /** Null: usage that is nobody's. */
  customerId: string | null;
  name: string | null;
  before: SimulatedFigures;
  after: SimulatedFigures;
  /** Units of the currency. */
  revenueDelta: string | null;
  /** USD. */
  costDelta: string | null;
  /** Units of the currency. */
  marginDelta: string | null;
}

/** By what customers gain or lose. */
export const MEASURES = ['margin', 'revenue', 'cost'] as const;
export type Measure = (typeof MEASURES)[number];

export interface ChangeQuery {
  simulationId: string;
  /** From 0. */
  scenarioIndex: number;
  /** Billed in it, as it is. */
  currency?: string | undefined;
  /** Any part of id or name; case does not matter. */
  text?: string | undefined;
}

export type ChangeOrder = Measure | 'customer' | 'tokens';

/** What a scenario changes, customer by customer; what is unknown comes last either way. */
export async function listSimulatedChanges(
  database: LedgerDatabase,
  query: ChangeQuery,
  page: {
    order: ChangeOrder;
    isDescending: boolean;
    /** Only what changes by more, or by less, than nothing. */
    direction?: 'up' | 'down';
    limit: number;
    offset: number;
  },
): Promise<SimulatedChange[]> {
  const { order, isDescending, direction, limit, offset } = page;
  const way = isDescending ? sql`desc` : sql`asc`;
  // Of what is read, and not of its text that is answered.
  const by = sql.ref(`change.${order}`);
  const moved = direction === undefined ? sql`true` : direction === 'up' ? sql`${by} > 0` : sql`${by} < 0`;
  const { rows } = await sql<RawChange>`
    select customer, name, currency, "before", "after", revenue::text, cost::text, margin::text
    from (${changes(query)}) as change where ${moved}
    order by ${by} ${way} nulls last, change.customer ${way} limit ${limit} offset ${offset}`.execute(
    database,
  );
  return rows.map(({ customer, name, currency, before, after, revenue, cost, margin }) => ({
    customerId: customer === '' ? null : customer,
    name,
    before,
    after,
    revenueDelta: revenue,
    costDelta: cost,
    marginDelta: margin === null ? null : formatPicoMinor(BigInt(margin), currency),
  }));
}

/** How many there are, and for how many the measure rises, falls, stays, or is unknown. */
export async function countSimulatedChanges(
  database: LedgerDatabase,
  query: ChangeQuery,
  measure: Measure,
): Promise<{ all: number; up: number; down: number; unknown: number }> {
  const change = sql.ref(measure);
  const { rows } = await sql<{ all: number; up: number; down: number; unknown: number }>`
    select count(*)::integer as "all", count(*) filter (where ${change} > 0)::integer as up,
      count(*) filter (where ${change} < 0)::integer as down, count(*) filter (where ${change} is null)::integer as unknown
    from (${changes(query)}) as change`.execute(database);
  return rows[0] ?? { all: 0, up: 0, down: 0, unknown: 0 };
}

interface RawChange {
  customer: string;
  name: string | null;
  currency: string;
  before: SimulatedFigures;
  after: SimulatedFigures;
  revenue: string | null;
  cost: string | null;
  margin: string | null;
}

/** Where as much is unknown after as before, the difference is that of what is known, as it is of margins. */
function changes({ simulationId, scenarioIndex, currency, text }: ChangeQuery): RawBuilder<unknown> {
  const after = sql`figures -> ${sql.lit(scenarioIndex + 1)}::integer`;
  const part = text === undefined ? null : holding(text);
  return sql`
    select s.customer_id as customer, c.name, s.currency, s.figures -> 0 as "before", ${after} as "after",
      (s.figures -> 0 ->> 'tokenCount')::numeric as tokens,
      case when s.figures -> 0 ->> 'currency' = ${after} ->> 'currency'
          and s.figures -> 0 ->> 'unratedTokenCount' = ${after} ->> 'unratedTokenCount'
        then (${after} ->> 'ratedRevenue')::numeric - (s.figures -> 0 ->> 'ratedRevenue')::numeric end as revenue,
      case when s.figures -> 0 ->> 'unknownCostTokenCount' = ${after} ->> 'unknownCostTokenCount'
        then (${after} ->> 'knownCost')::numeric - (s.figures -> 0 ->> 'knownCost')::numeric end as cost,
      s.margin_deltas[${sql.lit(scenarioIndex + 1)}::integer] as margin
    from simulation_customers s left join customers c on c.customer_id = s.customer_id
    where s.simulation_id = ${simulationId}
      and ${currency === undefined ? sql`true` : sql`s.currency = ${currency}`}
      and ${part === null ? sql`true` : sql`(s.customer_id ilike ${part} or c.name ilike ${part})`}`;
}
