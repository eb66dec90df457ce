import { type Selectable, sql } from 'kysely';
import type { Scenario } from '../../pricing/simulations/scenario.ts';
import { countDueCostDays } from '../costs/notes.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { Ledger } from '../platform/database/schema/schema.ts';
import { TallystickError } from '../platform/errors.ts';
import { ofCustomers } from './scan.ts';

export interface StoredSimulation {
  simulationId: string;
  status: 'running' | 'done' | 'failed';
  request: unknown;
  window: TimeWindow;
  priceBookVersion: string;
  /** Totals and the farthest customers, as they were answered; null until it is done. */
  result: unknown;
  lastError: string | null;
  createdBy: string;
  createdAt: Date;
  finishedAt: Date | null;
}

/** One customer in a simulation: figures of the baseline and of each scenario, in their order. */
export interface SimulatedCustomer {
  /** Null: usage that is nobody's. */
  customerId: string | null;
  currency: string;
  /** As the API shows them; stored as they are. */
  figures: unknown;
  /** For each scenario, in pico of the minor unit; null: unknown. */
  marginDeltas: (bigint | null)[];
}

/** Writes down what was asked, before it is worked out. */
export async function insertSimulation(
  database: LedgerDatabase,
  simulation: Omit<StoredSimulation, 'status' | 'result' | 'lastError' | 'finishedAt'>,
): Promise<void> {
  await database
    .insertInto('simulations')
    .values({
      simulation_id: simulation.simulationId,
      status: 'running',
      request: JSON.stringify(simulation.request),
      window_start: simulation.window.start,
      window_end: simulation.window.end,
      price_book_version: simulation.priceBookVersion,
      result: null,
      last_error: null,
      created_by: simulation.createdBy,
      created_at: simulation.createdAt,
      finished_at: null,
    })
    .execute();
}

/** Adds what some customers come to. */
export async function insertSimulatedCustomers(
  transaction: LedgerTransaction,
  simulationId: string,
  customers: readonly SimulatedCustomer[],
): Promise<void> {
  if (customers.length === 0) return;
  // Deltas travel as one text each: Postgres has no arrays of different lengths to unnest.
  await sql`
    insert into simulation_customers (simulation_id, customer_id, currency, figures, margin_deltas)
    select ${simulationId}, customer_id, currency, figures::jsonb,
      (select array_agg(nullif(delta, 'null')::numeric order by place)
       from unnest(string_to_array(deltas, ',')) with ordinality as part(delta, place))
    from unnest(${customers.map((customer) => customer.customerId ?? '')}::text[],
      ${customers.map((customer) => customer.currency)}::text[],
      ${customers.map((customer) => JSON.stringify(customer.figures))}::text[],
      ${customers.map((customer) => customer.marginDeltas.map((delta) => delta ?? 'null').join())}::text[])
      as rated(customer_id, currency, figures, deltas)`.execute(transaction);
}

/** Ends a simulation that runs, for good; what is stored of it then. */
export async function finishSimulation(
  database: LedgerDatabase | LedgerTransaction,
  simulationId: string,
  end: { result: unknown; error: string | null; now: Date },
): Promise<StoredSimulation> {
  const row = await database
    .updateTable('simulations')
    .set({
      status: end.error === null ? 'done' : 'failed',
      result: end.error === null ? JSON.stringify(end.result) : null,
      last_error: end.error,
      finished_at: end.now,
    })
    .where('simulation_id', '=', simulationId)
    .where('status', '=', 'running')
    .returningAll()
    .executeTakeFirstOrThrow();
  return toSimulation(row);
}

/** The customers whose margin a scenario moves farthest in a direction; whose margin is unknown is in neither. */
export async function readFarthestCustomers(
  transaction: LedgerTransaction,
  simulationId: string,
  scenarioIndex: number,
  direction: 'up' | 'down',
  limit: number,
): Promise<{ customerId: string | null; currency: string; marginDelta: bigint }[]> {
  const delta = sql<string>`margin_deltas[${sql.lit(scenarioIndex + 1)}::int]`;
  const result = await sql<{ customer_id: string; currency: string; delta: string }>`
    select customer_id, currency, ${delta}::text as delta from simulation_customers
    where simulation_id = ${simulationId} and ${direction === 'up' ? sql`${delta} > 0` : sql`${delta} < 0`}
    order by ${delta} ${direction === 'up' ? sql`desc` : sql`asc`}, customer_id limit ${limit}`.execute(
    transaction,
  );
  return result.rows.map((row) => ({
    customerId: row.customer_id === '' ? null : row.customer_id,
    currency: row.currency,
    marginDelta: BigInt(row.delta),
  }));
}

