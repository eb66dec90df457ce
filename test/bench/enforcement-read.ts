import { sql } from 'kysely';
import { ENFORCEMENT_CHANNEL } from '../../src/enforcement/changes.ts';
import type { CallerBody } from '../../src/enforcement/schemas.ts';
import { createEnforcementState } from '../../src/enforcement/state.ts';
import { openChangeFeed } from '../../src/platform/database/change-feed.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { RecordedLedger } from '../setup/recorded-ledger.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { median } from './support/statistics.ts';

const CLOCK = { now: () => new Date('2026-11-20T12:00:00.000Z') };
const MOST_MS = 1_000;
const GIVE_UP_MS = 30_000;

/** What gateways are told of ten thousand customers: how many statements reading costs, and how soon a change is seen. */
export const enforcementReadBench: Bench = {
  name: 'enforcement-read',
  title: 'a change until it is seen by another process, over a second',
  target: 1,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const customerCount = quick ? 200 : 10_000;
  const [readCount, changeCount] = quick ? [200, 3] : [20_000, 20];
  const postgres = await startBenchPostgres(cleanup);
  const { database, databaseUrl } = await postgres.createLedger();
  await addCustomers(database, customerCount);
  await postgres.settle();
  const recorded = new RecordedLedger(databaseUrl);
  const feed = openChangeFeed({ databaseUrl, channel: ENFORCEMENT_CHANNEL });
  cleanup.defer(() => recorded.close());
  cleanup.defer(() => feed.close());
  const listening = createEnforcementState({ database: recorded.database, clock: CLOCK, feed });
  const asking = createEnforcementState({ database, clock: CLOCK });
  const actionOf = async (state: typeof listening, place: number) => {
    const { body } = await state.about({ tenantKey: `tenant-${place}`, subject: `user-${place}` });
    return (JSON.parse(body) as CallerBody).action;
  };

  const startedMs = performance.now();
  const whole = await listening.whole();
  const firstMs = performance.now() - startedMs;
  await until(async () => feed.heard() !== null);
  for (let place = 0; place < customerCount; place += 1) await actionOf(listening, place);
  let readMs = 0;
  const used = await recorded.record(async () => {
    const before = performance.now();
    for (let count = 0; count < readCount; count += 1) {
      const place = count % customerCount;
      assertEqual(
        `what is asked of ${place}`,
        await actionOf(listening, place),
        place % 2 === 0 ? 'stop' : 'slow',
      );
      assertEqual('the whole', (await listening.whole()).revision, whole.revision);
    }
    readMs = performance.now() - before;
  });
  assertEqual('statements of reading an unchanged state', used.length, 0);
  note(`${readCount} unchanged answers, no statement`);

  const heard: number[] = [];
  const asked: number[] = [];
  for (let round = 0; round < changeCount; round += 1) {
    for (const [state, times] of [
      [listening, heard],
      [asking, asked],
    ] as const) {
      await actionOf(state, 0);
      const liftedUntil = (await actionOf(state, 0)) === 'stop' ? new Date('2026-11-21T00:00:00.000Z') : null;
      const changedMs = performance.now();
      await sql`update budget_step_events set lifted_until = ${liftedUntil}, lifted_by = ${liftedUntil === null ? null : 'bench'}
                where budget_id = 'bud_0'`.execute(database);
      const wanted = liftedUntil === null ? 'stop' : 'allow';
      await until(async () => (await actionOf(state, 0)) === wanted);
      times.push(performance.now() - changedMs);
    }
  }
  const slowest = Math.max(...heard, ...asked);
  const bytes = (text: string) => `${(Buffer.byteLength(text) / 1024).toFixed(0)} kB`;
  return {
    ratio: slowest / MOST_MS,
    detail:
      `${customerCount} customers with a step each, whole answer ${bytes(whole.body)}, first read ${firstMs.toFixed(0)} ms; ` +
      `${readCount} unchanged answers about one and about all in ${readMs.toFixed(0)} ms without a statement; a change is seen ` +
      `after ${median(heard).toFixed(0)} ms (at most ${Math.max(...heard).toFixed(0)}) where changes are heard of, ` +
      `${median(asked).toFixed(0)} ms (at most ${Math.max(...asked).toFixed(0)}) where they are asked after`,
  };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const startedMs = performance.now(); !(await isSo()); ) {
    if (performance.now() - startedMs > GIVE_UP_MS) throw new Error('a change was never seen');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Half of them stopped, half slowed down. */
async function addCustomers(database: LedgerDatabase, count: number): Promise<void> {
  await sql`
    insert into customers (customer_id, tenant_key, name, synced_at)
    select 'customer-' || place, 'tenant-' || place, 'Customer ' || place, now() from generate_series(0, ${count - 1}::int) as place`.execute(
    database,
  );
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select 'user-' || place, 'tenant-' || place, 'customer-' || place, 'tenant', now(), now()
    from generate_series(0, ${count - 1}::int) as place`.execute(database);
  const step = sql`case when place % 2 = 0 then '{"action":"stop","sharePermille":1000,"on":"actual"}'::jsonb
    else '{"action":"slow","sharePermille":1000,"on":"actual","tokensPerMinute":1000}'::jsonb end`;
  await sql`
    insert into budgets (budget_id, name, scope, customer_id, per_user, period, measure, limit_count, steps, created_at, created_by,
      changed_at, judge_at)
    select 'bud_' || place, 'Budget ' || place, 'customer', 'customer-' || place, false, 'month', 'tokens', 1000,
      jsonb_build_array(${step}), now(), 'bench', now(), now() from generate_series(0, ${count - 1}::int) as place`.execute(
    database,
  );
  await sql`
    insert into budget_step_events (budget_id, customer_id, subject, window_start, window_end, step_key, step, reached_at, used,
      effective_limit)
    select 'bud_' || place, '', '', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z', 'actual-1000', ${step}, now(), 1000, 1000
    from generate_series(0, ${count - 1}::int) as place`.execute(database);
}
