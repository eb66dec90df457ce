import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { syncCatalog } from '../../jobs/catalog/sync-catalog.ts';
import { createRandom } from '../../sandbox/random.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import type { Cleanup } from './support/cleanup.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';
import type { PushOrder, PushReport } from './support/push-child.ts';
import { addSettledUsage, assignSubjects, readPushTotals } from './support/settled-usage.ts';
import { describeSpread, median } from './support/statistics.ts';
import type { StripeThreadOptions, StripeThreadReport } from './support/stripe-thread.ts';
import { type StandInThread, startStandInThread } from './support/thread.ts';

const START_MS = Date.UTC(2026, 9, 1);
const STRIPE_THREAD = new URL('./support/stripe-thread.ts', import.meta.url);
const CHILD = new URL('./support/push-child.ts', import.meta.url).pathname;
const SEED = 1;
const LIMIT_CALLS_PER_SECOND = 1_000;
const LATENCY_MS = 20;
/** Near the limit, where most is under way at a kill, and so far below it that hardly any call is refused. */
const OWN_CALLS_PER_SECOND = 950;
const HOURS_PER_KILL = 20;
/** The kill falls between these shares of the calls. */
const EARLIEST_SHARE = 0.4;
const LATEST_SHARE = 0.6;
/** Several times the latency: whatever the dead sender had sent is taken in and answered by then. */
const QUIET_MS = 250;
const PATIENCE_MS = 90_000;

/**
 * A process that pushes is killed about half-way, and another one finishes. What it asks again is what was
 * under way, and what was answered but not yet on record.
 */
export const recoveryBench: Bench = {
  name: 'recovery',
  title: 'outside calls after a kill -9 in mid-push, over the pushes that Stripe did not have yet',
  target: 1.02,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const customerCount = quick ? 100 : 1_000;
  const killCount = quick ? 1 : 3;
  const pushCount = customerCount * HOURS_PER_KILL;
  const nowMs = START_MS + 3 * DAY_MS - 1;
  const receivedCalls = new SharedArrayBuffer(4);
  const received = new Int32Array(receivedCalls);
  const options: StripeThreadOptions = {
    scenario: { seed: SEED, dayCount: 3, customerCount, userCount: customerCount, startMs: START_MS },
    nowMs,
    callsPerSecond: LIMIT_CALLS_PER_SECOND,
    latencyMs: LATENCY_MS,
    receivedCalls,
  };
  const postgres = await startBenchPostgres(cleanup);
  const stripe = await startStandInThread<StripeThreadReport>(STRIPE_THREAD, options, cleanup);
  const { database, databaseUrl } = await postgres.createLedger();
  const deps = createBenchDependencies({
    environment: { OPENMETER_URL: stripe.url, STRIPE_API_BASE: stripe.url },
    database,
    clock: new VirtualClock(nowMs),
  });
  const { customerCount: syncedCount } = await syncCatalog(deps);
  assertEqual('customers read from Stripe', syncedCount, customerCount);
  await assignSubjects(database);

  const order: PushOrder = {
    stripeUrl: stripe.url,
    databaseUrl,
    nowMs,
    callsPerSecond: OWN_CALLS_PER_SECOND,
  };
  const random = createRandom(SEED);
  const ratios: number[] = [];
  const repeats: number[] = [];
  let throttledCount = 0;
  for (let kill = 0; kill < killCount; kill += 1) {
    await addSettledUsage(database, {
      startMs: START_MS,
      firstHour: kill * HOURS_PER_KILL,
      hourCount: HOURS_PER_KILL,
    });
    await postgres.settle();
    const before = countCalls(await stripe.report());
    const share = EARLIEST_SHARE + random() * (LATEST_SHARE - EARLIEST_SHARE);
    await killAt(startPushing(order, cleanup), received, before.calls + Math.floor(pushCount * share));
    const atKill = await untilQuiet(stripe, received);
    const remainingCount = pushCount - (atKill.accepted - before.accepted);

    const outcome = await startPushing(order, cleanup).report;
    const after = countCalls(await stripe.report());
    const callCount = after.calls - atKill.calls;
    const repeatCount = after.repeated - atKill.repeated;
    assertEqual('pushes that Stripe accepted', after.accepted - before.accepted, pushCount);
    assertEqual('pushes delivered', outcome.deliveredCount, remainingCount + repeatCount);
    assertEqual('refusals', outcome.refusedCount, 0);
    ratios.push(callCount / remainingCount);
    repeats.push(repeatCount);
    throttledCount += after.throttled - before.throttled;
    note(
      `kill ${kill + 1} after ${atKill.calls - before.calls} calls: ${callCount} calls for ${remainingCount} ` +
        `remaining, ${repeatCount} of them repeats`,
    );
  }

  const { tokensByTenant } = await stripe.report();
  const { totalByTenant } = await readPushTotals(database);
  for (const [tenant, held] of tokensByTenant)
    assertEqual(`tokens that Stripe holds of ${tenant}`, held, totalByTenant.get(tenant) ?? 0n);
  return {
    ratio: median(ratios),
    detail:
      `${killCount} kills between ${EARLIEST_SHARE * 100} and ${LATEST_SHARE * 100} % of ${pushCount} pushes ` +
      `(${customerCount} customers x ${HOURS_PER_KILL} hours), limit ${LIMIT_CALLS_PER_SECOND}/s, latency ` +
      `${LATENCY_MS} ms, own pace ${OWN_CALLS_PER_SECOND}/s: ratio ` +
      `${describeSpread(ratios, (ratio) => ratio.toFixed(4))}, repeated calls ` +
      `${describeSpread(repeats, String)}, each answered without a second charge; ${throttledCount} answers 429; ` +
      'tokens held equal tokens planned for every customer',
  };
}

