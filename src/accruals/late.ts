import { sql } from 'kysely';
import type { AccrualInvoice } from '../../pricing/accruals/span.ts';
import { TAKEN_UP_REASONS, type UninvoicedReason } from '../../pricing/closing/fate.ts';
import type { LateGroup } from '../billing/late-groups.ts';
import { CARRY_TO_NEXT_INVOICE } from '../billing/meter-pushes.ts';
import { type RatedGroup, readRatedGroups } from '../billing/rated-groups.ts';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';
import { toStoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { type OfInvoice, relevantInvoices, withInvoice } from './spans.ts';

/** Usage that missed its own invoice, with what another has of it, or will. */
export interface LateUsage {
  customerId: string;
  currency: string | null;
  kind: 'late' | 'credit';
  /** Null: none has it yet. */
  invoice: AccrualInvoice | null;
  /** When a credit note gave it back; null: it is none, or is not made yet. */
  creditedAt: Date | null;
  reason: string | null;
  /** Whether an invoice will have it without anybody's act. */
  isTakenUp: boolean;
  subscriptionId: string | null;
  stripeMeterId: string | null;
  productName: string;
  period: TimeWindow | null;
  /** Before the window, within it, and after. */
  tokens: { before: bigint; window: bigint; after: bigint };
  /** All of it; null: no price is known. */
  amountMinor: bigint | null;
  /** Of what was used before the window, where it is rated by itself; absent: in proportion to the tokens. */
  amountBeforeMinor?: bigint | null;
}

type RawUsage = Omit<LateUsage, 'tokens' | 'invoice' | 'period'> & LateUsage['tokens'] & OfInvoice;

/** Sums of rows `h` of hourly usage on the sides of a window. */
const sides = ({ start, end }: TimeWindow) => sql`
  coalesce(sum(h.delta_token_count) filter (where h.window_start < ${start}), 0)::bigint as before,
  coalesce(sum(h.delta_token_count) filter (where h.window_start >= ${start} and h.window_start < ${end}), 0)::bigint as window,
  coalesce(sum(h.delta_token_count) filter (where h.window_start >= ${end}), 0)::bigint as after`;

/** Items of later invoices: of invoices that were no older at the window's start, and of usage of the window. */
export async function readLateItemUsage(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  window: TimeWindow,
): Promise<LateUsage[]> {
  const rows = await sql<RawUsage>`
    select l.customer_id as "customerId", l.currency, 'late' as kind, null as "creditedAt", null as reason, true as "isTakenUp",
      l.subscription_id as "subscriptionId", l.stripe_meter_id as "stripeMeterId", l.product_name as "productName",
      l.period_start as start, l.period_end as end, l.amount_minor as "amountMinor", l.invoice_id as "invoiceId", v.number,
      case when l.state = 'invoiced' then v.finalized_at end as "finalizedAt", used.*
    from late_items l left join (${relevantInvoices(customerIds, { ...window, end: new Date(8.64e15) })}) v on v.invoice_id = l.invoice_id
    cross join lateral (select ${sides(window)} from hourly_usage h where h.late_item_id = l.late_item_id) used
    where l.customer_id = any(${[...customerIds]}::text[]) and l.state <> 'taken_back' and l.used_from < ${window.end}
      and (v.invoice_id is not null or l.state <> 'invoiced')
    order by l.late_item_id`.execute(snapshot);
  return rows.rows.map(toLateUsage);
}

function toLateUsage({ before, window, after, ...row }: RawUsage): LateUsage {
  return { ...withInvoice(row), tokens: { before, window, after } };
}

interface CarriedRow {
  id: string;
  customerId: string;
  at: Date;
  tokenCount: bigint;
  uninvoicedReason: UninvoicedReason | null;
  isDueAgain: boolean;
}

/** What no item has yet: carried usage, and uninvoiced usage with its reason, at what an item would cost. */
export async function readCarriedForAccrual(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  { start, end }: TimeWindow,
): Promise<LateUsage[]> {
  const found = await sql<CarriedRow>`
    select h.hourly_usage_id::text as id, h.customer_id as "customerId", h.window_start as at, h.delta_token_count as "tokenCount",
      u.reason as "uninvoicedReason", coalesce(u.state = 'due_again', false) as "isDueAgain"
    from hourly_usage h left join uninvoiced_usage u on u.uninvoiced_id = h.uninvoiced_id
    where h.customer_id = any(${[...customerIds]}::text[]) and h.quarantine_reason in (${CARRY_TO_NEXT_INVOICE}, ${UNINVOICED})
      and h.late_item_id is null and h.credit_proposal_id is null and h.written_off_at is null and h.meter_push_id is null
      and h.window_start < ${end}
    order by h.hourly_usage_id`.execute(snapshot);
  const usages: LateUsage[] = [];
  // What a person decides first and what goes on by itself are items of their own.
  for (const its of Map.groupBy(found.rows, (row) => `${row.uninvoicedReason} ${row.isDueAgain}`).values()) {
    const unpriced = new Map(its.map((row) => [row.id, row]));
    const earlier = its.filter(({ at }) => at < start);
    const before = Map.groupBy(await readRatedGroups(snapshot, idsOf(earlier)), keyOf);
    for (const group of await readRatedGroups(snapshot, idsOf(its))) {
      const rows = group.hourlyUsageIds.flatMap((id) => unpriced.get(String(id)) ?? []);
      for (const row of rows) unpriced.delete(row.id);
      const amountBeforeMinor = sumOf(before.get(keyOf(group)) ?? []);
      before.delete(keyOf(group));
      usages.push({ ...usageOf(rows, start), ...ratedOf(group), amountBeforeMinor });
    }
    // What later usage has put into another group was earned there.
    for (const groups of before.values()) {
      const [group] = groups;
      if (group === undefined) continue;
      usages.push({
        ...usageOf(its.slice(0, 1), start),
        ...ratedOf(group),
        ...NOTHING,
        amountBeforeMinor: sumOf(groups),
      });
    }
    for (const rows of Map.groupBy(unpriced.values(), ({ customerId }) => customerId).values()) {
      usages.push(usageOf(rows, start));
    }
  }
  return usages;
}

const idsOf = (rows: readonly CarriedRow[]) => rows.map(({ id }) => id);

function ratedOf({ customerId, currency, stripeMeterId, productName, amountMinor, ...group }: RatedGroup) {
  return {
    customerId,
    currency,
    subscriptionId: group.subscriptionIds[0] ?? null,
    stripeMeterId,
    productName,
    period: { start: group.periodStart, end: group.periodEnd },
    amountMinor,
  };
}

const NOTHING = { tokens: { before: 0n, window: 0n, after: 0n }, amountMinor: 0n };

const sumOf = (groups: readonly RatedGroup[]) =>
  groups.reduce((sum, { amountMinor }) => sum + (amountMinor ?? 0n), 0n);

function keyOf({ customerId, stripeMeterId, periodStart, periodEnd, currency, price }: LateGroup): string {
  const { unitAmountDecimal, tiersMode, priceTiers } = toStoredPrice(price);
  return JSON.stringify([
    customerId,
    stripeMeterId,
    periodStart,
    periodEnd,
    currency,
    unitAmountDecimal,
    tiersMode,
    priceTiers,
  ]);
}

/** Without a price. */
function usageOf(rows: readonly CarriedRow[], from: Date): LateUsage {
  const [first] = rows;
  const sum = (its: readonly CarriedRow[]) => its.reduce((total, row) => total + row.tokenCount, 0n);
  const reason = first?.uninvoicedReason ?? null;
  return {
    customerId: first?.customerId ?? '',
    currency: null,
    kind: 'late',
    invoice: null,
    creditedAt: null,
    reason: reason ?? CARRY_TO_NEXT_INVOICE,
    isTakenUp: first?.isDueAgain === true || reason === null || TAKEN_UP_REASONS.includes(reason),
    subscriptionId: null,
    stripeMeterId: null,
    productName: '',
    period: null,
    tokens: {
      before: sum(rows.filter(({ at }) => at < from)),
      window: sum(rows.filter(({ at }) => at >= from)),
      after: 0n,
    },
    amountMinor: null,
  };
}

/** What was billed too much: given back by a credit note, or proposed to be. */
export async function readCreditedUsage(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
  window: TimeWindow,
): Promise<LateUsage[]> {
  const rows = await sql<RawUsage>`
    select c.customer_id as "customerId", c.currency, 'credit' as kind, case when c.state = 'created' then c.created_at end as "creditedAt",
      case when c.state <> 'created' then 'credit_' || c.state end as reason, false as "isTakenUp", v.subscription_id as "subscriptionId",
      c.stripe_meter_id as "stripeMeterId", c.product_name as "productName", c.period_start as start, c.period_end as end,
      -c.amount_minor as "amountMinor", c.invoice_id as "invoiceId", v.number, null as "finalizedAt", used.*
    from credit_proposals c join invoices v on v.invoice_id = c.invoice_id
    cross join lateral (select ${sides(window)} from hourly_usage h where h.credit_proposal_id = c.credit_proposal_id and h.written_off_at is null) used
    where c.customer_id = any(${[...customerIds]}::text[]) and c.state <> 'rejected' and c.period_start < ${window.end}
      and (c.created_at is null or c.created_at >= ${window.start} or c.period_end > ${window.start})
    order by c.credit_proposal_id`.execute(snapshot);
  return rows.rows.map(toLateUsage);
}
