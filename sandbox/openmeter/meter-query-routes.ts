import type { FilterString, MeterQueryResult } from '@openmeter/sdk';
import { QueryMeterPostBody, QueryMeterQueryParams } from '@openmeter/sdk/zod';
import type { Context, Hono } from 'hono';
import type { z } from 'zod';
import type { CustomerStore } from './customer-store.ts';
import type { EventStore } from './event-store.ts';
import { compileStringFilter } from './filters.ts';
import { type MeterQuery, type QueryRow, runMeterQuery } from './meter-query.ts';
import type { MeterStore } from './meter-store.ts';
import type { WireMeter } from './resources.ts';
import { Problem, parseOrRefuse, printSeconds, readJson, type Wire } from './wire.ts';

export interface MeterQueryDependencies {
  meters: MeterStore;
  customers: CustomerStore;
  /** The table, brought to the present. */
  freshStore(): EventStore;
  storedByMs(): number;
}

type QueryInput = z.output<typeof QueryMeterPostBody>;

/** GET and POST /api/v1/meters/{idOrSlug}/query, as JSON or, with `Accept: text/csv`, as CSV. */
export function addMeterQueryRoutes(app: Hono, dependencies: MeterQueryDependencies): void {
  const path = '/api/v1/meters/:idOrSlug/query';
  app.get(path, (context) => answerQuery(context, readQueryParameters(context), dependencies));
  app.post(path, async (context) =>
    answerQuery(context, parseOrRefuse(QueryMeterPostBody, await readJson(context)), dependencies),
  );
}

function readQueryParameters(context: Context): QueryInput {
  const lists = context.req.queries();
  const one = (name: string) => lists[name]?.[0];
  const filterGroupBy: Record<string, string> = {};
  for (const [name, values] of Object.entries(lists)) {
    const group = /^filterGroupBy\[(.+)\]$/.exec(name)?.[1];
    if (group !== undefined) filterGroupBy[group] = values[0] ?? '';
  }
  const given = Object.entries({
    from: one('from'),
    to: one('to'),
    windowSize: one('windowSize'),
    windowTimeZone: one('windowTimeZone'),
    subject: lists.subject,
    groupBy: lists.groupBy,
    filterCustomerId: lists.filterCustomerId,
    filterGroupBy,
  }).filter(([, value]) => value !== undefined);
  const parsed = parseOrRefuse(QueryMeterQueryParams, Object.fromEntries(given));
  const exact = Object.entries(parsed.filterGroupBy ?? {}).map(
    ([name, value]) => [name, [value]] as [string, string[]],
  );
  return { ...parsed, filterGroupBy: Object.fromEntries(exact) };
}

function answerQuery(context: Context, input: QueryInput, dependencies: MeterQueryDependencies): Response {
  const meter = dependencies.meters.get(context.req.param('idOrSlug') ?? '');
  const query = toMeterQuery(meter, input, dependencies);
  const rows = runMeterQuery(dependencies.freshStore(), query);
  if (context.req.header('accept') === 'text/csv') {
    return context.body(toCsv(query, rows), 200, {
      'Content-Type': 'text/csv',
      'Content-Disposition': `attachment; filename="${meter.slug}.csv"`,
    });
  }
  const result: Wire<MeterQueryResult> = {
    ...(input.from === undefined ? {} : { from: input.from.toISOString() }),
    ...(input.to === undefined ? {} : { to: input.to.toISOString() }),
    ...(input.windowSize === undefined ? {} : { windowSize: input.windowSize }),
    data: rows.map((row) => toWireRow(query, row)),
  };
  return context.json(result);
}

/** @throws Problem 400 */
function toMeterQuery(meter: WireMeter, input: QueryInput, dependencies: MeterQueryDependencies): MeterQuery {
  if (input.from !== undefined && input.to !== undefined && input.from >= input.to) {
    throw new Problem(400, 'from must be before to');
  }
  if (input.windowTimeZone !== 'UTC') throw new Problem(400, 'this stand-in knows the time zone UTC only');
  const groupBy = [...new Set(input.groupBy ?? [])];
  if ((input.subject?.length ?? 0) > 0 && !groupBy.includes('subject')) groupBy.push('subject');
  for (const name of groupBy) {
    if (name === 'subject') continue;
    if (name === 'customer_id') {
      if (input.filterCustomerId === undefined) {
        throw new Problem(400, 'group by customer_id needs filterCustomerId');
      }
    } else if (meter.groupBy?.[name] === undefined) {
      throw new Problem(400, `invalid group by: ${name}`);
    }
  }
  const asked: [string, Wire<FilterString>][] = [
    ...Object.entries(input.filterGroupBy ?? {}).map(([name, values]): [string, Wire<FilterString>] => [
      name,
      { $in: values },
    ]),
    ...Object.entries((input.advancedMeterGroupByFilters ?? {}) as Record<string, Wire<FilterString>>),
  ];
  const filters = asked.map(([name, filter]) => {
    const path = meter.groupBy?.[name];
    if (path === undefined) throw new Problem(400, `meter does not have group by: ${name}`);
    return { path, test: compileStringFilter(name, filter, Number.POSITIVE_INFINITY) };
  });
  const eventFromSeconds = meter.eventFrom === undefined ? null : Date.parse(meter.eventFrom) / 1000;
  const fromSeconds = toSeconds(input.from);
  return {
    meter,
    fromSeconds:
      eventFromSeconds === null ? fromSeconds : Math.max(eventFromSeconds, fromSeconds ?? -Infinity),
    toSeconds: toSeconds(input.to),
    windowSize: input.windowSize ?? null,
    groupBy,
    subjects: input.subject === undefined || input.subject.length === 0 ? null : new Set(input.subject),
    customerOfSubject:
      input.filterCustomerId === undefined ? null : dependencies.customers.subjectsOf(input.filterCustomerId),
    filters,
    storedByMs: dependencies.storedByMs(),
  };
}

/** ClickHouse compares whole seconds, so a bound loses its fraction. */
function toSeconds(instant: Date | undefined): number | null {
  return instant === undefined ? null : Math.floor(instant.getTime() / 1000);
}

function toWireRow(query: MeterQuery, row: QueryRow): Wire<MeterQueryResult>['data'][number] {
  const labels = new Map(query.groupBy.map((name, index) => [name, row.labels[index] ?? '']));
  const customerId = labels.get('customer_id');
  const groupBy = [...labels].filter(([name]) => name !== 'subject' && name !== 'customer_id');
  return {
    value: row.value,
    windowStart: printSeconds(row.windowStartSeconds),
    windowEnd: printSeconds(row.windowEndSeconds),
    subject: labels.get('subject') ?? null,
    ...(customerId === undefined ? {} : { customerId }),
    groupBy: Object.fromEntries(groupBy),
  };
}

function toCsv(query: MeterQuery, rows: readonly QueryRow[]): string {
  const names = query.groupBy.filter((name) => name !== 'subject');
  const header = ['window_start', 'window_end', 'subject', ...names, 'value'];
  const lines = rows.map((row) => {
    const labels = new Map(query.groupBy.map((name, index) => [name, row.labels[index] ?? '']));
    return [
      printSeconds(row.windowStartSeconds),
      printSeconds(row.windowEndSeconds),
      labels.get('subject') ?? '',
      ...names.map((name) => labels.get(name) ?? ''),
      row.value.toFixed(6),
    ];
  });
  return [header, ...lines].map((line) => `${line.map(quoteCsv).join(',')}\n`).join('');
}

function quoteCsv(cell: string): string {
  return /[",\r\n]|^\s/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
