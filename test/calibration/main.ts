import { formatDecimal } from '../../pricing/money.ts';
import { type Calibration, isCalibrated } from '../../pricing/previews/calibration.ts';
import { renderTable } from '../../src/platform/terminal/output.ts';
import { judgeWorld } from './judge.ts';
import { WORLDS } from './worlds.ts';

// `npm run calibration [-- SEEDS]`: how well projections keep what they say, world by world.
const seedCount = Number(process.argv[2] ?? 2_000);
const seeds = Array.from({ length: seedCount }, (_, place) => place + 1);
const rows: string[][] = [];
let failedCount = 0;
for (const atDay of [5, 10, 15, 20]) {
  for (const world of WORLDS) {
    const { lines, total } = judgeWorld(world, { seeds, atDay });
    const isKept = isCalibrated(lines) && isCalibrated(total);
    if (world.isJudged && !isKept) failedCount += 1;
    const verdict = !world.isJudged ? 'not judged' : isKept ? 'kept' : 'NOT KEPT';
    rows.push([world.name, String(atDay), ...show(lines), ...show(total), verdict]);
  }
}
process.stdout.write(
  `${renderTable(
    ['world', 'day', 'lines', 'bias', 'above p50', 'held', 'totals', 'bias', 'above p50', 'held', ''],
    rows,
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  )}\n`,
);
process.exitCode = failedCount === 0 ? 0 : 1;

function show({ caseCount, ...parts }: Calibration): string[] {
  return [
    String(caseCount),
    ...[parts.biasPermille, parts.abovePermille, parts.heldPermille].map((part) =>
      part === null ? '-' : `${formatDecimal(part, 1)} %`,
    ),
  ];
}