interface CallCounts {
  calls: number;
  accepted: number;
  throttled: number;
  /** Answered as they were before, or refused as known. */
  repeated: number;
}

/** Of a stand-in that has answered everything it received. @throws Error for an answer that none should get */
function countCalls({ answersByStatus, acceptedKeyCount: accepted }: StripeThreadReport): CallCounts {
  const { 200: sound = 0, 400: refused = 0, 429: throttled = 0, ...others } = answersByStatus;
  assertEqual('other answers', JSON.stringify(others), '{}');
  return { calls: sound + refused + throttled, accepted, throttled, repeated: sound + refused - accepted };
}

interface PushingProcess {
  child: ChildProcess;
  report: Promise<PushReport>;
}

function startPushing(order: PushOrder, cleanup: Cleanup): PushingProcess {
  const { promise: report, resolve, reject } = Promise.withResolvers<PushReport>();
  const child = execFile(process.execPath, [CHILD, JSON.stringify(order)], (error, stdout, stderr) => {
    if (error === null) resolve(JSON.parse(stdout) as PushReport);
    else reject(new Error(`the pushing process failed: ${stderr || error.message}`));
  });
  cleanup.defer(() => void child.kill('SIGKILL'));
  return { child, report };
}

/** @throws Error when the process ends by itself, or never comes so far */
async function killAt(
  { child, report }: PushingProcess,
  received: Int32Array<SharedArrayBuffer>,
  callCount: number,
): Promise<void> {
  const exited = once(child, 'exit');
  let ended: unknown = null;
  report.then(
    () => (ended = new Error('the pushing process was done before its kill')),
    (error) => (ended = error),
  );
  for (const deadlineMs = performance.now() + PATIENCE_MS; Atomics.load(received, 0) < callCount; ) {
    if (ended !== null) throw ended;
    if (performance.now() > deadlineMs) throw new Error('the pushing process did not come to its kill');
    await pause(1);
  }
  child.kill('SIGKILL');
  await exited;
}

/** Counts once nothing comes in any more and everything that came in is answered. */
async function untilQuiet(
  stripe: StandInThread<StripeThreadReport>,
  received: Int32Array<SharedArrayBuffer>,
): Promise<CallCounts> {
  for (const deadlineMs = performance.now() + PATIENCE_MS; performance.now() < deadlineMs; ) {
    const seen = Atomics.load(received, 0);
    await pause(QUIET_MS);
    const counts = countCalls(await stripe.report());
    if (Atomics.load(received, 0) === seen && counts.calls === seen) return counts;
  }
  throw new Error('the stand-in did not come to rest after the kill');
}
