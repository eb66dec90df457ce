import type { BillingAccount } from '../account.ts';
import type { WireInvoice, WireInvoiceLine } from '../http/wire.ts';
import { nextEndMs } from '../periods.ts';
import { beginPhase, nextPhase } from '../schedules.ts';
import type { Invoice, Subscription, TestClock } from '../state.ts';
import { emitSubscription, isEnded } from '../subscriptions.ts';
import { finalizeByItself, linesAt, renderAt } from './fate.ts';
import { endPeriod } from './renewals.ts';

interface Happening {
  atMs: number;
  play: () => void;
}

/**
 * What Stripe's clock does: a period ends, the subscription renews, a draft appears; when its grace is over
 * it takes the usage that has been aggregated by then, gets its number and is paid. Happenings are played in
 * the order of their instants, so one long step and many short ones end alike.
 */
export class BillingCycle {
  readonly account: BillingAccount;
  #next: Happening | null = null;
  /** What a person does at an instant that the scenario has fixed, the next first. */
  readonly #scheduled: Happening[] = [];

  constructor(account: BillingAccount) {
    this.account = account;
  }

  /** Instant of the next happening; Infinity when there is none. */
  nextDueMs(): number {
    this.#next ??= this.#findNext() ?? { atMs: Number.POSITIVE_INFINITY, play: () => {} };
    return this.#next.atMs;
  }

  /** Something was changed from outside that may move the next happening. */
  reconsider(): void {
    this.#next = null;
  }

  schedule(atMs: number, play: () => void): void {
    this.#scheduled.push({ atMs, play });
    this.#scheduled.sort((one, other) => one.atMs - other.atMs);
    this.reconsider();
  }

  /** Plays the next happening, at its own instant. */
  step(): void {
    const next = this.#next ?? this.#findNext();
    this.#next = null;
    if (next !== null && next === this.#scheduled[0]) this.#scheduled.shift();
    next?.play();
  }

  /** Lines and sums as they stand at an instant. */
  render(invoice: Invoice, nowMs: number): WireInvoice {
    return renderAt(this.account, invoice, nowMs);
  }

  lines(invoice: Invoice, nowMs: number): WireInvoiceLine[] {
    return linesAt(this.account, invoice, nowMs);
  }

  #findNext(): Happening | null {
    const { account } = this;
    let next: (Happening & { ownMs?: number }) | null = this.#scheduled[0] ?? null;
    /** What lives by a clock happens when that has advanced, in the order of its own instants. */
    const consider = (customerId: string, ownMs: number, play: () => void) => {
      const clock = account.state.clockOf(customerId);
      if (clock !== null && ownMs > targetOf(clock)) return;
      const atMs = clock === null ? ownMs : (clock.readyAtMs ?? Number.POSITIVE_INFINITY);
      const isEarlier =
        next === null || atMs < next.atMs || (atMs === next.atMs && ownMs < (next.ownMs ?? atMs));
      if (isEarlier) next = { atMs, ownMs, play };
    };
    for (const invoice of account.state.invoices.values()) {
      const at = invoice.wire.automatically_finalizes_at;
      if (invoice.wire.status !== 'draft' || invoice.wire.auto_advance !== true || at === null) continue;
      consider(invoice.customerId, at * 1_000, () => finalizeByItself(account, invoice, at * 1_000));
    }
    for (const subscription of account.state.subscriptions.values()) {
      if (isEnded(subscription)) continue;
      const { customerId } = subscription;
      if (subscription.wire.status !== 'paused')
        consider(customerId, nextEndMs(subscription), () => endPeriod(account, subscription));
      const phase = nextPhase(account.state, subscription);
      if (phase !== null) consider(customerId, phase.startMs, () => beginPhase(account, subscription, phase));
      const resumesAt = subscription.wire.pause_collection?.resumes_at ?? null;
      if (resumesAt !== null)
        consider(customerId, resumesAt * 1_000, () => resume(account, subscription, resumesAt));
    }
    for (const clock of account.state.testClocks.values()) {
      const { readyAtMs } = clock;
      if (readyAtMs === null || (next !== null && next.atMs <= readyAtMs)) continue;
      next = { atMs: readyAtMs, play: () => finishAdvance(account, clock, readyAtMs) };
    }
    return next;
  }
}

/** Up to when a clock's customers are played: where it stands, or will. */
function targetOf({ wire }: TestClock): number {
  return (wire.status_details.advancing?.target_frozen_time ?? Number.NEGATIVE_INFINITY) * 1_000;
}

function finishAdvance(account: BillingAccount, clock: TestClock, atMs: number): void {
  const { wire } = clock;
  wire.frozen_time = wire.status_details.advancing?.target_frozen_time ?? wire.frozen_time;
  wire.status = 'ready';
  wire.status_details = {};
  clock.readyAtMs = null;
  account.emit('test_helpers.test_clock.ready', wire, atMs);
}

function resume(account: BillingAccount, subscription: Subscription, resumesAt: number): void {
  subscription.wire.pause_collection = null;
  emitSubscription(account, subscription, resumesAt * 1_000);
}
