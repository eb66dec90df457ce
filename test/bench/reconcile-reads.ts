import { syncCatalog } from '../../jobs/catalog/sync-catalog.ts';
import { reconcile, reconcileWindow } from '../../jobs/reconcile/reconcile.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';
import type { MeterHistoryOptions, MeterHistoryReport } from './support/meter-history-thread.ts';
import { addPushedHistory, readProvenShare } from './support/pushed-history.ts';
import { startStandInThread } from './support/thread.ts';

const START_MS = Date.UTC(2026, 9, 1);
const DAY_COUNT = 31;
const METER_COUNT = 12;
const READ_LIMIT = 500;
/** A planted difference of one hour is found with so many reads after the one that shows it. */
const FURTHER_READ_LIMIT = 2;
const HISTORY_THREAD = new URL('./support/meter-history-thread.ts', import.meta.url);

/** The real reconcile job, hour by hour through a month in which nothing drifts. */
export const reconcileReadsBench: Bench = {
  name: 'reconcile-reads',
  title: `Stripe reads to reconcile a month, over ${READ_LIMIT}`,
  target: 1,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const customerCount = quick ? 20 : 1_000;
  const scenario = {
    seed: 1,
    dayCount: DAY_COUNT,
    customerCount,
    userCount: customerCount,
    startMs: START_MS,
  };
  const postgres = await startBenchPostgres(cleanup);
  const options: MeterHistoryOptions = { scenario, meterCount: METER_COUNT, daysPerPair: quick ? 4 : 10 };
  const stripe = await startStandInThread<MeterHistoryReport>(HISTORY_THREAD, options, cleanup);
  const { events } = await stripe.report();
  note(`Stripe holds ${events.length} hours of ${customerCount} customers and ${METER_COUNT} meters`);
  const { database } = await postgres.createLedger();
  const clock = new VirtualClock(START_MS);
  const deps = createBenchDependencies({
    environment: { OPENMETER_URL: stripe.url, STRIPE_API_BASE: stripe.url },
    database,
    clock,
  });
  const { customerCount: syncedCount } = await syncCatalog(deps);
  assertEqual('customers read from Stripe', syncedCount, customerCount);
  await addPushedHistory(database, events);

  const counts = { pairs: 0, drifts: 0, repairs: 0, claimedReads: 0 };
  const startedMs = performance.now();
  for (let hour = 1; hour <= DAY_COUNT * 24; hour += 1) {
    clock.advanceTo(START_MS + hour * HOUR_MS);
    const outcome = await reconcile(deps);
    counts.pairs += outcome.pairCount;
    counts.drifts += outcome.billingDriftCount;
    counts.repairs += outcome.repairedPushCount;
    counts.claimedReads += outcome.stripeReadCount;
    if (hour % (24 * 7) === 0) note(`${hour / 24} days: ${counts.claimedReads} reads`);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const { summaryReadCount } = await stripe.report();
  assertEqual('reads that the job knows of', counts.claimedReads, summaryReadCount);
  assertEqual('hours that differ', counts.drifts, 0);
  assertEqual('pushes repaired', counts.repairs, 0);
  const proven = await readProvenShare(database);
  assertEqual('pairs', proven.pairCount, customerCount * METER_COUNT);

  const further = await findPlanted();
  return {
    ratio: summaryReadCount / READ_LIMIT,
    detail:
      `${customerCount} customers x ${METER_COUNT} meters, ${DAY_COUNT} days, ${events.length} pushes, a run an hour: ` +
      `${summaryReadCount} reads in ${seconds.toFixed(1)} s; they proved ${proven.provenPairCount} of ${proven.pairCount} pairs ` +
      `and ${(proven.provenTokenShare * 100).toFixed(1)} % of all tokens; ` +
      `a planted hour was found in ${further} reads after the one that showed it`,
  };

  /** One push of the middle of the month says more than Stripe counts. @returns reads after the first */
  async function findPlanted(): Promise<number> {
    const planted = events[Math.floor(events.length / 2)];
    if (planted === undefined) throw new Error('there is no history');
    const windowStart = new Date(planted.hourMs);
    const changed = await database
      .updateTable('meter_pushes')
      .set((column) => ({ delta_token_count: column('delta_token_count', '+', 1n) }))
      .where('stripe_customer_id', '=', planted.stripeCustomerId)
      .where('stripe_meter_id', '=', planted.stripeMeterId)
      .where('window_start', '=', windowStart)
      .returning('customer_id')
      .executeTakeFirstOrThrow();
    clock.advanceTo(START_MS + (DAY_COUNT + 1) * DAY_MS);
    const window = { start: new Date(START_MS), end: clock.now() };
    const outcome = await reconcileWindow(deps, { window, customerId: changed.customer_id });
    assertEqual('pairs of the customer', outcome.pairCount, METER_COUNT);
    assertEqual('hours that differ after planting one', outcome.billingDriftCount, 1);
    const found = await database.selectFrom('billing_drifts').selectAll().executeTakeFirstOrThrow();
    assertEqual('hour found', found.window_start.getTime(), planted.hourMs);
    assertEqual('meter found', found.stripe_meter_id, planted.stripeMeterId);
    const furtherReads = outcome.stripeReadCount - METER_COUNT;
    if (furtherReads > FURTHER_READ_LIMIT) throw new Error(`${furtherReads} further reads for one hour`);
    return furtherReads;
  }
}
