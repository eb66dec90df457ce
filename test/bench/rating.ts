import { rateQuantity } from '../../pricing/rating/rating.ts';
import { oracleLines } from '../pricing/rating-oracle.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { createRateLines, type RateLine, type RateTotals, rateWithDecimals } from './support/rate-lines.ts';
import { describeSpread, median, toTwoDecimals } from './support/statistics.ts';

const ROUND_COUNT = 9;

/** Lines of invoices through our rating, and through the same rules on decimal.js. */
export const ratingBench: Bench = {
  name: 'rating',
  title: 'time to rate lines, over decimal.js',
  target: 0.1,
  better: 'lower',
  run,
};

async function run({ quick, note }: BenchContext): Promise<Measurement> {
  const lines = createRateLines(quick ? 5_000 : 100_000);
  const expected = rateWithOracle(lines);
  const own: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < (quick ? 3 : ROUND_COUNT); round += 1) {
    own.push(measure(() => rateLines(lines), expected));
    theirs.push(measure(() => rateWithDecimals(lines), expected));
    note(
      `round ${round + 1}: ${toTwoDecimals(own.at(-1) ?? 0)} ms and ${toTwoDecimals(theirs.at(-1) ?? 0)} ms`,
    );
  }
  return {
    ratio: median(own) / median(theirs),
    detail:
      `${lines.length} lines at 48 prices, half of them tiered; ours ${describeSpread(own, toTwoDecimals)} ms, ` +
      `decimal.js ${describeSpread(theirs, toTwoDecimals)} ms; both equal the oracle: ${expected.minor} minor units, ` +
      `${expected.picoMinor} pico`,
  };
}

/** Milliseconds. */
function measure(work: () => RateTotals, expected: RateTotals): number {
  const startedMs = performance.now();
  const totals = work();
  const milliseconds = performance.now() - startedMs;
  assertEqual('pico minor units', totals.picoMinor, expected.picoMinor);
  assertEqual('minor units', totals.minor, expected.minor);
  return milliseconds;
}

function rateLines(lines: readonly RateLine[]): RateTotals {
  let picoMinor = 0n;
  let minor = 0n;
  for (const { quantity, price } of lines) {
    for (const line of rateQuantity(quantity, price)) {
      picoMinor += line.amountPicoMinor;
      minor += line.amountMinor;
    }
  }
  return { picoMinor, minor };
}

function rateWithOracle(lines: readonly RateLine[]): RateTotals {
  let picoMinor = 0n;
  let minor = 0n;
  for (const { quantity, price } of lines) {
    for (const line of oracleLines(quantity, price)) {
      picoMinor += line.exact;
      minor += line.minor;
    }
  }
  return { picoMinor, minor };
}
