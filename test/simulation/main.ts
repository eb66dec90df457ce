import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { readArguments, type SimulationArguments } from './arguments.ts';
import { startSimulationServer } from './server.ts';
import type { SimulationResult } from './simulate.ts';

interface Totals {
  seeds: number;
  violations: number;
  events: number;
  crashes: number;
  seconds: number;
}

/** Hands out seeds to threads as they become free; each seed is the same whoever plays it. */
async function play(
  options: SimulationArguments,
  serverUrl: string,
  onResult: (result: SimulationResult) => void,
): Promise<void> {
  let next = options.firstSeed;
  const end = options.firstSeed + options.seedCount;
  const threads = Array.from({ length: Math.min(options.workerCount, options.seedCount) }, (_, index) => {
    const workerData = { serverUrl, name: `simulation_${index + 1}`, stepCount: options.stepCount };
    const worker = new Worker(new URL('./worker-thread.ts', import.meta.url), { workerData });
    return new Promise<void>((resolve, reject) => {
      worker.on('message', (result: SimulationResult | null) => {
        if (result !== null) onResult(result);
        worker.postMessage(next < end ? next : null);
        next += 1;
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
    });
  });
  await Promise.all(threads);
}

function describeFailure(result: SimulationResult): string {
  return [
    `Seed ${result.seed} broke a promise (replay it with: npm run sim -- --seed ${result.seed}):`,
    ...result.violations.slice(0, 10).map((violation) => `  ${violation}`),
    'The last steps:',
    ...result.lastSteps,
  ].join('\n');
}

/** Two runs over the same seeds must give the same traces, whoever played which. */
const traces = new Map<number, string>();
const options = readArguments(process.argv.slice(2));
const startedMs = performance.now();
const server = await startSimulationServer();
// The server is a process of its own and would outlive us.
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => server.stop().finally(() => process.exit(status)));
}
const totals: Totals = { seeds: 0, violations: 0, events: 0, crashes: 0, seconds: 0 };
try {
  await play(options, server.databaseUrl, (result) => {
    totals.seeds += 1;
    traces.set(result.seed, result.traceHash);
    totals.violations += result.violations.length;
    totals.events += result.eventCount;
    totals.crashes += result.crashCount;
    if (result.violations.length > 0) process.stderr.write(`${describeFailure(result)}\n`);
    if (totals.seeds % 50 === 0) process.stderr.write(`${totals.seeds} of ${options.seedCount} seeds\n`);
  });
} finally {
  await server.stop();
}
const inOrder = [...traces].sort(([one], [other]) => one - other).map(([, hash]) => hash);
process.stderr.write(`Traces: ${createHash('sha256').update(inOrder.join()).digest('hex').slice(0, 16)}\n`);
totals.seconds = Math.round((performance.now() - startedMs) / 100) / 10;
const { seeds, violations, events, crashes, seconds } = totals;
process.stdout.write(
  options.json
    ? `${JSON.stringify(totals)}\n`
    : `${seeds} seeds, ${violations} violations, ${events} events, ${crashes} crashes, ${seconds} s\n`,
);
process.exitCode = violations > 0 ? 1 : 0;
