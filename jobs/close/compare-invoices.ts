import {
  type CloseComparison,
  type CloseDifference,
  findCloseDifferences,
} from '../../pricing/closing/certificate.ts';
import { storeInvoiceLines } from '../../src/billing/invoice-lines.ts';
import { findCarryingCustomers, readStrandedItems } from '../../src/billing/late-items.ts';
import { noteStripeReads, refundUnanswered, takeStripeRead } from '../../src/billing/stripe-reads.ts';
import { moveClose, type OpenClose, postponeClose } from '../../src/closing/closes.ts';
import { pickCloseEvidence } from '../../src/closing/evidence.ts';
import type { PushedFigures } from '../../src/closing/figures.ts';
import { sealInvoice, unsealInvoice } from '../../src/closing/progress.ts';
import { addMs, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { ClosingInvoice } from '../../src/stripe/closing/port.ts';
import type { JobDependencies } from '../dependencies.ts';
import { buildComparison, groupLines, type LineGroup } from './build-comparison.ts';
import { leaveDraft } from './claim-drafts.ts';
import { gatherCloses } from './gather-closes.ts';
import { addLateItems } from './late-items.ts';
import { addMinimumTopUps } from './minimum-top-up.ts';
import { backOff, nextLook } from './run-closes.ts';

/** A line that Stripe may still be adding to is looked at again so soon, then later and later. */
const LOOK_AGAIN_MS = 5 * MINUTE_MS;
const LONGEST_LOOK_MS = 30 * MINUTE_MS;
/** A held invoice is looked at again by itself, in case a repair has reached it. */
const HELD_AGAIN_MS = 15 * MINUTE_MS;
const LONGEST_HELD_MS = 2 * HOUR_MS;

/** What the ledger knows of a page of closes, as it was at one instant. */
type CloseFacts = Awaited<ReturnType<typeof gatherCloses>>;

/** One close beside what Stripe and the ledger say of it. */
interface ReadClose {
  invoice: ClosingInvoice;
  facts: CloseFacts;
  groups: LineGroup[];
  pushed: readonly PushedFigures[];
}

/**
 * Holds invoices against the ledger: Stripe is asked for a page of them, then the ledger is read for all in one snapshot,
 * and each is decided from these two alone.
 */
export class InvoiceComparer {
  readonly #deps: JobDependencies;
  readonly #signal: AbortSignal | undefined;
  #carrying = new Set<string>();
  /** As Stripe shows them; null: deleted. */
  readonly #invoices = new Map<string, ClosingInvoice | null>();
  #facts: CloseFacts | null = null;
  heldCount = 0;

  constructor(deps: JobDependencies, signal: AbortSignal | undefined) {
    this.#deps = deps;
    this.#signal = signal;
  }

  /** For drafts, and for what became final without us: nothing is put on that any more. */
  readingOf(kind: 'draft' | 'final') {
    return {
      begin: (page: readonly OpenClose[]) => this.#begin(page),
      ask: async (close: OpenClose) => {
        if (kind === 'draft') await this.#complete(close);
        await this.#ask(close);
      },
      gather: async (page: readonly OpenClose[]) => {
        this.#facts = await gatherCloses(this.#deps.database, page, this.#invoices);
      },
    };
  }

  async #begin(page: readonly OpenClose[]): Promise<void> {
    const { database, clock } = this.#deps;
    const customerIds = [...new Set(page.map((close) => close.customerId))];
    this.#invoices.clear();
    this.#carrying = await findCarryingCustomers(database, customerIds);
    for (const item of await readStrandedItems(database, customerIds)) this.#carrying.add(item.customerId);
    await noteStripeReads(database, { purpose: 'close', now: clock.now(), readCount: page.length });
  }

  /** Late usage is on a draft before it is read. */
  async #complete(close: OpenClose): Promise<void> {
    const { database, clock } = this.#deps;
    if (close.state === 'released') await sealInvoice(database, close.invoiceId, clock.now());
    if (this.#carrying.has(close.customerId)) await addLateItems(this.#deps, close, this.#signal);
  }

  async #ask({ invoiceId }: OpenClose): Promise<void> {
    const { database, invoicing, clock } = this.#deps;
    const invoice = await invoicing.readInvoice(invoiceId, this.#signal);
    this.#invoices.set(invoiceId, invoice);
    if (invoice === null) return;
    const readAt = clock.now();
    await database.transaction().execute((transaction) => storeInvoiceLines(transaction, [invoice], readAt));
  }

  /** A draft of which nothing is due: equal, it goes on; else Stripe is given its time, and then it is held. */
  async compareDraft(close: OpenClose): Promise<void> {
    const deps = this.#deps;
    const { database, clock, settings } = deps;
    const { invoiceId } = close;
    const isReleased = close.state === 'released';
    let read = this.#match(close, this.#facts);
    if (read === null) return await leaveDraft(deps, close, 'deleted');
    const { invoice, groups } = read;
    if (invoice.status !== 'draft')
      return await leaveDraft(deps, close, invoice.status === 'void' ? 'voided' : 'already_final');
    // Paused since it was claimed: a customer who was told that he is not billed is not billed by us.
    if (groups.length === 0 || invoice.collectionPause === 'keep_as_draft') {
      await unsealInvoice(database, invoiceId);
      return await leaveDraft(deps, close, 'left_alone');
    }
    const now = clock.now();
    let comparison = this.#build(close, read, new Map());
    let differences = findCloseDifferences(comparison);
    // What is lacking of a minimum is known when all usage is on the draft.
    if (differences.length > 0 && differences.every(({ kind }) => kind === 'minimum')) {
      await addMinimumTopUps(deps, close, comparison, this.#signal);
      await this.#ask(close);
      read = await this.#matchAnew(close);
      if (read === null) return await leaveDraft(deps, close, 'deleted');
      comparison = this.#build(close, read, new Map());
      differences = findCloseDifferences(comparison);
    }
    const from = [close.state];
    if (differences.length === 0 || isReleased) {
      const difference = differences.length === 0 ? null : differences;
      await moveClose(database, { invoiceId, from, to: 'compared', now, comparison, difference });
      return;
    }
    const lastDeliveredAt = read.pushed.reduce<Date | null>(
      (latest, { lastDeliveredAt: at }) => (at !== null && (latest === null || at > latest) ? at : latest),
      null,
    );
    const isYoung = lastDeliveredAt !== null && addMs(lastDeliveredAt, settings.summaryLagMs) > now;
    if (isYoung && differences.every(({ kind }) => kind !== 'source')) {
      const waitMs = backOff(LOOK_AGAIN_MS, close.attemptCount, LONGEST_LOOK_MS);
      const nextLookAt = nextLook(now, waitMs, close.deadline);
      await postponeClose(database, { invoiceId, state: close.state, nextLookAt, error: null });
      return;
    }
    const stripeTokens = await this.#askStripe(close, read.groups, comparison);
    await this.#hold(close, this.#build(close, read, stripeTokens), differences);
  }

  /** What became final without us, as it is. */
  async compareFinal(
    close: OpenClose,
  ): Promise<{ invoice: ClosingInvoice; comparison: CloseComparison } | null> {
    const read = this.#match(close, this.#facts);
    if (read === null) {
      await leaveDraft(this.#deps, close, 'deleted');
      return null;
    }
    const { invoice } = read;
    if (invoice.status === 'void') {
      await leaveDraft(this.#deps, close, 'voided');
      return null;
    }
    return { invoice, comparison: this.#build(close, read, new Map()) };
  }

  /** Puts a close beside what was read of it; null: its invoice is gone. */
  #match(close: OpenClose, facts: CloseFacts | null): ReadClose | null {
    const invoice = this.#invoices.get(close.invoiceId);
    if (invoice === undefined || facts === null) throw new RangeError(`${close.invoiceId} was not read`);
    if (invoice === null) return null;
    return {
      invoice,
      facts,
      groups: groupLines(invoice, facts.items),
      pushed: facts.pushed.get(close.invoiceId) ?? [],
    };
  }

  async #matchAnew(close: OpenClose) {
    return this.#match(close, await gatherCloses(this.#deps.database, [close], this.#invoices));
  }

  #build(
    close: OpenClose,
    { invoice, facts, groups, pushed }: ReadClose,
    stripeTokens: ReadonlyMap<string, bigint>,
  ): CloseComparison {
    const { invoiceId, periodStart: start, periodEnd: end } = close;
    const lateItems = facts.lateItems.get(invoiceId) ?? [];
    return buildComparison({
      close,
      invoice,
      groups,
      pushed,
      tokenTypes: facts.figures.get(invoiceId) ?? [],
      // Of a final invoice, what is only planned goes to the next one.
      lateItems: lateItems.filter((item) => invoice.status === 'draft' || item.state !== 'planned'),
      minimums: facts.minimums.get(invoiceId) ?? [],
      evidence: pickCloseEvidence(facts.evidence, { start, end }),
      stripeTokens,
      comparedAt: this.#deps.clock.now(),
    });
  }

  /** Stripe's own sums of the meters whose line differs: they tell whether a push is lost, or the line wrong. */
  async #askStripe(
    close: OpenClose,
    groups: readonly LineGroup[],
    comparison: CloseComparison,
  ): Promise<Map<string, bigint>> {
    const { database, billing, clock, settings } = this.#deps;
    const sums = new Map<string, bigint>();
    const limitPerDay = settings.stripeDoubtReadsPerDay;
    for (const [index, group] of groups.entries()) {
      const meter = comparison.meters[index];
      if (meter === undefined || meter.invoiceQuantity === meter.pushedTokens) continue;
      const window = { start: group.periodStart, end: group.periodEnd };
      // Sums are told by the hour; of a period that begins inside one they would say something else.
      if (+window.start % HOUR_MS !== 0 || +window.end % HOUR_MS !== 0) continue;
      const read = { purpose: 'doubt', now: clock.now(), limitPerDay } as const;
      if (!(await takeStripeRead(database, read))) break;
      const { stripeMeterId } = group.item;
      const { stripeCustomerId } = close;
      const rows = await refundUnanswered(database, read, () =>
        billing.readEventSummaries(
          { stripeMeterId, stripeCustomerId, window, granularity: 'whole' },
          this.#signal,
        ),
      );
      sums.set(
        stripeMeterId,
        rows.reduce((sum, row) => sum + row.value, 0n),
      );
    }
    return sums;
  }

  async #hold(
    close: OpenClose,
    comparison: CloseComparison,
    differences: readonly CloseDifference[],
  ): Promise<void> {
    const { database, clock, log } = this.#deps;
    const { invoiceId, customerId, deadline } = close;
    const now = clock.now();
    const nextLookAt = nextLook(now, backOff(HELD_AGAIN_MS, close.heldCount, LONGEST_HELD_MS), deadline);
    const [first] = differences;
    const note =
      first === undefined
        ? 'differs'
        : `${first.kind} of ${first.subject}: ${first.found} instead of ${first.expected}${differences.length > 1 ? `, and ${differences.length - 1} more` : ''}`;
    const moved = await moveClose(database, {
      invoiceId,
      from: [close.state],
      to: 'held',
      // A repair may reach the draft while it is held.
      unseals: true,
      now,
      comparison,
      difference: differences,
      nextLookAt,
      note,
    });
    if (!moved) return;
    this.heldCount += 1;
    log.error(
      { invoiceId, customerId, deadline, differences },
      'An invoice is held: it differs from the ledger',
    );
  }
}
