import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';

/** In docs/pictures. */
export const GROWTH_FILE = 'rollup-growth.svg';

const [WIDTH, HEIGHT] = [660, 250];
const PLOT = { left: 64, right: 600, top: 28, bottom: 196 };
const MOST_GROWTH = 1.1;
/** As the table of figures says it: days of history, rows of hourly usage, and what one new hour then cost. */
const ROW =
  /^\| rollup-growth \|.*after ([\d, and]+) days \(([\d, and]+) rows of hourly usage\): ([\d, ]+?)(?:;| \|)/m;

/**
 * The curve of the bench `rollup-growth`, from the figures that `docs/benchmarks.md` has of it, so that both say the same.
 * @throws Error where its row cannot be read
 */
export function drawGrowth(benchmarks: string): string {
  const [, days, , rows] = ROW.exec(benchmarks) ?? [];
  if (days === undefined || rows === undefined)
    throw new Error('docs/benchmarks.md has no figures of rollup-growth.');
  const points = numbersOf(days).map((day, index) => ({ day, rowCount: numbersOf(rows)[index] ?? 0 }));
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) throw new Error('rollup-growth has no figures.');
  const limit = first.rowCount * MOST_GROWTH;
  const x = scaleLog([first.day, last.day], [PLOT.left + 40, PLOT.right - 40]);
  const y = scaleLinear([0, limit], [PLOT.bottom, PLOT.top]).nice(4);
  const path = line<(typeof points)[number]>()
    .x(({ day }) => x(day))
    .y(({ rowCount }) => y(rowCount))
    .digits(1)(points);
  const title = `Rows for one new hour after ${points.map(({ day }) => day).join(', ')} days of history`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${title}: ${points.map(({ rowCount }) => grouped(rowCount)).join(', ')}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#ffffff"/>
<text x="12" y="18" font-weight="600" fill="#1b2430">${title}</text>
${y
  .ticks(4)
  .map((tick) => rule(y(tick), grouped(tick), '#d9dee5'))
  .join('\n')}
${rule(y(limit), '× 1.1', '#c2475b', '4 4')}
${points
  .map(
    ({ day, rowCount }) =>
      `<circle cx="${x(day).toFixed(1)}" cy="${y(rowCount).toFixed(1)}" r="4" fill="#0b5c74"/><text x="${x(day).toFixed(1)}" y="${(y(rowCount) + 20).toFixed(1)}" text-anchor="middle" fill="#1b2430">${grouped(rowCount)}</text><text x="${x(day).toFixed(1)}" y="${PLOT.bottom + 18}" text-anchor="middle" fill="#556170">${day} ${day === 1 ? 'day' : 'days'}</text>`,
  )
  .join('\n')}
<path d="${path}" fill="none" stroke="#0b5c74" stroke-width="2"/>
<text x="12" y="${HEIGHT - 10}" fill="#556170">Read, written and removed, by Postgres’s own statistics; the dashed line is the most that is allowed.</text>
</svg>
`;
}

function rule(at: number, text: string, color: string, dashes = ''): string {
  const dashed = dashes === '' ? '' : ` stroke-dasharray="${dashes}"`;
  const labelled = dashes === '' ? [PLOT.left - 8, 'end'] : [PLOT.right + 6, 'start'];
  return `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}" stroke="${color}"${dashed}/><text x="${labelled[0]}" y="${(at + 4).toFixed(1)}" text-anchor="${labelled[1]}" fill="#556170">${text}</text>`;
}

function numbersOf(text: string): number[] {
  return [...text.matchAll(/\d[\d,]*\d|\d/g)].map(([digits]) => Number(digits.replaceAll(',', '')));
}

const grouped = (count: number) => count.toLocaleString('en');
