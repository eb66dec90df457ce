import { parseArgs } from 'node:util';
import { anomalyHourBench } from './anomaly-hour.ts';
import { backfillMemoryBench } from './backfill-memory.ts';
import { type Bench, type BenchResult, judge } from './bench.ts';
import { closeEvidenceBench } from './close-evidence.ts';
import { closeMakespanBench } from './close-makespan.ts';
import { collectBench } from './collect.ts';
import { consolePageBench } from './console-page.ts';
import { enforcementReadBench } from './enforcement-read.ts';
import { rollupGrowthBench, statusGrowthBench } from './growth.ts';
import { portalPageBench } from './portal-page.ts';
import { previewBench } from './preview.ts';
import { pushBench } from './push.ts';
import { quotesBench, quotesTailBench } from './quotes.ts';
import { ratingBench } from './rating.ts';
import { ratingPeerBench } from './rating-peer.ts';
import { reconcileReadsBench } from './reconcile-reads.ts';
import { recoveryBench } from './recovery.ts';
import { replayBench } from './replay.ts';
import { scenariosBench } from './scenarios.ts';
import { statementBench } from './statement.ts';
import { Cleanup } from './support/cleanup.ts';
import { renderResults } from './support/table.ts';

/** Every bench of the house, in the order of the way a token travels. A new one adds its line here. */

const BENCHES: readonly Bench[] = [
  collectBench,
  backfillMemoryBench,
  pushBench,
  recoveryBench,
  replayBench,
  reconcileReadsBench,
  closeMakespanBench,
  closeEvidenceBench,
  quotesBench,
  quotesTailBench,
  ratingBench,
  ratingPeerBench,
  previewBench,
  scenariosBench,
  statementBench,
  rollupGrowthBench,
  statusGrowthBench,
  anomalyHourBench,
  consolePageBench,
  portalPageBench,
  enforcementReadBench,
];
const STOP_TIMEOUT_MS = 30_000;

const HELP = `npm run bench                       a table of all benches
npm run bench -- --json             one JSON object a line instead
npm run bench -- --only <name>      one bench: ${BENCHES.map(({ name }) => name).join(', ')}
npm run bench -- --quick            smaller sizes, to see that everything runs; no verdict
`;

interface Choice {
  benches: readonly Bench[];
  json: boolean;
  quick: boolean;
}

/** @returns null when only help was asked for. @throws Error for what it does not understand */
function readChoice(): Choice | null {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  if (values.help) return null;
  const benches = BENCHES.filter(({ name }) => values.only === undefined || name === values.only);
  if (benches.length === 0) {
    const names = BENCHES.map(({ name }) => name).join(', ');
    throw new Error(`There is no bench "${values.only}". There are: ${names}`);
  }
  return { benches, json: values.json, quick: values.quick };
}

/** Ends the process when it was told to stop, once nothing that the bench started is left. */
async function runBench(bench: Bench, quick: boolean): Promise<BenchResult> {
  const cleanup = new Cleanup();
  let exitCode: number | null = null;
  // The signal often comes twice, to the process and to its group; the second must not end the cleaning up.
  const stop = (signal: NodeJS.Signals) => {
    if (exitCode !== null) return;
    exitCode = signal === 'SIGINT' ? 130 : 143;
    // What the bench stands on is taken away; it then ends with an error that says nothing new.
    cleanup.run().catch(() => {});
    setTimeout(() => process.exit(exitCode), STOP_TIMEOUT_MS).unref();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  const note = (text: string) => process.stderr.write(`${bench.name}: ${text}\n`);
  try {
    return judge(bench, await bench.run({ quick, cleanup, note }), quick);
  } finally {
    await cleanup.run();
    process.off('SIGINT', stop).off('SIGTERM', stop);
    if (exitCode !== null) process.exit(exitCode);
  }
}

/** Exit status 1 when a bench did not do its work correctly; a target that is missed is said, not punished. */
async function main(): Promise<void> {
  const choice = readChoice();
  if (choice === null) {
    process.stdout.write(HELP);
    return;
  }
  const results: BenchResult[] = [];
  for (const bench of choice.benches) {
    try {
      const result = await runBench(bench, choice.quick);
      results.push(result);
      if (choice.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    } catch (error) {
      process.exitCode = 1;
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.stderr.write(`${bench.name}: failed: ${reason}\n`);
    }
  }
  if (!choice.json && results.length > 0) process.stdout.write(`${renderResults(results)}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
