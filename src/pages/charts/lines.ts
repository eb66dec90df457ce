import { scaleLinear } from 'd3-scale';
import { line } from 'd3-shape';
import { html } from 'hono/html';
import type { Html } from '../html.ts';
import { colorClasses } from './colors.ts';
import { CHART_HEIGHT, type Chart, type ChartValue, chartFigure, placeTitle } from './figure.ts';

const STEP = 10;

/** Figures over time as lines, one for each series, from zero; what is unknown is a gap. */
export function lineChart(chart: Chart): Html {
  const { places, series } = chart;
  const colors = colorClasses(series.map(({ name }) => name));
  const values = series.flatMap((each) => each.values.map(({ value }) => value ?? 0));
  const height = scaleLinear([Math.min(0, ...values), Math.max(0, ...values) || 1], [CHART_HEIGHT, 0]).nice(
    4,
  );
  const draw = line<ChartValue>()
    .defined(({ value }) => value !== null)
    .x((_, index) => index * STEP + STEP / 2)
    .y(({ value }) => height(value ?? 0))
    .digits(2);
  const paths = series.map(
    (each, index) => html`<path class="stroke ${colors[index] ?? ''}" d="${draw([...each.values]) ?? ''}"/>`,
  );
  const hovers = places.map(
    (_, place) =>
      html`<rect class="hover" x="${place * STEP}" y="0" width="${STEP}" height="${CHART_HEIGHT}"><title>${placeTitle(chart, place)}</title></rect>`,
  );
  return chartFigure(chart, {
    width: Math.max(1, places.length) * STEP,
    bottom: height.domain()[0] ?? 0,
    top: height.domain()[1] ?? 1,
    colors,
    marks: [...paths, ...hovers],
  });
}
