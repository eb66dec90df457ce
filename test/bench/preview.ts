import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import { createApp } from '../../src/service/app.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { startBenchPostgres } from './support/bench-postgres.ts';
import { addPreviewMonth, sumMonth } from './support/preview-month.ts';
import { describeSpread, median } from './support/statistics.ts';

/** November: 720 hours. */
const START_MS = Date.UTC(2026, 10, 1);
const MODEL_COUNT = 8;
const SUBJECT_COUNT = 200;
const UNPUSHED_HOUR_COUNT = 3;

/** A whole preview through the API against the one aggregate query that no preview can do without. */
export const previewBench: Bench = {
  name: 'preview',
  title: 'preview of a month, over the aggregate query it needs',
  target: 1.5,
  better: 'lower',
  run,
};

async function run({ quick, cleanup, note }: BenchContext): Promise<Measurement> {
  const hourCount = quick ? 72 : 720;
  const roundCount = quick ? 3 : 9;
  const postgres = await startBenchPostgres(cleanup);
  const { database } = await postgres.createLedger();
  await addPreviewMonth(database, {
    startMs: START_MS,
    hourCount,
    modelCount: MODEL_COUNT,
    subjectCount: SUBJECT_COUNT,
    unpushedHourCount: UNPUSHED_HOUR_COUNT,
  });
  await postgres.settle();
  note(`${hourCount * MODEL_COUNT * SUBJECT_COUNT} settled rows`);

  const window = { start: new Date(START_MS), end: new Date(START_MS + hourCount * HOUR_MS) };
  const clock = new VirtualClock(window.end.getTime() - HOUR_MS / 2);
  // No reads are left for the day: so the answer is all our own, and no outside system is in the figure.
  const settings = { ...DEFAULT_API_SETTINGS, stripePreviewReadsPerDay: 0 };
  const billing = createStripe({ STRIPE_API_KEY: 'sk_test_unused', STRIPE_API_BASE: 'http://127.0.0.1:9' });
  const app = createApp({ database, billing, clock, version: 'bench', settings });
  const { plainKey } = await createApiKey(database, {
    name: 'bench',
    scopes: ['sales'],
    actor: 'test',
    now: clock.now(),
  });
  const preview = async () => {
    const response = await app.request('/v1/customers/bench/invoice-preview', {
      headers: { authorization: `Bearer ${plainKey}` },
    });
    return { status: response.status, body: (await response.json()) as InvoicePreviewBody };
  };

  const seconds = { query: [] as number[], preview: [] as number[] };
  let rowCount = 0;
  let first = { seconds: 0, ratio: 0 };
  for (let round = 0; round <= roundCount; round += 1) {
    // As after the pushes of every hour: the day that they belong to is summed again.
    await database
      .deleteFrom('statement_slices')
      .where('slice_end', '>', new Date(clock.now().getTime() - DAY_MS))
      .execute();
    const queryStart = performance.now();
    const needed = await sumMonth(database, window);
    const previewStart = performance.now();
    const { status, body } = await preview();
    const end = performance.now();
    assertEqual('status of the preview', status, 200);
    const lines = body.subscriptions[0]?.lines ?? [];
    assertEqual('lines', lines.length, MODEL_COUNT * 3);
    const tokenCount = lines.reduce((sum, line) => sum + BigInt(line.quantity ?? 0), 0n);
    assertEqual('tokens in the preview', tokenCount, needed.tokenCount);
    rowCount = needed.rowCount;
    const previewSeconds = (end - previewStart) / 1_000;
    // The first round warms both, and its preview is the only one that sums all days.
    if (round === 0)
      first = { seconds: previewSeconds, ratio: previewSeconds / ((previewStart - queryStart) / 1_000) };
    if (round === 0) continue;
    seconds.query.push((previewStart - queryStart) / 1_000);
    seconds.preview.push(previewSeconds);
  }
  const ratios = seconds.preview.map((value, index) => value / (seconds.query[index] ?? Number.NaN));
  const show = (value: number) => `${(value * 1_000).toFixed(0)} ms`;
  return {
    ratio: median(ratios),
    detail:
      `${hourCount} hours x ${MODEL_COUNT} models x ${SUBJECT_COUNT} subjects, ${rowCount} groups, ${roundCount} rounds: ` +
      `query ${describeSpread(seconds.query, show)}, preview ${describeSpread(seconds.preview, show)}, ` +
      `ratio ${describeSpread(ratios, (value) => value.toFixed(2))}; the first preview, which sums every day, ` +
      `${show(first.seconds)}, ratio ${first.ratio.toFixed(2)}; in the others the last day is summed again, as after every hour's pushes`,
  };
}
