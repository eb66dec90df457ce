import { sql } from 'kysely';
import type { UntoldHours } from '../../../pricing/prices/segments.ts';
import { countedText } from '../../../pricing/usage/names.ts';
import { FIGURES, type TypedFigure } from '../../../pricing/usage/shape.ts';
import { untoldParts } from '../../../pricing/usage/untold.ts';
import { addMs, floorToHour, HOUR_MS, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  bigintField,
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';

/** A source item, as far as it measures. */
interface MeasuringItem {
  row: { eventTime: Date | null; model: string; deployment: string };
  usageEventId: string | null;
  tokenKind: string;
  tokenCount: bigint;
  requestCount: bigint;
}

/** Measurements of one kind in one hour that became usage: each request makes one, be it of no tokens. */
interface MeasuredFigure {
  windowStart: Date;
  model: string;
  deployment: string;
  tokenKind: string;
  measurementCount: bigint;
  tokenCount: bigint;
}

const FIELDS: RowFields<MeasuredFigure> = {
  window_start: instantField((row) => row.windowStart),
  model: textField((row) => row.model),
  deployment: textField((row) => row.deployment),
  token_kind: textField((row) => row.tokenKind),
  measurement_count: bigintField((row) => row.measurementCount),
  token_count: bigintField((row) => row.tokenCount),
};

/**
 * Counts what was measured by items that become usage, in the transaction that makes them so. Zero tokens told are told;
 * what nobody measured is not known to be none.
 */
export async function addMeasurements(
  transaction: LedgerTransaction,
  items: readonly MeasuringItem[],
): Promise<void> {
  const measured = sumMeasurements(items);
  if (measured.length === 0) return;
  await sql`
    insert into measured_figures as known (${namesOf(FIELDS)})
    select ${namesOf(FIELDS)} from ${unnestRows('told', measured, FIELDS)}
    -- In one order, so that two who add at once wait for each other and never in a circle.
    order by window_start, model, deployment, token_kind
    on conflict (window_start, model, deployment, token_kind) do update
      set measurement_count = known.measurement_count + excluded.measurement_count,
          token_count = known.token_count + excluded.token_count`.execute(transaction);
}

function sumMeasurements(items: readonly MeasuringItem[]): MeasuredFigure[] {
  const sums = new Map<string, MeasuredFigure>();
  for (const { row, usageEventId, tokenKind, requestCount, tokenCount } of items) {
    if (usageEventId === null || row.eventTime === null) continue;
    const windowStart = floorToHour(row.eventTime);
    const model = countedText('model', row.model);
    const deployment = countedText('deployment', row.deployment);
    const key = `${windowStart.getTime()} ${tokenKind} ${model.length} ${model} ${deployment}`;
    const sum = sums.get(key);
    if (sum === undefined) {
      sums.set(key, {
        windowStart,
        model,
        deployment,
        tokenKind,
        measurementCount: requestCount,
        tokenCount,
      });
    } else {
      sum.measurementCount += requestCount;
      sum.tokenCount += tokenCount;
    }
  }
  return [...sums.values()];
}

/** The models and deployments that were measured in a window. */
export async function readMeasuredModels(
  database: LedgerDatabase,
  window: TimeWindow,
): Promise<{ model: string; deployment: string }[]> {
  const { rows } = await sql<{ model: string; deployment: string }>`
    select distinct model, deployment from measured_figures
    where window_start >= ${window.start} and window_start < ${window.end}`.execute(database);
  return rows;
}

interface HourRow {
  window_start: Date;
  model: string;
  deployment: string;
  measured: Record<string, [count: string, tokens: string]>;
}

/**
 * The hours of a window in which some requests to these models did not tell how many of their tokens were audio, images
 * or written to the cache; neighbours that lack the same are one.
 * @param models in any spelling
 */
export async function readUntoldHours(
  database: LedgerDatabase,
  window: TimeWindow,
  models: readonly string[],
): Promise<UntoldHours[]> {
  if (models.length === 0) return [];
  const { rows } = await sql<HourRow>`
    select window_start, model, deployment,
      json_object_agg(token_kind, json_build_array(measurement_count::text, token_count::text)) as measured
    from measured_figures
    where window_start >= ${window.start} and window_start < ${window.end} and model = any(${models.map((model) => countedText('model', model))}::text[])
    group by model, deployment, window_start
    order by model, deployment, window_start`.execute(database);
  const runs: UntoldHours[] = [];
  let last: UntoldHours | undefined;
  for (const { window_start: start, model, deployment, measured } of rows) {
    const hour = { model, deployment, start, end: addMs(start, HOUR_MS), untold: untoldIn(measured) };
    const isSame =
      last?.model === model && last.deployment === deployment && last.untold.join() === hour.untold.join();
    if (last !== undefined && isSame) {
      last.end = hour.end;
      continue;
    }
    last = hour;
    runs.push(hour);
  }
  return runs.filter(({ untold }) => untold.length > 0);
}

function untoldIn(measured: HourRow['measured']) {
  const of = (figure: TypedFigure) => measured[FIGURES[figure].tokenKind] ?? ['0', '0'];
  return untoldParts({
    isTold: ({ figure, root }) => BigInt(of(figure)[0]) >= BigInt(of(root)[0]),
    tokensOf: (figure) => BigInt(of(figure)[1]),
  });
}
