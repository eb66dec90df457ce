import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { html } from 'hono/html';
import type { Html } from '../html.ts';

const WIDTH = 80;
const HEIGHT = 20;

/** A trend in a row of a table, from zero. @param label what is drawn, and how it went, in words */
export function sparkline(values: readonly (number | null)[], label: string): Html {
  const known = values.flatMap((value) => (value === null ? [] : [value]));
  if (known.length < 2) return html`<span class="muted">–</span>`;
  const x = scaleLinear([0, values.length - 1], [1, WIDTH - 1]);
  const y = scaleLinear([Math.min(0, ...known), Math.max(0, ...known) || 1], [HEIGHT - 1, 1]);
  const draw = line<number | null>()
    .defined((value) => value !== null)
    .x((_, index) => x(index))
    .y((value) => y(value ?? 0))
    .digits(1);
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}"><path class="stroke" d="${draw([...values]) ?? ''}"/></svg>`;
}
