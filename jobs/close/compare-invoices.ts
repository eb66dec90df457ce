import {
  type CloseComparison,
  type CloseDifference,
  findDraftDifferences,
} from '../../pricing/closing/certificate.ts';
import { findCarryingCustomers, readStrandedItems } from '../../src/billing/late-items.ts';
import { noteStripeReads } from '../../src/billing/stripe-reads.ts';
import { moveClose, type OpenClose, postponeClose } from '../../src/closing/closes.ts';
import { pickCloseEvidence } from '../../src/closing/evidence.ts';
import type { PushedFigures } from '../../src/closing/figures.ts';
import { sealInvoice, unsealInvoice } from '../../src/closing/progress.ts';
import { addMs, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { ClosingInvoice } from '../../src/stripe/closing/port.ts';
import type { JobDependencies } from '../dependencies.ts';
import { askSums, sumsOf } from './ask-sums.ts';
import { buildComparison, groupLines, type MeterSums } from './build-comparison.ts';
import { leaveDraft } from './claim-drafts.ts';
import { gatherCloses } from './gather-closes.ts';
import { addLateItems } from './late-items.ts';
import type { LineGroup } from './line-prices.ts';
import { addMinimumTopUps } from './minimum-top-up.ts';
import { placeUsageOf } from './place-usage.ts';
import { keepInvoice, withPlacedLines } from './read-invoice.ts';
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
  readonly #finalized = new Map<string, ClosingInvoice>();
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
        // A certificate says what of its period no invoice has.
        if (kind === 'final')
          await placeUsageOf(this.#deps, [...new Set(page.map((close) => close.customerId))]);
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
    const readCount = page.filter(({ invoiceId }) => !this.#finalized.has(invoiceId)).length;
    await noteStripeReads(database, { purpose: 'close', now: clock.now(), readCount });
  }

  /** Late usage is on a draft before it is read. */
  async #complete(close: OpenClose): Promise<void> {
    const { database, clock } = this.#deps;
    if (close.state === 'released') await sealInvoice(database, close.invoiceId, clock.now());
    if (!this.#carrying.has(close.customerId)) return;
    // Its lines say at which price usage of this very period was.
    await this.#ask(close);
    await addLateItems(this.#deps, close, this.#signal);
  }

  async #ask(close: OpenClose): Promise<void> {
    const { invoicing } = this.#deps;
    const { invoiceId } = close;
    const invoice = this.#finalized.get(invoiceId) ?? (await invoicing.readInvoice(invoiceId, this.#signal));
    if (invoice !== null) await keepInvoice(this.#deps, close, invoice, this.#signal);
    this.#invoices.set(
      invoiceId,
      invoice === null ? null : await withPlacedLines(this.#deps.database, invoice),
    );
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
    let sums: MeterSums = new Map();
    let comparison = this.#build(close, read, sums);
    let differences = findDraftDifferences(comparison);
    const lastDeliveredAt = read.pushed.reduce<Date | null>(
      (latest, { lastDeliveredAt: at }) => (at !== null && (latest === null || at > latest) ? at : latest),
      null,
    );
    const isYoung = lastDeliveredAt !== null && addMs(lastDeliveredAt, settings.summaryLagMs) > now;
    if (differences.some(({ kind }) => kind === 'quantity')) {
      const isRationed = close.heldCount > 0 || (isYoung && close.attemptCount > 0);
      sums = await askSums(deps, close, { groups: read.groups, comparison, isRationed }, this.#signal);
      comparison = this.#build(close, read, sums);
      differences = findDraftDifferences(comparison);
    }
    // What is lacking of a minimum is known when all usage is proven.
    if (differences.length > 0 && differences.every(({ kind }) => kind === 'minimum')) {
      await addMinimumTopUps(deps, close, comparison, this.#signal);
      await this.#ask(close);
      read = await this.#matchAnew(close);
      if (read === null) return await leaveDraft(deps, close, 'deleted');
      comparison = this.#build(close, read, sums);
      differences = findDraftDifferences(comparison);
    }
    const from = [close.state];
    if (differences.length === 0 || isReleased) {
      const difference = differences.length === 0 ? null : differences;
      await moveClose(database, { invoiceId, from, to: 'compared', now, comparison, difference });
      return;
    }
    if (isYoung && differences.every(({ kind }) => kind !== 'source')) {
      const waitMs = backOff(LOOK_AGAIN_MS, close.attemptCount, LONGEST_LOOK_MS);
      const nextLookAt = nextLook(now, waitMs, close.deadline);
      await postponeClose(database, { invoiceId, state: close.state, nextLookAt, error: null });
      return;
    }
    await this.#hold(close, comparison, differences);
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
    return { invoice, comparison: this.#build(close, read, sumsOf(close.comparison)) };
  }

  /** Finalized by us, and answered with all of its lines: it need not be read again. */
  noteFinal(invoice: ClosingInvoice): void {
    this.#finalized.set(invoice.invoiceId, invoice);
  }

  /** Puts a close beside what was read of it; null: its invoice is gone. */
  #match(close: OpenClose, facts: CloseFacts | null): ReadClose | null {
    const invoice = this.#invoices.get(close.invoiceId);
    if (invoice === undefined || facts === null) throw new RangeError(`${close.invoiceId} was not read`);
    if (invoice === null) return null;
    return {
      invoice,
      facts,
      groups: groupLines(invoice, facts.items, facts.earlier.get(close.invoiceId) ?? []),
      pushed: facts.pushed.get(close.invoiceId) ?? [],
    };
  }

  async #matchAnew(close: OpenClose) {
    return this.#match(close, await gatherCloses(this.#deps.database, [close], this.#invoices));
  }

  #build(
    close: OpenClose,
    { invoice, facts, groups, pushed }: ReadClose,
    stripeSums: MeterSums,
  ): CloseComparison {
    const { invoiceId, periodStart: start, periodEnd: end } = close;
    const lateItems = facts.lateItems.get(invoiceId) ?? [];
    return buildComparison({
      close,
      invoice,
      groups,
      pushed,
      tokenTypes: facts.figures.get(invoiceId) ?? [],
      heldMetrics: facts.heldMetrics.get(invoiceId) ?? [],
      // Of a final invoice, what is only planned goes to the next one.
      lateItems: lateItems.filter((item) => invoice.status === 'draft' || item.state !== 'planned'),
      minimums: facts.minimums.get(invoiceId) ?? [],
      uninvoiced: facts.uninvoiced.get(invoiceId) ?? [],
      chargedElsewhere: facts.chargedElsewhere.get(invoiceId) ?? [],
      evidence: pickCloseEvidence(facts.evidence, { start, end }),
      stripeSums,
      comparedAt: this.#deps.clock.now(),
    });
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
