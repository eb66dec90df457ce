import { html } from 'hono/html';
import type { Html } from '../html.ts';
import { dayShort } from '../words.ts';

/** One value of a drawing: its size, and the same in words, exact. Null: unknown, which is drawn as a gap. */
export interface ChartValue {
  value: number | null;
  text: string;
}

interface ChartSeries {
  name: string;
  /** One for each place of the axis. */
  values: readonly ChartValue[];
  /** What is summed up has no colour of its own. */
  isRest?: boolean;
}

/** What a drawing shows: the same for every kind of it. */
export interface Chart {
  /** Of one page; begins the ids of its parts. */
  id: string;
  title: string;
  /** What one sees in it, in a sentence. */
  description: string;
  /** What stands along the axis: days as `2026-10-31`, or any words. */
  places: readonly string[];
  series: readonly ChartSeries[];
  /** Says a size of the scale in few characters, with as many decimals as the others on the axis. */
  scaleText: (value: number, axis: readonly number[]) => string;
  /** Where a place leads, by its index; left out: nowhere. */
  hrefOf?: (index: number) => string;
  /** Which places stand out because they were picked; left out: all are alike. */
  isPicked?: (index: number) => boolean;
  /** English unless given. */
  words?: ChartWords;
}

/** What a drawing says beside its data. */
interface ChartWords {
  asTable: string;
  /** Heads the column of places. */
  place: string;
  /** A place where there is little room, and in full. */
  placeShort: (place: string) => string;
  placeLong: (place: string) => string;
}

const ENGLISH: ChartWords = {
  asTable: 'The same as a table',
  place: 'Day',
  placeShort: placeInWords,
  placeLong: (place) => place,
};

/** Height of a drawing in its own units; it is stretched to the page, and words stand outside of it. */
export const CHART_HEIGHT = 100;

/** The frame of a drawing: title, scale, axis, legend, and the same data as a table. */
export function chartFigure(
  chart: Chart,
  drawing: {
    width: number;
    bottom: number;
    top: number;
    colors: readonly string[];
    marks: Html | readonly Html[];
  },
): Html {
  const { id, title, description, places, series, scaleText, words = ENGLISH } = chart;
  // What is a picture hides the links in it.
  const role = chart.hrefOf === undefined ? 'img' : 'group';
  const { width, bottom, top, colors, marks } = drawing;
  const axis = [top, (top + bottom) / 2, bottom];
  const zeroY = (top / (top - bottom)) * CHART_HEIGHT;
  return html`<figure class="chart" id="${id}">
    <figcaption>${title}</figcaption>
    <div class="scale" aria-hidden="true">${axis.map((value) => html`<span>${scaleText(value, axis)}</span>`)}</div>
    <svg class="plot" viewBox="0 0 ${width} ${CHART_HEIGHT}" preserveAspectRatio="none" role="${role}" aria-labelledby="${id}-title ${id}-description">
      <title id="${id}-title">${title}</title>
      <desc id="${id}-description">${description}</desc>
      <line class="grid" x1="0" x2="${width}" y1="0" y2="0"/><line class="grid" x1="0" x2="${width}" y1="50" y2="50"/>
      ${bottom < 0 ? html`<line class="zero" x1="0" x2="${width}" y1="${zeroY}" y2="${zeroY}"/>` : ''}
      ${marks}
    </svg>
    <ol class="axis" aria-hidden="true">${places.map((place, index) => axisLabel(words.placeShort(place), index, places.length))}</ol>
    <ul class="legend">${series.map(({ name }, index) => html`<li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="${colors[index] ?? ''}" width="10" height="10" rx="2"/></svg>${name}</li>`)}</ul>
    <details><summary>${words.asTable}</summary>${dataOf(chart)}</details>
  </figure>`;
}

/** A few places of many are named, the first and those at even steps; every other one of them is spare where it is narrow. */
function axisLabel(label: string, index: number, count: number): Html {
  const step = Math.max(1, Math.ceil(count / 6));
  if (index % step !== 0 || count - index < step / 2) return html`<li></li>`;
  return html`<li${(index / step) % 2 === 1 ? html` class="spare"` : ''}>${label}</li>`;
}

function placeInWords(place: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(place) ? dayShort(place) : place;
}

function dataOf({ title, places, series, words = ENGLISH }: Chart): Html {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${title}: ${words.asTable}"><table class="data plain">
    <caption>${title}</caption>
    <thead><tr><th scope="col">${words.place}</th>${series.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
    <tbody>${places.map((place, index) => html`<tr><th scope="row">${words.placeLong(place)}</th>${series.map(({ values }) => html`<td class="number">${values[index]?.text ?? ''}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** What one place has, for the pointer that rests on it. */
export function placeTitle({ places, series, words = ENGLISH }: Chart, index: number): string {
  const parts = series
    .map(({ name, values }) => ({ name, ...values[index] }))
    .filter(({ value }) => value !== 0 && value !== undefined);
  return [words.placeShort(places[index] ?? ''), ...parts.map(({ name, text }) => `${name}: ${text}`)].join(
    '\n',
  );
}
