import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import type { Chart } from '../../pages/charts/figure.ts';
import { stackedBars } from '../../pages/charts/stacked-bars.ts';
import { optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { modelInWords } from '../../pages/words.ts';
import { addMs, DAY_MS, HOUR_MS } from '../../platform/clock.ts';
import { queryUsage, readCollectedThrough, type UsageRow } from '../../usage/hours/queries.ts';
import { definePage, type PortalView } from '../frame/define-page.ts';
import { modelsChart } from '../statement/models-chart.ts';
import { amountCell } from '../statement/parts.ts';
import { readDay } from '../statement/span.ts';
import { tableWords } from '../statement/table-words.ts';
import { askPeriod } from '../usage/gather.ts';
import type { ReaderLocale } from '../words/reader.ts';
import { type DayAmounts, gatherAmounts } from './amounts.ts';

/** A day has at most so many hours times models; what is above would be cut, so there is room. */
const MOST_ROWS = 100_000;

interface Material {
  rows: readonly UsageRow[];
  /** Null: no statement has the day, or whoever reads is shown no money. */
  amounts: DayAmounts | null;
  dataAsOf: Date | null;
}

/** One hour of the day: tokens by model. */
interface HourRow {
  start: Date;
  models: ReadonlyMap<string, bigint>;
  tokenCount: bigint;
  requestCount: bigint;
  /** Null: some of it has no price yet. */
  amountMinor: bigint | null;
}

/** A day in UTC, as it is billed, by the hour of the reader's own clock. */
export const hoursPage = definePage({
  path: '/hours',
  of: 'both',
  parameters: ['day', 'zone', 'csv', 'hours-sort'],
  prepare: async (view) =>
    view.reader.userId === null ? await askPeriod(view, { users: true, history: false }) : null,
  gather: async (snapshot, view, asked): Promise<Material> => {
    const { customerId, userId } = view.reader;
    const start = dayOf(view);
    const rows = await queryUsage(snapshot, {
      window: { start, end: addMs(start, DAY_MS) },
      granularity: 'hour',
      groupBy: ['model'],
      customerId,
      ...(userId === null ? {} : { subject: userId }),
      after: null,
      limit: MOST_ROWS,
    });
    const amounts = asked === null ? null : await gatherAmounts(snapshot, view, { asked, start });
    return { rows, amounts, dataAsOf: await readCollectedThrough(snapshot) };
  },
  show: ({ rows, amounts, dataAsOf }: Material, view) => {
    const { words, day } = view.locale;
    const start = dayOf(view);
    const zone = zoneOf(view);
    const hours = hoursOf(rows, start, amounts);
    const chart = chartOf(hours, zone, view);
    const table = tableOf(hours, { zone, currency: amounts?.currency ?? null }, view);
    return {
      title: words.hours.title(day(start)),
      dataAsOf,
      body: html`
        <p class="lead">${words.hours.lead(zone)}</p>
        ${chooser(start, zone, view)}
        ${chart === null ? html`<p class="notice">${words.hours.nothing}</p>` : stackedBars(chart)}
        ${dataTable(table, hours, view.address)}`,
      csv: { hours: () => csvOfTable(table, hours, view.address.query) },
    };
  },
});

/** The day that the address names; today unless it makes sense. */
function dayOf({ address, now }: PortalView): Date {
  const today = new Date(Math.floor(now.getTime() / DAY_MS) * DAY_MS);
  const asked = readDay(address.query.get('day'));
  if (asked === null) return today;
  const day = new Date(`${asked}T00:00:00Z`);
  return day.getTime() > today.getTime() ? today : day;
}

/** The zone that the address names; UTC unless there is such a one. */
function zoneOf({ address }: PortalView): string {
  const asked = address.query.get('zone') ?? '';
  if (!/^[A-Za-z_]+(?:\/[\w+-]+){0,2}$/.test(asked)) return 'UTC';
  try {
    new Intl.DateTimeFormat('en', { timeZone: asked });
    return asked;
  } catch {
    return 'UTC';
  }
}

/** Some have younger names that are understood, too. */
const ZONES: readonly string[] = ['UTC', ...Intl.supportedValuesOf('timeZone')];

function hoursOf(rows: readonly UsageRow[], start: Date, amounts: DayAmounts | null): HourRow[] {
  const byHour = Map.groupBy(rows, ({ windowStart }) => windowStart.getTime());
  return Array.from({ length: DAY_MS / HOUR_MS }, (_, index) => {
    const hour = addMs(start, index * HOUR_MS);
    const its = byHour.get(hour.getTime()) ?? [];
    return {
      start: hour,
      models: new Map(its.map(({ dimensions, tokenCount }) => [dimensions.model ?? '', tokenCount])),
      tokenCount: its.reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
      requestCount: its.reduce((sum, { requestCount }) => sum + (requestCount ?? 0n), 0n),
      amountMinor: amounts?.byHour.get(hour.getTime()) ?? (amounts?.byHour.has(hour.getTime()) ? null : 0n),
    };
  });
}

function chartOf(hours: readonly HourRow[], zone: string, { locale }: PortalView): Chart | null {
  const { words } = locale;
  const places = hours.map(({ start, models }) => ({
    place: start.toISOString(),
    models: [...models].map(([value, size]) => ({ value, size })),
  }));
  return modelsChart(places, {
    id: 'drawn',
    title: words.hours.chart,
    texts: words,
    say: locale.count,
    numberOf: Number,
    describe: words.hours.description,
    scaleText: locale.shortCount,
    words: {
      asTable: words.days.asTable,
      place: words.hours.hour,
      placeShort: (place) => locale.timeIn(zone, new Date(place)),
      placeLong: (place) => locale.hourIn(zone, new Date(place)),
    },
  });
}

function tableOf(
  hours: readonly HourRow[],
  { zone, currency }: { zone: string; currency: string | null },
  { locale }: PortalView,
): TableDefinition<HourRow> {
  const { words, count } = locale;
  const models = [...new Set(hours.flatMap(({ models: its }) => [...its.keys()]))].sort();
  const number = (name: string, title: string, read: (row: HourRow) => bigint): Column<HourRow> => ({
    name,
    title,
    kind: 'number',
    cell: (row) => (read(row) === 0n ? html`<span class="muted">0</span>` : count(read(row))),
    csv: (row) => String(read(row)),
    sortBy: read,
  });
  return {
    name: 'hours',
    caption: words.hours.table,
    empty: words.hours.nothing,
    words: tableWords(locale),
    isCompact: models.length <= 1,
    columns: [
      {
        name: 'hour',
        title: words.hours.hour,
        kind: 'text',
        isRowHeader: true,
        cell: ({ start }) =>
          html`<time datetime="${start.toISOString()}">${locale.hourIn(zone, start)}</time>`,
        csv: ({ start }) => start.toISOString(),
        sortBy: ({ start }) => start.getTime(),
      },
      // Several models are columns as long as they fit on paper; the CSV has them all in any case.
      ...(models.length > 1 && models.length <= 5
        ? models.map((model) =>
            number(
              model,
              model === '' ? words.noModel : modelInWords(model),
              (row) => row.models.get(model) ?? 0n,
            ),
          )
        : []),
      number('tokens', words.table.tokens, ({ tokenCount }) => tokenCount),
      number('requests', words.table.requests, ({ requestCount }) => requestCount),
      ...(currency === null ? [] : amountColumns(currency, locale)),
    ],
  };
}

/** Of what stands on an invoice, or on the next one; the file says the currency beside it. */
function amountColumns(currency: string, locale: ReaderLocale): Column<HourRow>[] {
  return [
    {
      name: 'amount',
      title: locale.words.table.amount,
      kind: 'number',
      cell: ({ amountMinor }) => amountCell(amountMinor, currency, locale),
      csv: ({ amountMinor }) => (amountMinor === null ? null : formatMinor(amountMinor, currency)),
      sortBy: ({ amountMinor }) => amountMinor,
    },
  ];
}

function chooser(start: Date, zone: string, view: PortalView): Html {
  const { words, day } = view.locale;
  const asked = view.address.query.get('zone');
  const at = (days: number) => {
    const other = addMs(start, days * DAY_MS)
      .toISOString()
      .slice(0, 10);
    return view.href('/hours', { day: other, ...(asked === null ? {} : { zone }) });
  };
  const isToday = addMs(start, DAY_MS) > view.now;
  // The script puts the browser's own zone where none was chosen.
  const own = asked === null ? html` data-own-zone` : '';
  return html`<form class="span-form" method="get" action="${view.href('/hours')}" data-submits-itself aria-label="${words.hours.title(day(start))}">
    <label><span>${words.hours.day}</span><input type="date" name="day" value="${start.toISOString().slice(0, 10)}"></label>
    <label><span>${words.hours.zone}</span><select name="zone" data-sends${own}>${[...new Set([...ZONES, zone])].map((name) => optionField(name, name.replaceAll('_', ' '), name === zone))}</select></label>
    <button class="quiet">${words.hours.show}</button>
    <span class="links"><a href="${at(-1)}">${words.hours.earlier}</a>${isToday ? '' : html`<a href="${at(1)}">${words.hours.later}</a>`}</span>
  </form>`;
}
