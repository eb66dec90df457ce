import { syncCatalog } from '../../jobs/catalog/sync-catalog.ts';
import { pushUsage } from '../../jobs/push/push-usage.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';
import { addSettledUsage, assignSubjects, readPushTotals } from './support/settled-usage.ts';
import { describeSpread, median, toTwoDecimals } from './support/statistics.ts';
import type { StripeThreadOptions, StripeThreadReport } from './support/stripe-thread.ts';
import { startStandInThread } from './support/thread.ts';

const START_MS = Date.UTC(2026, 9, 1);
const STRIPE_THREAD = new URL('./support/stripe-thread.ts', import.meta.url);
/** What Stripe allows an account in live mode, and about what a call takes there. */
const LIMIT_CALLS_PER_SECOND = 1_000;
const LATENCY_MS = 80;
/** What we allow ourselves: below the limit, so that jitter on the way does not turn into refusals. */
const OWN_CALLS_PER_SECOND = 980;
const HOURS_PER_RUN = 20;

/**
 * The real push job (plan, commit, deliver, record) against the time that the rate limit alone demands.
 * The loop of awaits beside it sends the same kind of events one after the other.
 */
export const pushBench: Bench = {
  name: 'push',
  title: 'time to push customer-hours, over calls / 1,000 per second',
  target: 1.15,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const customerCount = quick ? 100 : 1_000;
  const runCount = quick ? 1 : 3;
  const loopCallCount = quick ? 10 : 50;
  const nowMs = START_MS + 3 * DAY_MS - 1;
  const scenario = {
    seed: 1,
    dayCount: 3,
    customerCount,
    userCount: customerCount,
    startMs: START_MS,
  };
  const options: StripeThreadOptions = {
    scenario,
    nowMs,
    callsPerSecond: LIMIT_CALLS_PER_SECOND,
    latencyMs: LATENCY_MS,
  };
  const postgres = await startBenchPostgres(cleanup);
  const stripe = await startStandInThread<StripeThreadReport>(STRIPE_THREAD, options, cleanup);
  const { database } = await postgres.createLedger();
  const deps = createBenchDependencies({
    environment: {
      OPENMETER_URL: stripe.url,
      STRIPE_API_BASE: stripe.url,
      STRIPE_CALLS_PER_SECOND: String(OWN_CALLS_PER_SECOND),
    },
    database,
    clock: new VirtualClock(nowMs),
  });
  const { customerCount: syncedCount } = await syncCatalog(deps);
  assertEqual('customers read from Stripe', syncedCount, customerCount);
  await assignSubjects(database);

  const makespansMs: number[] = [];
  const loopCallsMs: number[] = [];
  let calls = 0;
  for (let round = 0; round < runCount; round += 1) {
    const firstHour = round * HOURS_PER_RUN;
    await addSettledUsage(database, { startMs: START_MS, firstHour, hourCount: HOURS_PER_RUN });
    await postgres.settle();
    const startedMs = performance.now();
    const outcome = await pushUsage(deps);
    makespansMs.push(performance.now() - startedMs);
    calls = customerCount * HOURS_PER_RUN;
    assertEqual('pushes planned', outcome.plannedCount, calls);
    assertEqual('pushes delivered', outcome.deliveredCount, calls);
    assertEqual('duplicates', outcome.duplicateCount, 0);
    assertEqual('refusals', outcome.refusedCount, 0);
    assertEqual('rows quarantined', outcome.quarantinedRowCount, 0);
    note(`round ${round + 1}: ${calls} calls in ${((makespansMs.at(-1) ?? 0) / 1_000).toFixed(2)} s`);
    loopCallsMs.push(await sendInLoop(deps.billing, await readPushTotals(database), loopCallCount, round));
  }

  const report = await stripe.report();
  const { totalByTenant, loopEvent } = await readPushTotals(database);
  const loopTokens = BigInt(runCount * loopCallCount) * loopEvent.value;
  for (const [tenant, held] of report.tokensByTenant) {
    const own = tenant === loopEvent.tenantKey ? loopTokens : 0n;
    assertEqual(`tokens that Stripe holds of ${tenant}`, held, (totalByTenant.get(tenant) ?? 0n) + own);
  }
  const { 200: deliveredCount = 0, 429: throttledCount = 0, ...others } = report.answersByStatus;
  assertEqual('answers 200', deliveredCount, runCount * (calls + loopCallCount));
  assertEqual('other answers', JSON.stringify(others), '{}');

  const idealMs = (calls / LIMIT_CALLS_PER_SECOND) * 1_000;
  const ratios = makespansMs.map((makespanMs) => makespanMs / idealMs);
  const loopSeconds = loopCallsMs.map((callMs) => (callMs * calls) / 1_000);
  return {
    ratio: median(ratios),
    detail:
      `${runCount} runs of ${calls} customer-hours (${customerCount} customers x ${HOURS_PER_RUN} hours), ` +
      `limit ${LIMIT_CALLS_PER_SECOND}/s, latency ${LATENCY_MS} ms, own pace ${OWN_CALLS_PER_SECOND}/s: ` +
      `makespan ${describeSpread(makespansMs, toSeconds)} s against ideal ${toSeconds(idealMs)} s, ` +
      `ratio ${describeSpread(ratios, toTwoDecimals)}, ${throttledCount} answers 429; ` +
      `a loop of awaits ${describeSpread(loopSeconds, (seconds) => seconds.toFixed(0))} s ` +
      `(scaled from ${loopCallCount} calls a run)`,
  };
}

const toSeconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(2);

/** Sends events of one customer one after the other; answers milliseconds per call. */
async function sendInLoop(
  billing: Parameters<typeof pushUsage>[0]['billing'],
  { loopEvent }: Awaited<ReturnType<typeof readPushTotals>>,
  callCount: number,
  round: number,
): Promise<number> {
  const startedMs = performance.now();
  for (let call = 0; call < callCount; call += 1) {
    await billing.sendMeterEvent({
      eventName: loopEvent.eventName,
      stripeCustomerId: loopEvent.stripeCustomerId,
      value: loopEvent.value,
      identifier: `loop-${round}-${call}`,
      timestamp: new Date(START_MS),
    });
  }
  return (performance.now() - startedMs) / callCount;
}
