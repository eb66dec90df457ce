import { sql } from 'kysely';
import type { SegmentTokens } from '../../pricing/accruals/meters.ts';
import { type BilledSpan, cutSegments, type MeterRead, type Segment } from '../../pricing/accruals/span.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { billedAt } from '../usage/hours/hour-parts.ts';

const pairOf = (of: { customerId: string; stripeMeterId: string }) =>
  JSON.stringify([of.customerId, of.stripeMeterId]);

/**
 * What these customers' meters were told, by segment: sums of pushes, of which an hour has one for a meter, however many users
 * it had. Usage of before the window and of no span is read where no invoice has it.
 */
export async function readMeterTokens(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  { spans, window }: { spans: readonly BilledSpan[]; window: TimeWindow },
): Promise<SegmentTokens[]> {
  const pairs = await readPairs(snapshot, customerIds, window);
  const spansByPair = Map.groupBy(spans, pairOf);
  const reads = new Map<string, MeterRead>();
  for (const pair of [...pairs, ...spans.map((span) => ({ ...span, awaitingSince: null }))]) {
    const key = pairOf(pair);
    if (reads.has(key)) continue;
    const { customerId, stripeMeterId, awaitingSince } = pair;
    reads.set(key, { customerId, stripeMeterId, awaitingSince, spans: spansByPair.get(key) ?? [] });
  }
  const segments = [...reads.values()].flatMap((read) => cutSegments(read, window));
  return [
    ...(await readPushes(snapshot, segments, window)),
    ...(await readUnpushed(snapshot, customerIds, { segments, window })),
  ];
}

/** Meters that these customers' usage of the window went to, or whose usage awaits its invoice, and since when before it. */
async function readPairs(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  { start, end }: TimeWindow,
): Promise<Omit<MeterRead, 'spans'>[]> {
  // By customer and index: what a plan guesses of so many customers' pushes would read all of their history.
  const rows = await sql<Omit<MeterRead, 'spans'>>`
    select given.customer_id as "customerId", found.stripe_meter_id as "stripeMeterId", min(found.since) as "awaitingSince"
    from unnest(${[...customerIds]}::text[]) as given(customer_id)
    cross join lateral (
      select p.stripe_meter_id, null::timestamptz as since from meter_pushes p
      where p.customer_id = given.customer_id and p.window_start > ${start}::timestamptz - interval '1 hour' and p.window_start < ${end}
      group by 1
      union all
      select p.stripe_meter_id, min(p.event_timestamp) from meter_pushes p
      where p.customer_id = given.customer_id and p.status = 'delivered' and p.fate is null and p.event_timestamp < ${start} group by 1
      union all
      select p.stripe_meter_id, min(p.event_timestamp) from meter_pushes p
      where p.customer_id = given.customer_id and p.status = 'pending' and p.event_timestamp < ${start} group by 1) found
    group by 1, 2 order by 1, 2`.execute(snapshot);
  return rows.rows;
}

async function readPushes(
  snapshot: LedgerSnapshot,
  segments: readonly Segment[],
  window: TimeWindow,
): Promise<SegmentTokens[]> {
  const settled = sql`(p.status = 'delivered' and p.fate is null or p.status = 'pending')`;
  const sums = (isWhole: boolean) => {
    const its = segments
      .map((segment, index) => ({ segment, index }))
      .filter(({ segment }) => (segment.spans.length > 0 || segment.start >= window.start) === isWhole);
    return sql`
    select given.index, told.*
    from unnest(${its.map(({ index }) => index)}::int[], ${its.map(({ segment }) => segment.customerId)}::text[],
      ${its.map(({ segment }) => segment.stripeMeterId)}::text[], ${its.map(({ segment }) => segment.start.toISOString())}::timestamptz[],
      ${its.map(({ segment }) => segment.end.toISOString())}::timestamptz[])
      as given(index, customer_id, stripe_meter_id, start_at, end_at)
    cross join lateral (
      select p.status, p.fate, p.invoice_id, sum(p.delta_token_count) as token_count from meter_pushes p
      where p.customer_id = given.customer_id and p.stripe_meter_id = given.stripe_meter_id
      and p.window_start > given.start_at - interval '1 hour' and p.window_start < given.end_at
      and p.event_timestamp >= given.start_at and p.event_timestamp < given.end_at
        and (${isWhole ? sql`p.status in ('delivered', 'pending') and p.fate is distinct from 'uninvoiced'` : settled}) group by 1, 2, 3) told`;
  };
  const rows = await sql<{
    index: number;
    isPending: boolean;
    isPlaced: boolean;
    invoiceId: string | null;
    tokenCount: bigint;
  }>`
    select index, status = 'pending' as "isPending", fate is not null as "isPlaced", invoice_id as "invoiceId",
      token_count::bigint as "tokenCount"
    from (${sums(true)} union all ${sums(false)}) as sums order by 1, 2, 3, 4`.execute(snapshot);
  return rows.rows.flatMap(({ index, isPending, isPlaced, invoiceId, tokenCount }) => {
    const segment = segments[index];
    const state = isPending ? ('pending' as const) : isPlaced ? ('placed' as const) : ('delivered' as const);
    return segment === undefined ? [] : [{ segment, state, invoiceId, tokenCount }];
  });
}

/** Settled, and told to no meter yet: it is little, unless Stripe has been away. Where it will go, its binding says. */
async function readUnpushed(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  { segments, window }: { segments: readonly Segment[]; window: TimeWindow },
): Promise<SegmentTokens[]> {
  const billed = billedAt('usage', { customerId: sql`usage.owner_id`, meterAlias: 'meter' });
  const rows = await sql<{ customerId: string; stripeMeterId: string | null; at: Date; tokenCount: bigint }>`
    select usage.owner_id as "customerId", binding.stripe_meter_id as "stripeMeterId", ${billed} as at,
      sum(usage.token_count)::bigint as "tokenCount"
    from (
      select coalesce(h.customer_id, s.customer_id, '') as owner_id, h.window_start, h.part_start_minute, h.model, h.feature, h.token_type,
        sum(h.delta_token_count) as token_count
      from hourly_usage h left join subjects s on s.subject = h.subject
      where h.meter_push_id is null and h.quarantine_reason is null and h.window_start < ${window.end}
        and coalesce(h.customer_id, s.customer_id, '') = any(${[...customerIds]}::text[])
      group by 1, 2, 3, 4, 5, 6) as usage
    left join lateral (${boundMeter('usage')}) as binding on true
    left join stripe_meters as meter on meter.stripe_meter_id = binding.stripe_meter_id
    group by 1, 2, 3 order by 1, 2, 3`.execute(snapshot);
  const byPair = Map.groupBy(segments, pairOf);
  return rows.rows.map(({ customerId, stripeMeterId, at, tokenCount }) => {
    const meter = { customerId, stripeMeterId: stripeMeterId ?? '' };
    const known = byPair.get(pairOf(meter))?.find((segment) => at >= segment.start && at < segment.end);
    const segment = known ?? { ...meter, start: at, end: new Date(at.getTime() + 1), spans: [] };
    return { segment, state: 'pending', invoiceId: null, tokenCount };
  });
}
