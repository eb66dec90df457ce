import { scaleLinear } from 'd3-scale';
import { stack } from 'd3-shape';
import { html } from 'hono/html';
import type { Html } from '../html.ts';
import { colorClasses } from './colors.ts';
import { CHART_HEIGHT, type Chart, chartFigure, placeTitle } from './figure.ts';

const BAR_WIDTH = 10;
const INSET = 1.25;

/** Amounts over time as bars, one for each place, stacked by series; zero is always in it. */
export function stackedBars(chart: Chart): Html {
  const { places, series } = chart;
  const names = series.map(({ name }) => name);
  const colors = colorClasses(names).map((color, index) => (series[index]?.isRest === true ? 'rest' : color));
  const indexes = places.map((_, index) => index);
  // What is below zero, such as a correction, is no height: the table beside the drawing has it.
  const sizeAt = (place: number, of: number) => Math.max(0, series[of]?.values[place]?.value ?? 0);
  const layers = stack<number, number>()
    .keys(series.map((_, index) => index))
    .value(sizeAt)(indexes);
  const highest = Math.max(0, ...layers.flatMap((layer) => layer.map(([, end]) => end)));
  const height = scaleLinear([0, highest || 1], [CHART_HEIGHT, 0]).nice(4);
  const top = height.domain()[1] ?? 1;
  const bars = layers.map((layer, of) => {
    const path = layer
      .flatMap(([start, end], place) => {
        if (end === start) return [];
        const [x, y, below] = [place * BAR_WIDTH + INSET, height(end), height(start)];
        return [`M${x} ${round(y)}h${BAR_WIDTH - 2 * INSET}V${round(below)}h-${BAR_WIDTH - 2 * INSET}z`];
      })
      .join('');
    return path === '' ? html`` : html`<path class="${colors[of] ?? ''}" d="${path}"/>`;
  });
  const { hrefOf, isPicked } = chart;
  const hovers = indexes.map((place) => {
    const kind = isPicked === undefined ? 'hover' : isPicked(place) ? 'hover picked' : 'hover passed';
    const area = html`<rect class="${kind}" x="${place * BAR_WIDTH}" y="0" width="${BAR_WIDTH}" height="${CHART_HEIGHT}"><title>${placeTitle(chart, place)}</title></rect>`;
    // For the pointer; by keyboard one goes through the form and the table beside it, not through every bar.
    return hrefOf === undefined
      ? area
      : html`<a href="${hrefOf(place)}" tabindex="-1" aria-label="${placeTitle(chart, place)}" data-place="${places[place]}">${area}</a>`;
  });
  return chartFigure(chart, {
    width: Math.max(1, places.length) * BAR_WIDTH,
    bottom: 0,
    top,
    colors,
    marks: [...bars, ...hovers],
  });
}

const round = (value: number) => Math.round(value * 100) / 100;
