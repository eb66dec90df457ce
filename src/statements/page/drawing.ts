import { html } from 'hono/html';
import { dayShort, groupDigits, modelInWords } from '../../pages/words.ts';
import type { StatementBody } from '../schemas.ts';

/** Colours of the sheet; the models with most tokens get one each, the others share the last. */
const COLOR_COUNT = 8;
const OTHERS = COLOR_COUNT - 1;
/** Units of the drawing; it is stretched to the page's width, so that its words stay their size. */
const DAY_WIDTH = 10;
const BAR_INSET = 1.25;
const HEIGHT = 100;

type Day = StatementBody['days'][number];

/** The month as bars, one for each day, stacked by model. Words are outside of the drawing: they never shrink with it. */
export function monthDrawing({ days }: Pick<StatementBody, 'days'>, idPrefix: string) {
  const ranks = rankModels(days);
  const totals = days.map(tokensOf);
  const most = totals.reduce((highest, total) => (total > highest ? total : highest), 0n);
  if (most === 0n) return '';
  const top = niceTop(most);
  const busiest = days[totals.indexOf(most)];
  const models = [...ranks].filter(([, rank]) => rank < OTHERS || ranks.size === COLOR_COUNT);
  const hasOthers = ranks.size > COLOR_COUNT;
  return html`<figure class="month">
    <div class="scale" aria-hidden="true">
      <span>${shortCount(top)}</span><span>${shortCount(top / 2n)}</span><span>0</span>
    </div>
    <svg class="bars" viewBox="0 0 ${days.length * DAY_WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-labelledby="${idPrefix}-title ${idPrefix}-desc">
      <title id="${idPrefix}-title">Tokens by day, stacked by model</title>
      <desc id="${idPrefix}-desc">${describe(days, totals, busiest, most)}</desc>
      ${[0, 0.5].map((share) => html`<line class="grid" x1="0" x2="${days.length * DAY_WIDTH}" y1="${share * HEIGHT}" y2="${share * HEIGHT}"/>`)}
      ${days.map((day, index) => bar(day, { x: index * DAY_WIDTH, top, ranks }))}
    </svg>
    <ol class="axis" aria-hidden="true">
      ${days.map(({ day }, index) => html`<li>${labelOf(day, index, days.length)}</li>`)}
    </ol>
    <ul class="legend">
      ${models.map(([model, rank]) => html`<li>${swatch(rank)}${modelInWords(model)}</li>`)}
      ${hasOthers ? html`<li>${swatch(OTHERS)}Other models</li>` : ''}
    </ul>
  </figure>`;
}

function bar(day: Day, { x, top, ranks }: { x: number; top: bigint; ranks: ReadonlyMap<string, number> }) {
  const byColor = new Map<number, bigint>();
  for (const { model, tokenCount } of day.models) {
    const color = Math.min(ranks.get(model) ?? OTHERS, OTHERS);
    byColor.set(color, (byColor.get(color) ?? 0n) + atLeastZero(BigInt(tokenCount)));
  }
  let below = 0n;
  const parts = [...byColor]
    .sort(([one], [other]) => one - other)
    .map(([color, tokenCount]) => {
      const height = heightOf(below + tokenCount, top) - heightOf(below, top);
      below += tokenCount;
      return { color, height, y: HEIGHT - heightOf(below, top) };
    })
    .filter(({ height }) => height > 0);
  if (parts.length === 0) return '';
  return html`<g><title>${dayShort(day.day)}: ${groupDigits(String(tokensOf(day)))} tokens</title>${parts.map(
    ({ color, height, y }) =>
      html`<rect class="c${color}" x="${x + BAR_INSET}" y="${round(y)}" width="${DAY_WIDTH - 2 * BAR_INSET}" height="${round(height)}"/>`,
  )}</g>`;
}

/** The colour that a model has in the drawing. */
export function swatch(color: number) {
  return html`<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="c${Math.min(color, OTHERS)}" width="10" height="10" rx="2"/></svg>`;
}

/** Which colour each model has: by all its tokens, the largest first. */
export function rankModels(days: readonly Day[]): Map<string, number> {
  const totals = new Map<string, bigint>();
  for (const { models } of days) {
    for (const { model, tokenCount } of models) {
      totals.set(model, (totals.get(model) ?? 0n) + BigInt(tokenCount));
    }
  }
  const ranked = [...totals].sort(([one, left], [other, right]) =>
    left === right ? (one < other ? -1 : 1) : left > right ? -1 : 1,
  );
  return new Map(ranked.map(([model], rank) => [model, rank]));
}

function describe(
  days: readonly Day[],
  totals: readonly bigint[],
  busiest: Day | undefined,
  most: bigint,
): string {
  const total = totals.reduce((sum, count) => sum + count, 0n);
  const used = totals.filter((count) => count > 0n).length;
  return `${groupDigits(String(total))} tokens on ${used} of ${days.length} days; most on ${busiest === undefined ? '' : dayShort(busiest.day)}, ${groupDigits(String(most))} tokens. The table by day has the figures.`;
}

/** The least round number that holds the tallest bar, and an even one, so that its half is whole. */
function niceTop(most: bigint): bigint {
  for (let power = 10n; ; power *= 10n) {
    for (const tenths of [10n, 12n, 15n, 20n, 25n, 30n, 40n, 50n, 60n, 80n]) {
      const top = (power * tenths) / 10n;
      if (top >= most && top % 2n === 0n) return top;
    }
  }
}

/** `250M`, `2.5k`: only for the scale, where a count is round. */
function shortCount(count: bigint): string {
  const units = [
    ['T', 10n ** 12n],
    ['B', 10n ** 9n],
    ['M', 10n ** 6n],
    ['k', 10n ** 3n],
  ] as const;
  for (const [letter, size] of units) {
    if (count < size) continue;
    const hundredths = (count * 100n) / size;
    const fraction = String(hundredths % 100n)
      .padStart(2, '0')
      .replace(/0+$/, '');
    return `${hundredths / 100n}${fraction === '' ? '' : `.${fraction}`}${letter}`;
  }
  return String(count);
}

function labelOf(day: string, index: number, count: number): string {
  const isLabelled = index % 7 === 0 && index <= count - 4;
  return isLabelled ? dayShort(day) : '';
}

function tokensOf({ models }: Day): bigint {
  return models.reduce((sum, { tokenCount }) => sum + atLeastZero(BigInt(tokenCount)), 0n);
}

function atLeastZero(count: bigint): bigint {
  return count > 0n ? count : 0n;
}

function heightOf(count: bigint, top: bigint): number {
  return Number((count * 100_000n) / top) / 1_000;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