/** @throws TallystickError NOT_FOUND */
export async function getSimulation(
  database: LedgerDatabase,
  simulationId: string,
): Promise<StoredSimulation> {
  const row = await database
    .selectFrom('simulations')
    .selectAll()
    .where('simulation_id', '=', simulationId)
    .executeTakeFirst();
  if (row === undefined) {
    throw new TallystickError('No simulation has this id.', { code: 'NOT_FOUND', retry: false });
  }
  return toSimulation(row);
}

/** Stored ones without their results, the newest first unless told otherwise, after a given one. */
export async function listSimulations(
  database: LedgerDatabase,
  page: {
    after: Pick<StoredSimulation, 'createdAt' | 'simulationId'> | null;
    isOldestFirst?: boolean;
    limit: number;
    offset?: number;
  },
): Promise<StoredSimulation[]> {
  const { after, isOldestFirst = false, limit, offset = 0 } = page;
  const [way, beyond] = isOldestFirst ? [sql`asc`, sql`>`] : [sql`desc`, sql`<`];
  const rows = await database
    .selectFrom('simulations')
    .select([
      'simulation_id',
      'status',
      'request',
      'window_start',
      'window_end',
      'price_book_version',
      sql<null>`null`.as('result'),
      'last_error',
      'created_by',
      'created_at',
      'finished_at',
    ])
    .$if(after !== null, (query) =>
      query.where(
        sql<boolean>`(created_at, simulation_id) ${beyond} (${after?.createdAt}::timestamptz, ${after?.simulationId})`,
      ),
    )
    .orderBy(sql`created_at ${way}, simulation_id ${way}`)
    .limit(limit)
    .offset(offset)
    .execute();
  return rows.map(toSimulation);
}

/** How many there are. */
export async function countSimulations(database: LedgerDatabase): Promise<number> {
  const { count } = await database
    .selectFrom('simulations')
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

function toSimulation(row: Selectable<Ledger['simulations']>): StoredSimulation {
  const { windowStart, windowEnd, ...others } = camelRow(row);
  return { ...others, window: { start: windowStart, end: windowEnd } };
}

/** A page of a simulation's customers by their id; usage that is nobody's comes first. */
export async function readSimulatedCustomers(
  database: LedgerDatabase,
  simulationId: string,
  page: { after: string | null; limit: number },
): Promise<SimulatedCustomer[]> {
  const rows = await database
    .selectFrom('simulation_customers')
    .selectAll()
    .where('simulation_id', '=', simulationId)
    .$if(page.after !== null, (query) => query.where('customer_id', '>', page.after ?? ''))
    .orderBy('customer_id')
    .limit(page.limit)
    .execute();
  return rows.map((row) => ({
    customerId: row.customer_id === '' ? null : row.customer_id,
    currency: row.currency,
    figures: row.figures,
    marginDeltas: row.margin_deltas.map((delta) => (delta === null ? null : BigInt(delta))),
  }));
}

/** Whether there is usage to simulate, and what stands beside it: days that wait, and capacity that nobody used. */
export async function readSimulationScope(
  database: LedgerDatabase,
  window: TimeWindow,
  customerIds: readonly string[] | null,
): Promise<{ hasUsage: boolean; dueDayCount: bigint; idlePicoUsd: bigint }> {
  const [fromDay, untilDay] = [window.start, window.end].map((at) => at.toISOString().slice(0, 10));
  const dueDayCount = await countDueCostDays(database, window);
  const result = await sql<{ has_usage: boolean; idle: string }>`
    select exists (select 1 from hourly_usage as usage left join subjects on subjects.subject = usage.subject
                    where usage.window_start >= ${window.start} and usage.window_start < ${window.end}
                      and ${ofCustomers(customerIds)}) as has_usage,
      (select coalesce(sum(cost_pico_usd), 0)::text from daily_costs
        where kind = 'idle' and day >= ${fromDay}::date and day < ${untilDay}::date) as idle`.execute(
    database,
  );
  const row = result.rows[0];
  return {
    hasUsage: row?.has_usage ?? false,
    dueDayCount,
    idlePicoUsd: BigInt(row?.idle ?? '0'),
  };
}

/** Every currency that anybody is billed in, or would be under a scenario's plan. */
export async function readBilledCurrencies(
  database: LedgerDatabase,
  scenarios: readonly Scenario[],
): Promise<string[]> {
  const billed = await sql<{ currency: string }>`
    select currency from subscription_items where active
    union select currency from customers where currency is not null`.execute(database);
  return [
    ...billed.rows.map(({ currency }) => currency),
    ...scenarios.flatMap(({ plan }) => (plan === null ? [] : [plan.currency])),
  ];
}

/** First and last hour with usage; null when there is none at all. */
export async function readUsageExtent(database: LedgerDatabase): Promise<{ first: Date; last: Date } | null> {
  const result = await sql<{ first: Date | null; last: Date | null }>`
    select min(window_start) as first, max(window_start) as last from hourly_usage`.execute(database);
  const row = result.rows[0];
  return row?.first == null || row.last === null ? null : { first: row.first, last: row.last };
}
