import type { MeterCreate, OpenMeter } from '@openmeter/sdk';
import {
  byDimension,
  DATA_DIMENSIONS,
  DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
} from '../../pricing/usage/shape.ts';
import { HOUR_MS, type TimeWindow } from '../platform/clock.ts';
import { UpstreamError, ValidationError } from '../platform/errors.ts';
import type { MeterAnswer, MeterQueryRow } from './answer-shapes.ts';
import { callForJson, withQuery } from './answers.ts';
import { errorOfAnswer } from './failures.ts';
import { type HourTotal, METER_SLUGS, type MeterHour, type MeterSlug, USAGE_EVENT_TYPE } from './port.ts';

const GROUP_BY: Record<string, string> = Object.fromEntries(
  DATA_DIMENSIONS.map((name) => [name, `$.${name}`]),
);
const PROPERTIES = new Map(FIGURE_NAMES.map((name) => [FIGURES[name].meterSlug, FIGURES[name].eventField]));
const LIST_PAGE_SIZE = 1_000;

/** What each of our meters must be: the sum of one property of the usage event's data. */
function meterDefinition(slug: MeterSlug): MeterCreate {
  const property = PROPERTIES.get(slug) ?? slug;
  return {
    slug,
    name: `Tallystick: ${property.replaceAll('_', ' ')}`,
    description: 'Made by Tallystick, which reads it back to settle every hour. Do not change it.',
    aggregation: 'SUM',
    eventType: USAGE_EVENT_TYPE,
    valueProperty: `$.${property}`,
    groupBy: { ...GROUP_BY },
  };
}

/**
 * Creates the meters that are missing. A meter that exists is never changed; it is reported when it would count
 * something else: another aggregation, event type, value property or group-by path, or only later events.
 * @throws UpstreamError
 */
export async function ensureMeters(
  sdk: OpenMeter,
  signal: AbortSignal | undefined,
): Promise<{ created: MeterSlug[]; different: MeterSlug[] }> {
  const created: MeterSlug[] = [];
  const different: MeterSlug[] = [];
  for (const slug of METER_SLUGS) {
    let existing = await findMeter(sdk, slug, signal);
    if (existing === null) {
      try {
        await callForJson('POST /api/v1/meters', signal, (options) =>
          sdk.meters.create(meterDefinition(slug), options),
        );
        created.push(slug);
        continue;
      } catch (error) {
        // Another process made it in between, or our own request took effect although its answer was lost.
        const mayExist = error instanceof UpstreamError && (error.statusCode === 409 || error.outcomeUnknown);
        existing = mayExist ? await findMeter(sdk, slug, signal) : null;
        if (existing === null) throw error;
      }
    }
    if (!countsTheSame(existing, meterDefinition(slug))) different.push(slug);
  }
  return { created, different };
}

async function findMeter(sdk: OpenMeter, slug: MeterSlug, signal: AbortSignal | undefined) {
  try {
    return await callForJson('GET /api/v1/meters/{meterIdOrSlug}', signal, (options) =>
      sdk.meters.get(slug, options),
    );
  } catch (error) {
    if (error instanceof UpstreamError && error.statusCode === 404) return null;
    throw error;
  }
}

function countsTheSame(existing: MeterAnswer, ours: MeterCreate): boolean {
  return (
    existing.aggregation === ours.aggregation &&
    existing.eventType === ours.eventType &&
    existing.valueProperty === ours.valueProperty &&
    (existing.eventFrom ?? null) === null &&
    // More group-bys than ours change nothing we ask for.
    Object.entries(GROUP_BY).every(([name, path]) => existing.groupBy?.[name] === path)
  );
}

/** Slugs of all meters, for `doctor`. @throws UpstreamError */
export async function listMeterSlugs(sdk: OpenMeter, signal: AbortSignal | undefined): Promise<string[]> {
  const slugs = new Set<string>();
  for (let page = 1; ; page += 1) {
    const known = slugs.size;
    // The SDK's list declares no paging, although the API pages at 100; it hands these parameters on.
    const meters = await callForJson('GET /api/v1/meters', signal, (options) =>
      sdk.meters.list(withQuery(options, { page, pageSize: LIST_PAGE_SIZE })),
    );
    for (const meter of meters) slugs.add(meter.slug);
    if (meters.length < LIST_PAGE_SIZE || slugs.size === known) return [...slugs];
  }
}

/**
 * Hourly totals of one meter, by subject, model, feature and deployment, for whole hours.
 * @throws as `ask`
 */
export async function queryHourly(
  sdk: OpenMeter,
  meter: MeterSlug,
  window: TimeWindow,
  signal: AbortSignal | undefined,
): Promise<MeterHour[]> {
  const rows = await ask(sdk, meter, window, ['subject', ...Object.keys(GROUP_BY)], signal);
  return rows.map(({ windowStart, value, row }) => ({
    windowStart,
    ...byDimension(
      (name) => (DIMENSIONS[name].eventPlace === 'subject' ? row.subject : row.groupBy?.[name]) ?? '',
    ),
    value,
  }));
}

/** The same of all keys together. @throws as `ask` */
export async function queryHourTotals(
  sdk: OpenMeter,
  meter: MeterSlug,
  window: TimeWindow,
  signal: AbortSignal | undefined,
): Promise<HourTotal[]> {
  const rows = await ask(sdk, meter, window, [], signal);
  return rows.map(({ windowStart, value }) => ({ windowStart, value }));
}

/**
 * Uses the POST form: the GET form throws on filters and carries the subjects in the address.
 * @throws ValidationError when the window is empty or not on the hour (OpenMeter would sum half an hour and
 *   print it as a whole one); UpstreamError UPSTREAM_REJECTED naming meter, hour and subject when a total is
 *   not a safe integer: OpenMeter sums in float64, and beyond 2^53 that is no longer a count
 */
async function ask(
  sdk: OpenMeter,
  meter: MeterSlug,
  window: TimeWindow,
  groupBy: string[],
  signal: AbortSignal | undefined,
): Promise<(HourTotal & { row: MeterQueryRow })[]> {
  const [startMs, endMs] = [window.start.getTime(), window.end.getTime()];
  if (!(startMs < endMs) || startMs % HOUR_MS !== 0 || endMs % HOUR_MS !== 0) {
    throw new ValidationError(
      'window',
      'must hold at least one whole UTC hour',
      'Align both ends to the hour.',
    );
  }
  const call = 'POST /api/v1/meters/{meterIdOrSlug}/query';
  const answer = await callForJson(call, signal, (options) =>
    sdk.meters.queryPost(
      meter,
      {
        from: window.start,
        to: window.end,
        windowSize: 'HOUR',
        ...(groupBy.length === 0 ? {} : { groupBy }),
      },
      options,
    ),
  );
  return answer.data.map((row) => {
    const windowStart = new Date(row.windowStart);
    const rowMs = windowStart.getTime();
    const where = { meter, hour: row.windowStart, subject: row.subject ?? '' };
    if (!(rowMs >= startMs && rowMs < endMs) || rowMs % HOUR_MS !== 0) {
      throw errorOfAnswer(call, `it holds hour ${row.windowStart}, which was not asked for`, where);
    }
    if (!Number.isSafeInteger(row.value)) {
      throw errorOfAnswer(
        call,
        `meter ${meter}, hour ${row.windowStart}, subject ${JSON.stringify(where.subject)} totals ${row.value}, which is not an exact integer`,
        where,
      );
    }
    return { windowStart, value: BigInt(row.value), row };
  });
}
