import type { Scenario } from '../../../sandbox/scenario.ts';
import { createItemId } from '../../../sandbox/traffic/item-id.ts';
import {
  METRIC_NAMES,
  PREVIEW_METRIC_NAME,
  type Traffic,
  type TrafficRow,
} from '../../../sandbox/traffic/row.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { Draws } from '../draws.ts';
import type { Profile } from '../profile.ts';
import { drawMakerRows } from './makers.ts';
import { drawDelayMs, keepMinute, OLDEST_EVENT_MS } from './row-times.ts';

/** One call of so many has rows of the categories that plain text leaves at 0, and one of a metric that nobody knows. */
const EVERY_CATEGORY_SHARE = 3;
const EMPTY_CATEGORIES = [
  METRIC_NAMES.audioPrompt,
  METRIC_NAMES.audioCompletion,
  METRIC_NAMES.acceptedPrediction,
  METRIC_NAMES.rejectedPrediction,
  PREVIEW_METRIC_NAME,
];
const CATEGORY_ID_SALT = 0x5ca1ab1e;

/** A row and what must become of it: counted, or kept with this reason. */
export interface FatedRow {
  row: TrafficRow;
  /** When a query can first see it; the source indexes rows some time after their ingestion instant. */
  visibleMs: number;
  quarantineReason: string | null;
  /** Its maker tells cached tokens beside the prompt, and its total counts them, or not. Absent: they are within. */
  toldApart?: 'with-cache' | 'without-cache';
  /**
   * Not all of its minute, which has a key of its own, ever comes, or it contradicts itself. What comes of it does so in one
   * answer of the source, or in any order.
   */
  doubt?: 'told whole' | 'told in parts';
}

/** Rows of a seed, and their visibility by the clock. The list itself is what the oracle counts. */
export class SimulatedTraffic implements Traffic {
  readonly rows: readonly FatedRow[];
  readonly #nowMs: () => number;

  constructor(rows: readonly FatedRow[], nowMs: () => number) {
    this.rows = rows;
    this.#nowMs = nowMs;
  }

  rowsIngestedBetween(startMs: number, endMs: number): TrafficRow[] {
    const nowMs = this.#nowMs();
    return this.rows
      .filter(
        ({ row, visibleMs }) => row.ingestedMs >= startMs && row.ingestedMs < endMs && visibleMs <= nowMs,
      )
      .map(({ row }) => row);
  }

  get lastIngestionMs(): number {
    return this.rows.reduce((last, { visibleMs }) => Math.max(last, visibleMs), 0);
  }

  tokenTotal(): bigint {
    throw new Error('The oracle counts, not the traffic');
  }

  tokenTotalByTenant(): Map<string, bigint> {
    throw new Error('The oracle counts, not the traffic');
  }

  inject(): void {
    throw new Error('The rows of a seed are fixed');
  }
}

