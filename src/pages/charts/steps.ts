import { scaleLinear } from 'd3-scale';
import { curveStepAfter, line } from 'd3-shape';
import { html } from 'hono/html';
import { DAY_MS } from '../../platform/clock.ts';
import type { Html } from '../html.ts';
import { colorClasses } from './colors.ts';
import { CHART_HEIGHT } from './figure.ts';

/** What holds from an instant on; null: nothing does, which is drawn as a gap. */
interface Step {
  /** Milliseconds since 1970; minus infinity: since ever. */
  fromMs: number;
  value: number | null;
  text: string;
}

interface Series {
  name: string;
  steps: readonly Step[];
}

const WIDTH = 600;
/** Every other one has no room on a phone. */
const LABEL_COUNT = 6;
const DAY = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  timeZone: 'UTC',
});

const MONTH = new Intl.DateTimeFormat('en-GB', { month: 'short', year: 'numeric', timeZone: 'UTC' });
const SHORT_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
/** Two labels of a shorter time would name the same month. */
const LEAST_MONTHS_MS = 31 * DAY_MS * LABEL_COUNT;

/**
 * What held when: a line with a step at each change, one for each series, from zero, over time as it passed. The page has the
 * same as a table beside it.
 */
export function stepChart(chart: {
  id: string;
  title: string;
  description: string;
  /** From and to, in milliseconds since 1970. */
  span: readonly [number, number];
  series: readonly Series[];
  /** With as many decimals as the others on the axis. */
  scaleText: (value: number, axis: readonly number[]) => string;
}): Html {
  const { id, title, description, span, scaleText } = chart;
  const series = withoutHidden(chart.series);
  const [start, end] = span;
  const colors = colorClasses(series.map(({ name }) => name));
  const values = series.flatMap(({ steps }) => steps.map(({ value }) => value ?? 0));
  const x = scaleLinear([start, end], [0, WIDTH]);
  const y = scaleLinear([0, Math.max(0, ...values) || 1], [CHART_HEIGHT, 0]).nice(4);
  const top = y.domain()[1] ?? 1;
  const axis = [top, top / 2, 0];
  const draw = line<Step>()
    .defined(({ value }) => value !== null)
    .x(({ fromMs }) => x(Math.min(end, Math.max(start, fromMs))))
    .y(({ value }) => y(value ?? 0))
    .curve(curveStepAfter)
    .digits(2);
  const paths = series.map(({ steps }, index) => {
    // A gap begins where the step ends, and the last one runs to the end.
    const drawn = steps.flatMap((step, place) => {
      const next = steps[place + 1];
      const isLast = next === undefined || next.value === null;
      return isLast && step.value !== null ? [step, { ...step, fromMs: next?.fromMs ?? end }] : [step];
    });
    return html`<path class="stroke ${colors[index] ?? ''}" d="${draw(drawn) ?? ''}"/>`;
  });
  const marks = series.flatMap(({ name, steps }) =>
    steps
      .filter(({ fromMs, value }) => value !== null && fromMs >= start && fromMs <= end)
      .map(
        ({ fromMs, text }) =>
          html`<rect class="hover" x="${Math.round(x(fromMs)) - 4}" y="0" width="8" height="${CHART_HEIGHT}"><title>${DAY.format(new Date(fromMs))}, ${name}: ${text}</title></rect>`,
      ),
  );
  const label = end - start < LEAST_MONTHS_MS ? SHORT_DAY : MONTH;
  const labels = Array.from({ length: LABEL_COUNT }, (_, index) =>
    label.format(new Date(start + ((end - start) * index) / LABEL_COUNT)),
  );
  return html`<figure class="chart" id="${id}">
    <figcaption>${title}</figcaption>
    <div class="scale" aria-hidden="true">${axis.map((value) => html`<span>${scaleText(value, axis)}</span>`)}</div>
    <svg class="plot" viewBox="0 0 ${WIDTH} ${CHART_HEIGHT}" preserveAspectRatio="none" role="img" aria-labelledby="${id}-title ${id}-description">
      <title id="${id}-title">${title}</title>
      <desc id="${id}-description">${description}</desc>
      <line class="grid" x1="0" x2="${WIDTH}" y1="0" y2="0"/><line class="grid" x1="0" x2="${WIDTH}" y1="50" y2="50"/>
      ${paths}${marks}
    </svg>
    <ol class="axis" aria-hidden="true">${labels.map((text, index) => html`<li${index % 2 === 1 ? html` class="wide"` : ''}>${text}</li>`)}</ol>
    <ul class="legend">${series.map(({ name }, index) => html`<li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="${colors[index] ?? ''}" width="10" height="10" rx="2"/></svg>${name}</li>`)}</ul>
  </figure>`;
}

/** Lines that run upon each other are one, with all their names: of two the upper one would hide the other. */
function withoutHidden(series: readonly Series[]): Series[] {
  const alike = Map.groupBy(series, ({ steps }) =>
    JSON.stringify(steps.map(({ fromMs, value }) => [String(fromMs), value])),
  );
  return [...alike.values()].flatMap((its) => {
    const [first] = its;
    return first === undefined ? [] : [{ name: its.map(({ name }) => name).join(', '), steps: first.steps }];
  });
}
