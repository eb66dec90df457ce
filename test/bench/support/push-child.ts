import { pushUsage } from '../../../jobs/push/push-usage.ts';
import { openLedger } from '../../../src/platform/database/database.ts';
import { createBenchDependencies } from './job-dependencies.ts';

/** What the process that pushes is given, as JSON in its first argument. */
export interface PushOrder {
  stripeUrl: string;
  databaseUrl: string;
  nowMs: number;
  callsPerSecond: number;
}

/** What it prints as its only line, unless it is killed. */
export interface PushReport {
  plannedCount: number;
  deliveredCount: number;
  /** Of the delivered ones, those that Stripe had before. */
  duplicateCount: number;
  refusedCount: number;
}

const order = JSON.parse(process.argv[2] ?? '') as PushOrder;
const database = openLedger({ databaseUrl: order.databaseUrl, maxConnectionCount: 10 });
const deps = createBenchDependencies({
  environment: {
    OPENMETER_URL: order.stripeUrl,
    STRIPE_API_BASE: order.stripeUrl,
    STRIPE_CALLS_PER_SECOND: String(order.callsPerSecond),
  },
  database,
  clock: { now: () => new Date(order.nowMs) },
});
const { plannedCount, deliveredCount, duplicateCount, refusedCount } = await pushUsage(deps);
const report: PushReport = { plannedCount, deliveredCount, duplicateCount, refusedCount };
await database.destroy();
process.stdout.write(`${JSON.stringify(report)}\n`);