/** Calls of a few users, as the rows that the gateway makes of them. */
export function drawRows(seed: number, scenario: Scenario, profile: Profile): FatedRow[] {
  const draws = new Draws(seed, 'traffic');
  const callers = scenario.customers.flatMap(({ tenantKey, subjects }) =>
    subjects.map((subject) => ({ tenantKey, subject })),
  );
  if (draws.chance(0.4))
    callers.push({ tenantKey: scenario.unmappedTenantKey, subject: scenario.unmappedSubject });
  const models = [
    ...scenario.models.slice(0, draws.between(1, 3)),
    ...(draws.chance(0.4) ? [{ model: scenario.unknownModel, deployment: 'preview' }] : []),
  ];
  // Few hours, so that many calls share one and late ones reopen it.
  const hours = Array.from({ length: draws.between(3, 10) }, () =>
    draws.between(0, profile.dayCount * 24 - 1),
  );
  const rows: FatedRow[] = [];
  const empty: FatedRow[] = [];
  for (let call = 0; call < profile.callCount; call += 1) {
    const [caller, model] = [
      draws.pick(callers as [(typeof callers)[0]]),
      draws.pick(models as [(typeof models)[0]]),
    ];
    const hour = draws.pick(hours as [number]);
    const eventMs = scenario.options.startMs + hour * HOUR_MS + draws.between(0, 59) * MINUTE_MS;
    const properties = {
      userId: caller.subject,
      tenantId: caller.tenantKey,
      featureArea: draws.pick(['chat', 'search', '']),
      model: model.model,
      deployment: model.deployment,
    };
    const prompt = draws.between(1, 400);
    const cached = draws.chance(0.3) ? draws.between(1, prompt) : 0;
    const completion = draws.between(0, 90);
    const reasoning = draws.chance(0.2) ? draws.between(0, completion) : 0;
    const together = drawDelayMs(draws, profile);
    if (call % EVERY_CATEGORY_SHARE === 0) {
      // Without a draw, so that a seed's world is the same but for them.
      const ingestedMs = eventMs + MINUTE_MS + together;
      for (const metricName of EMPTY_CATEGORIES) {
        const itemId = createItemId(seed ^ CATEGORY_ID_SALT, 0, empty.length);
        const times = { eventMs, ingestedMs, ingestedTicks: 0 };
        const row = { itemId, ...times, metricName, sum: 0, itemCount: 1, min: 0, max: 0, properties };
        empty.push({ row, visibleMs: ingestedMs, quarantineReason: null });
      }
    }
    const apart = draws.chance(0.1);
    const requestCount = draws.between(1, 3);
    const ofCall: TrafficRow[] = [];
    let spoiledAs: number | null = null;
    for (const [metricName, sum] of [
      [METRIC_NAMES.prompt, prompt],
      [METRIC_NAMES.cachedPrompt, cached],
      [METRIC_NAMES.completion, completion],
      [METRIC_NAMES.reasoning, reasoning],
      [METRIC_NAMES.total, prompt + completion],
    ] as const) {
      if (sum === 0) continue;
      const ingestedMs = apart
        ? keepMinute(eventMs, eventMs + MINUTE_MS + drawDelayMs(draws, profile))
        : eventMs + MINUTE_MS + together;
      const sound: TrafficRow = {
        itemId: createItemId(seed, 0, rows.length + ofCall.length),
        eventMs,
        ingestedMs,
        ingestedTicks: draws.between(0, 9_999),
        metricName,
        sum,
        itemCount: requestCount,
        min: 1,
        max: sum,
        properties,
      };
      if (draws.chance(profile.brokenRowChance)) spoiledAs ??= draws.between(0, 5);
      ofCall.push(sound);
      if (draws.chance(profile.duplicateRowChance)) {
        const again = { ...sound, ingestedMs: ingestedMs + draws.between(0, 30 * HOUR_MS) };
        // The same item keeps its event time only where the store does not replace it.
        if (again.ingestedMs - eventMs < OLDEST_EVENT_MS) ofCall.push(again);
      }
    }
    // All rows of a call or none: the rest of one would contradict itself, and wait or not by the order in which it comes.
    for (const row of ofCall) {
      const fated = spoiledAs === null ? { row, reason: null } : spoil(spoiledAs, row);
      rows.push(makeVisible(draws, profile, fated.row, fated.reason));
    }
  }
  rows.push(...empty, ...drawMakerRows(seed, scenario, profile));
  return rows.sort((left, right) => left.row.ingestedMs - right.row.ingestedMs);
}

function makeVisible(draws: Draws, profile: Profile, row: TrafficRow, reason: string | null): FatedRow {
  const visibleMs = row.ingestedMs + draws.between(0, profile.visibilityDelayMs);
  return { row, visibleMs, quarantineReason: reason };
}

function spoil(as: number, row: TrafficRow): { row: TrafficRow; reason: string } {
  const without = (name: string) => ({ ...row, properties: { ...row.properties, [name]: '' } });
  switch (as) {
    case 0:
      return { row: { ...row, sum: 'NaN' }, reason: 'not_an_integer' };
    case 1:
      return { row: { ...row, sum: 10.5 }, reason: 'not_an_integer' };
    case 2:
      return { row: { ...row, sum: -7 }, reason: 'negative' };
    case 3:
      return { row: without('userId'), reason: 'no_subject' };
    case 4:
      return { row: without('model'), reason: 'no_model' };
    default:
      return { row: { ...row, metricName: 'Audio Tokens' }, reason: 'unknown_metric' };
  }
}
