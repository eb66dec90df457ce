import { runStep, STEP_NAMES } from '../../jobs/queue/steps.ts';
import { type SandboxHandle, startSandboxThread } from '../../sandbox/start-thread.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { readClosedMonths } from '../../src/closing/months.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { createBenchDependencies } from './support/job-dependencies.ts';

const START_MS = Date.UTC(2026, 9, 1);
const PERIOD_END_MS = START_MS + 1.5 * DAY_MS;
/** What Stripe allows for reads, and again for writes, in live mode; here it is for both together. */
const LIMIT_CALLS_PER_SECOND = 100;
/** What we allow ourselves: below the limit, so that jitter on the way does not turn into refusals. */
const OWN_CALLS_PER_SECOND = 98;
const LATENCY_MS = 80;
/** From the end of the lag to the last final invoice, in virtual time. */
const LONGEST_MS = 30 * MINUTE_MS;

/**
 * The real steps from usage to certificates, for invoices whose periods end in the same hour. What is measured is the
 * close itself, once the source has been waited for: comparing, describing and finalizing every draft.
 */
export const closeMakespanBench: Bench = {
  name: 'close-makespan',
  title: `time to close invoices of the same hour, over calls / ${LIMIT_CALLS_PER_SECOND} per second`,
  target: 1.2,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const invoiceCount = quick ? 40 : 1_000;
  const scenario = {
    seed: 1,
    dayCount: 2,
    customerCount: invoiceCount,
    userCount: invoiceCount,
    startMs: START_MS,
    story: 'same_hour' as const,
  };
  const postgres = await startBenchPostgres(cleanup);
  const sandbox = await startSandboxThread({
    scenario,
    stateDirectory: null,
    latencyMs: LATENCY_MS,
    gracePeriodHours: 72,
    stripe: { otherCallsPerSecond: LIMIT_CALLS_PER_SECOND },
  });
  cleanup.defer(() => sandbox.close());
  const { database } = await postgres.createLedger();
  const clock = new VirtualClock(START_MS);
  const { addresses } = sandbox;
  const deps = createBenchDependencies({
    environment: {
      AZURE_LOGS_ENDPOINT: addresses.azureUrl,
      OPENMETER_URL: addresses.openMeterUrl,
      STRIPE_API_BASE: addresses.stripeUrl,
      STRIPE_INVOICE_CALLS_PER_SECOND: String(OWN_CALLS_PER_SECOND),
      COLLECT_START: new Date(START_MS).toISOString(),
    },
    database,
    clock,
  });
  const moveTo = async (nowMs: number) => {
    await sandbox.advanceTo(nowMs);
    clock.advanceTo(nowMs);
  };
  const lagEndMs = PERIOD_END_MS + deps.settings.closeSourceWaitMs + deps.settings.collectLagMs;
  for (const nowMs of approach(lagEndMs)) {
    await moveTo(nowMs);
    for (const name of STEP_NAMES) await runStep(deps, name);
    note(`${new Date(nowMs).toISOString().slice(0, 16)}: all steps ran`);
  }

  await moveTo(lagEndMs);
  await sandbox.runWithRealTime();
  clock.runWithRealTime();
  const calls = { readCount: 0, writeCount: 0, throttledCount: 0 };
  let closingMs = 0;
  for (;;) {
    for (const name of STEP_NAMES) {
      if (name !== 'close-invoices') {
        await runStep(deps, name);
        continue;
      }
      const { stripe: before } = await sandbox.readCalls();
      const startedMs = performance.now();
      await runStep(deps, name);
      const runMs = performance.now() - startedMs;
      const { stripe: after } = await sandbox.readCalls();
      const madeCount = after.readCount - before.readCount + after.writeCount - before.writeCount;
      // A look that finds nothing due yet takes its time from nobody: the invoices wait for Stripe's sums.
      if (madeCount > 0) closingMs += runMs;
      note(`close-invoices: ${madeCount} calls in ${(runMs / 1_000).toFixed(1)} s`);
      calls.readCount += after.readCount - before.readCount;
      calls.writeCount += after.writeCount - before.writeCount;
      calls.throttledCount += after.throttledCount - before.throttledCount;
    }
    const [month] = await readClosedMonths(database);
    note(
      `${minutesSince(lagEndMs, clock)} after the lag: ${month?.openCount} of ${month?.invoiceCount} open`,
    );
    if (month?.openCount === 0) break;
    if (clock.nowMs() - lagEndMs > 2 * LONGEST_MS) throw new Error(`${month?.openCount} invoices stay open`);
    // The next tick of the schedule.
    await moveTo(clock.nowMs() + MINUTE_MS);
  }
  const virtualMs = clock.nowMs() - lagEndMs;
  await check(sandbox, invoiceCount);
  const [month] = await readClosedMonths(database);
  assertEqual('invoices closed', month?.invoiceCount, invoiceCount);
  assertEqual('finalized by us and in time', month?.inTimeCount, invoiceCount);
  assertEqual('clean certificates', month?.cleanCount, invoiceCount);
  if (virtualMs > LONGEST_MS)
    throw new Error(`the last invoice was final ${minutesSince(lagEndMs, clock)} after`);

  const callCount = calls.readCount + calls.writeCount;
  const idealMs = (callCount / LIMIT_CALLS_PER_SECOND) * 1_000;
  return {
    ratio: closingMs / idealMs,
    detail:
      `${invoiceCount} invoices of one hour, all finalized with clean certificates ${minutesSince(lagEndMs, clock)} of virtual time ` +
      `after the lag's end (bound 30 min); limit ${LIMIT_CALLS_PER_SECOND}/s for reads and writes together, own pace ` +
      `${OWN_CALLS_PER_SECOND}/s, latency ${LATENCY_MS} ms: ${calls.writeCount} writes and ${calls.readCount} reads ` +
      `(${(calls.readCount / invoiceCount).toFixed(2)} an invoice; Stripe rations reads), ${calls.throttledCount} answers 429, ` +
      `${toSeconds(closingMs)} s against ideal ${toSeconds(idealMs)} s; at the default pace of 20/s that is ` +
      `${(callCount / 20 / 60).toFixed(1)} min`,
  };
}

/** Usage comes, periods end, drafts are claimed, and the last hours settle: all but what must wait for the lag. */
function approach(lagEndMs: number): number[] {
  return [
    ...[0, 12, 24, 35].map((hours) => START_MS + hours * HOUR_MS),
    ...[3, 30, 65, 100].map((minutes) => PERIOD_END_MS + minutes * MINUTE_MS),
    lagEndMs - 5 * MINUTE_MS,
  ];
}

async function check(sandbox: SandboxHandle, invoiceCount: number): Promise<void> {
  const { invoices } = await sandbox.readTotals();
  assertEqual('invoices at Stripe', invoices.length, invoiceCount);
  assertEqual('drafts left', invoices.filter(({ status }) => status === 'draft').length, 0);
}

const minutesSince = (sinceMs: number, clock: VirtualClock) =>
  `${((clock.nowMs() - sinceMs) / MINUTE_MS).toFixed(1)} min`;

const toSeconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(1);
