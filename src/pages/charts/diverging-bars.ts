import { html } from 'hono/html';
import type { Html } from '../html.ts';

/** Who gained or lost what: one bar, to the right or to the left of zero. */
export interface DivergingBar {
  label: Html | string;
  value: number;
  /** The same in words, exact, with its sign. */
  text: string;
  /** Whether it is good for us; direction and sign say the rest. */
  isGood: boolean;
}

const WIDTH = 200;
const HEIGHT = 10;

/** Gains and losses from one zero line, in the order given; every row says its name and its amount. */
export function divergingBars(chart: {
  id: string;
  title: string;
  /** What one sees in it, in a sentence. */
  description: string;
  bars: readonly DivergingBar[];
}): Html {
  const { id, title, description, bars } = chart;
  const values = bars.map(({ value }) => value);
  const [lowest, highest] = [Math.min(0, ...values), Math.max(0, ...values)];
  const scale = WIDTH / (highest - lowest || 1);
  const zero = round(-lowest * scale);
  return html`<figure class="chart bars" id="${id}">
    <figcaption>${title} <span class="muted">${description}</span></figcaption>
    <ol>${bars.map(({ label, value, text, isGood }) => {
      const length = round(Math.abs(value) * scale);
      const x = value < 0 ? round(zero - length) : zero;
      return html`<li><span class="of">${label}</span><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><rect class="${isGood ? 'gain' : 'loss'}" x="${x}" width="${length}" height="${HEIGHT}" rx="1"/><line class="zero" x1="${zero}" x2="${zero}" y1="0" y2="${HEIGHT}"/></svg><span class="amount">${text}</span></li>`;
    })}</ol>
  </figure>`;
}

const round = (value: number) => Math.round(value * 100) / 100;
