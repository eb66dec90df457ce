import { rowsOfMeters } from '../../pricing/accruals/meters.ts';
import type { AccrualRow } from '../../pricing/accruals/row.ts';
import { shareOf } from '../../pricing/accruals/value.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { AccrualMaterial } from './gather.ts';
import type { LateUsage } from './late.ts';
import type { FixedLine, WaitingTokens } from './waiting.ts';

/** Every row of some customers, by customer, place and time. */
export function decideAccruals(material: AccrualMaterial, window: TimeWindow): AccrualRow[] {
  const rows = [
    ...rowsOfMeters(material.spans, material.meterTokens, window),
    ...material.late.map((usage) => rowOfLate(usage, window)),
    ...material.fixedLines.map(rowOfFixed),
    ...material.waiting.map((tokens) => rowOfWaiting(tokens)),
  ];
  return rows.filter(isSomething).sort(byCustomer);
}

function rowOfLate(usage: LateUsage, { end: at }: TimeWindow): AccrualRow {
  const { before, window, after } = usage.tokens;
  const all = before + window + after;
  const until = (tokenCount: bigint) =>
    usage.amountMinor === null
      ? null
      : all === 0n
        ? usage.amountMinor
        : shareOf(usage.amountMinor, tokenCount, all);
  const amountMinor = until(before + window);
  const amountBefore = usage.amountBeforeMinor ?? (all === 0n ? amountMinor : until(before));
  const finalAt = usage.kind === 'credit' ? usage.creditedAt : (usage.invoice?.finalizedAt ?? null);
  const isInvoiced = finalAt !== null && finalAt < at;
  const isOnItem = usage.kind === 'late' && usage.invoice !== null;
  return {
    customerId: usage.customerId,
    currency: usage.currency,
    kind: usage.kind,
    place: isInvoiced ? 'invoiced' : isOnItem ? 'awaiting_invoice' : 'uninvoiced',
    reason: usage.reason,
    isAccrued: !isInvoiced && usage.isTakenUp,
    invoice: usage.invoice,
    subscriptionId: usage.subscriptionId,
    description: usage.productName,
    stripeMeterId: usage.stripeMeterId,
    period: usage.period,
    tokenCount: before + window,
    earnedTokenCount: window,
    amountMinor,
    earnedAmountMinor: amountMinor === null || amountBefore === null ? null : amountMinor - amountBefore,
    unvaluedReason: amountMinor === null ? 'no_price' : null,
  };
}

/** For no usage: as it stands, with its service period, for finance to spread. */
function rowOfFixed({ amountMinor, ...line }: FixedLine): AccrualRow {
  return {
    ...line,
    kind: 'fixed',
    place: 'invoiced',
    reason: null,
    isAccrued: false,
    stripeMeterId: null,
    tokenCount: 0n,
    earnedTokenCount: 0n,
    amountMinor,
    earnedAmountMinor: null,
    unvaluedReason: null,
  };
}

function rowOfWaiting({ customerId, currency, place, reason, before, window }: WaitingTokens): AccrualRow {
  return {
    customerId,
    currency,
    kind: 'usage',
    place,
    reason,
    isAccrued: place === 'due',
    invoice: null,
    subscriptionId: null,
    description: '',
    stripeMeterId: null,
    period: null,
    // What was given up before is history.
    tokenCount: place === 'written_off' ? window : before + window,
    earnedTokenCount: window,
    amountMinor: null,
    earnedAmountMinor: null,
    unvaluedReason: place === 'due' ? 'not_settled' : place,
  };
}

/** Whether a row says anything. */
function isSomething({ tokenCount, earnedTokenCount, amountMinor, earnedAmountMinor }: AccrualRow): boolean {
  return [tokenCount, earnedTokenCount, amountMinor ?? 0n, earnedAmountMinor ?? 0n].some(
    (figure) => figure !== 0n,
  );
}

function byCustomer(one: AccrualRow, other: AccrualRow): number {
  return compare(one.customerId, other.customerId) || compare(orderOf(one), orderOf(other));
}

/** Invoices first and in their order, and what waits last. */
function orderOf({ place, kind, period, invoice, description, reason }: AccrualRow): string {
  const when = period?.start.toISOString() ?? '';
  return [ORDER[place], invoice?.invoiceId ?? '', kind, when, description, reason ?? ''].join(' ');
}

const ORDER: Record<AccrualRow['place'], string> = {
  invoiced: '1',
  awaiting_invoice: '2',
  due: '3',
  uninvoiced: '4',
  quarantined: '5',
  written_off: '6',
};

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
