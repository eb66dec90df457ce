import { AS_IT_IS, type Scenario } from '../../pricing/simulations/scenario.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readPriceBook, seedPriceBook } from '../../src/prices/book.ts';
import { runSimulation } from '../../src/simulations/run.ts';
import type { SimulationResult } from '../../src/simulations/schemas.ts';
import { insertSimulation } from '../../src/simulations/simulations.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { HeapWatch } from './support/heap-watch.ts';
import { addScenarioUsage, expectedCostUsd } from './support/scenario-usage.ts';
import { median } from './support/statistics.ts';

const START_MS = Date.UTC(2026, 9, 1);
const HOUR_COUNT = 720;
const FEWER_HOURS = 240;
const MAX_RATIO = 1.5;
/** Flat: three times the hours may not cost a tenth more than the smaller run, and some slack of the collector. */
const MAX_HEAP_GROWTH = 1.1;
const HEAP_SLACK_BYTES = 8 * 1024 * 1024;

const SCENARIOS: Scenario[] = [
  { ...AS_IT_IS, name: 'markup', markupPercent: '40' },
  { ...AS_IT_IS, name: 'smaller model', modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4o-mini' }] },
  { ...AS_IT_IS, name: 'without search', withoutFeatures: ['search'] },
  {
    ...AS_IT_IS,
    name: 'cheaper Azure',
    costPrices: [{ model: 'gpt-4o', tokenType: 'completion', usdPerMillion: '8' }],
  },
  {
    ...AS_IT_IS,
    name: 'dearer completion',
    sellPrices: [{ model: '*', feature: '*', tokenType: 'completion', currency: 'usd', perMillion: '20' }],
  },
];

/** Five what-if scenarios over a month of a thousand customers beside one, in the same ledger. */
export const scenariosBench: Bench = {
  name: 'scenarios',
  title: 'five scenarios over a month, over one',
  target: MAX_RATIO,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const customerCount = quick ? 50 : 1_000;
  const roundCount = quick ? 2 : 5;
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  await seedPriceBook(database, new Date(START_MS));
  const rowCount = await addScenarioUsage(database, {
    startMs: START_MS,
    hourCount: HOUR_COUNT,
    customerCount,
  });
  await postgres.settle();
  note(`${rowCount} rows of hourly usage`);
  const cost = await expectedCostUsd(database, await readPriceBook(database));
  // Both sides once for nothing, so that neither pays for cold caches.
  await simulate(database, SCENARIOS.slice(0, 1), HOUR_COUNT);
  await simulate(database, SCENARIOS, HOUR_COUNT);
  const one: number[] = [];
  const five: number[] = [];
  for (let round = 0; round < roundCount; round += 1) {
    // In turn, so that a slow minute of the machine is shared.
    one.push((await simulate(database, SCENARIOS.slice(0, 1), HOUR_COUNT)).seconds);
    const all = await simulate(database, SCENARIOS, HOUR_COUNT);
    five.push(all.seconds);
    assertEqual('customers rated', all.customerCount, customerCount);
    assertEqual('cost of the baseline in USD', all.baselineCost, cost);
    note(`round ${round + 1}: one ${one.at(-1)?.toFixed(2)} s, five ${five.at(-1)?.toFixed(2)} s`);
  }
  const fewer = await simulate(database, SCENARIOS, FEWER_HOURS, true);
  const all = await simulate(database, SCENARIOS, HOUR_COUNT, true);
  const limit = fewer.peakHeapBytes * MAX_HEAP_GROWTH + HEAP_SLACK_BYTES;
  if (!quick && all.peakHeapBytes > limit) {
    throw new Error(`memory grows with the hours: ${all.peakHeapBytes} bytes against ${fewer.peakHeapBytes}`);
  }
  // The fastest of each: whatever else the machine did meanwhile only ever adds.
  const [fastestOne, fastestFive] = [Math.min(...one), Math.min(...five)];
  const ratio = fastestFive / fastestOne;
  const megabytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  return {
    ratio,
    detail:
      `${customerCount} customers, ${HOUR_COUNT} hours, ${rowCount} rows: one scenario ${fastestOne.toFixed(2)} s, ` +
      `five ${fastestFive.toFixed(2)} s (the fastest of ${roundCount} in turn; medians ${median(one).toFixed(2)} and ` +
      `${median(five).toFixed(2)}); peak heap over the start ` +
      `${megabytes(fewer.peakHeapBytes)} for ${FEWER_HOURS} hours, ${megabytes(all.peakHeapBytes)} for ${HOUR_COUNT}`,
  };
}

let simulationCount = 0;

async function simulate(
  database: LedgerDatabase,
  scenarios: Scenario[],
  hourCount: number,
  watchesHeap = false,
) {
  simulationCount += 1;
  const simulationId = `sim_bench_${String(simulationCount).padStart(16, '0')}`;
  const window = { start: new Date(START_MS), end: new Date(START_MS + hourCount * HOUR_MS) };
  const book = await readPriceBook(database);
  const clock = { now: () => window.end };
  await insertSimulation(database, {
    simulationId,
    request: {},
    window,
    priceBookVersion: book.version,
    createdBy: 'bench',
    createdAt: window.end,
  });
  const heap = watchesHeap ? new HeapWatch() : null;
  const startedMs = performance.now();
  const asked = { simulationId, window, scenarios, book, customerIds: null };
  const stored = await runSimulation({ database, clock }, asked, () => heap?.look());
  const seconds = (performance.now() - startedMs) / 1_000;
  const result = stored.result as SimulationResult;
  return {
    seconds,
    peakHeapBytes: heap?.stop() ?? 0,
    customerCount: result.customerCount,
    baselineCost: result.totals[0]?.figures[0]?.cost.amount ?? 'unknown',
  };
}
