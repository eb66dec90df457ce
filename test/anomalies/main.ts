import { renderTable } from '../../src/platform/terminal/output.ts';
import { judgeSeed, type SeedFigures } from './figures.ts';
import { EVENT_KINDS } from './traffic.ts';

// `npm run anomalies [-- FIRST LAST]`: what both rules find of events planted by seed, and what they tell for nothing.
const [first, last] = [Number(process.argv[2] ?? 101), Number(process.argv[3] ?? 105)];
const all: SeedFigures[] = [];
for (let seed = first; seed <= last; seed += 1) {
  const figures = judgeSeed(seed);
  all.push(figures);
}
const rows = all.flatMap((figures) => [rowOf(figures, 'sigma'), rowOf(figures, 'ours')]);
process.stdout.write(
  `${renderTable(['seed', 'rule', 'told', 'rightly', 'precision', 'recall', ...EVENT_KINDS, 'loops and scrapers in the first hour'], rows, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])}\n`,
);
if (process.argv.includes('--misses'))
  for (const { misses } of all) for (const miss of misses) process.stdout.write(`${miss}\n`);
process.exitCode = all.every(({ isKept }) => isKept) ? 0 : 1;

function rowOf({ seed, rules }: SeedFigures, rule: 'sigma' | 'ours'): string[] {
  const { toldCount, rightCount, precision, recall, foundByKind, firstHour } = rules[rule];
  return [
    String(seed),
    rule === 'sigma' ? '2 sigma' : 'ours',
    String(toldCount),
    String(rightCount),
    precision.toFixed(2),
    recall.toFixed(2),
    ...EVENT_KINDS.map((kind) => foundByKind[kind]),
    firstHour,
  ];
}
