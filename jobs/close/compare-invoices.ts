import {
  type CloseComparison,
  type CloseDifference,
  type CloseTokenTypeFigures,
  findCloseDifferences,
} from '../../pricing/closing/certificate.ts';
import { storeInvoiceLines } from '../../src/billing/invoice-lines.ts';
import { findCarryingCustomers, readLateItems, readStrandedItems } from '../../src/billing/late-items.ts';
import { type PlanMinimum, readPlanMinimums } from '../../src/billing/minimums.ts';
import { noteStripeReads, takeStripeRead } from '../../src/billing/stripe-reads.ts';
import { moveClose, type OpenClose, postponeClose } from '../../src/closing/closes.ts';
import {
  type CloseEvidenceFacts,
  type ClosingItem,
  pickCloseEvidence,
  readCloseEvidence,
  readClosingItems,
} from '../../src/closing/evidence.ts';
import { type PushedFigures, readCloseFigures, readPushedFigures } from '../../src/closing/figures.ts';
import { sealInvoice, unsealInvoice } from '../../src/closing/progress.ts';
import { addMs, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { ClosingInvoice } from '../../src/stripe/closing/port.ts';
import type { JobDependencies } from '../dependencies.ts';
import { buildComparison, groupLines, type LineGroup } from './build-comparison.ts';
import { leaveDraft } from './claim-drafts.ts';
import { addLateItems } from './late-items.ts';
import { addMinimumTopUps } from './minimum-top-up.ts';
import { backOff } from './run-closes.ts';

/** A line that Stripe may still be adding to is looked at again so soon, then later and later. */
const LOOK_AGAIN_MS = 5 * MINUTE_MS;
const LONGEST_LOOK_MS = 30 * MINUTE_MS;
/** A held invoice is looked at again by itself, in case a repair has reached it. */
const HELD_AGAIN_MS = 15 * MINUTE_MS;
const LONGEST_HELD_MS = 2 * HOUR_MS;

/** Holds invoices against the ledger, with what a page of them needs read in a few statements. */
export class InvoiceComparer {
  readonly #deps: JobDependencies;
  readonly #signal: AbortSignal | undefined;
  #figures = new Map<string, CloseTokenTypeFigures[]>();
  #items = new Map<string, ClosingItem>();
  #carrying = new Set<string>();
  #minimums = new Map<string, PlanMinimum[]>();
  #evidence: CloseEvidenceFacts | null = null;
  heldCount = 0;

  constructor(deps: JobDependencies, signal: AbortSignal | undefined) {
    this.#deps = deps;
    this.#signal = signal;
  }

  async prepare(page: readonly OpenClose[]): Promise<void> {
    const { database, clock } = this.#deps;
    const customerIds = [...new Set(page.map((close) => close.customerId))];
    const subscriptionIds = [...new Set(page.map((close) => close.subscriptionId))];
    this.#figures = await readCloseFigures(database, page);
    this.#items = await readClosingItems(database, subscriptionIds);
    this.#minimums = await readPlanMinimums(
      database,
      page.map((close) => close.invoiceId),
    );
    this.#carrying = await findCarryingCustomers(database, customerIds);
    for (const item of await readStrandedItems(database, customerIds)) this.#carrying.add(item.customerId);
    this.#evidence = await readCloseEvidence(
      database,
      page.map((close) => close.periodStart),
    );
    await noteStripeReads(database, { purpose: 'close', now: clock.now(), readCount: page.length });
  }

  /** A draft of which nothing is due: equal, it goes on; else Stripe is given its time, and then it is held. */
  async compareDraft(close: OpenClose): Promise<void> {
    const deps = this.#deps;
    const { database, clock, settings } = deps;
    const { invoiceId } = close;
    const isReleased = close.state === 'released';
    if (isReleased) await sealInvoice(database, invoiceId, clock.now());
    if (this.#carrying.has(close.customerId)) await addLateItems(deps, close, this.#signal);
    let read = await this.#read(close);
    if (read === null) return await leaveDraft(deps, close, 'deleted');
    const { invoice, groups, pushed } = read;
    if (invoice.status !== 'draft')
      return await leaveDraft(deps, close, invoice.status === 'void' ? 'voided' : 'already_final');
    // Paused since it was claimed: a customer who was told that he is not billed is not billed by us.
    if (groups.length === 0 || invoice.collectionPause === 'keep_as_draft') {
      await unsealInvoice(database, invoiceId);
      return await leaveDraft(deps, close, 'left_alone');
    }
    const now = clock.now();
    let comparison = await this.#build(close, read, new Map());
    let differences = findCloseDifferences(comparison);
    // What is lacking of a minimum is known when all usage is on the draft.
    if (differences.length > 0 && differences.every(({ kind }) => kind === 'minimum')) {
      await addMinimumTopUps(deps, close, comparison, this.#signal);
      read = await this.#read(close);
      if (read === null) return await leaveDraft(deps, close, 'deleted');
      comparison = await this.#build(close, read, new Map());
      differences = findCloseDifferences(comparison);
    }
    const from = [close.state];
    if (differences.length === 0 || isReleased) {
      const difference = differences.length === 0 ? null : differences;
      await moveClose(database, { invoiceId, from, to: 'compared', now, comparison, difference });
      return;
    }
    const lastDeliveredAt = pushed.reduce<Date | null>(
      (latest, { lastDeliveredAt: at }) => (at !== null && (latest === null || at > latest) ? at : latest),
      null,
    );
    const isYoung = lastDeliveredAt !== null && addMs(lastDeliveredAt, settings.summaryLagMs) > now;
    if (isYoung && differences.every(({ kind }) => kind !== 'source')) {
      const waitMs = backOff(LOOK_AGAIN_MS, close.attemptCount, LONGEST_LOOK_MS);
      const nextLookAt = addMs(now, waitMs);
      await postponeClose(database, { invoiceId, state: close.state, nextLookAt, error: null });
      return;
    }
    await this.#hold(
      close,
      await this.#build(close, read, await this.#askStripe(close, groups, comparison)),
      differences,
    );
  }

  /** What became final without us, as it is. */
  async compareFinal(
    close: OpenClose,
  ): Promise<{ invoice: ClosingInvoice; comparison: CloseComparison } | null> {
    const read = await this.#read(close);
    if (read === null) {
      await leaveDraft(this.#deps, close, 'deleted');
      return null;
    }
    const { invoice } = read;
    if (invoice.status === 'void') {
      await leaveDraft(this.#deps, close, 'voided');
      return null;
    }
    return { invoice, comparison: await this.#build(close, read, new Map()) };
  }

  async #read(close: OpenClose) {
    const { database, invoicing, clock } = this.#deps;
    const invoice = await invoicing.readInvoice(close.invoiceId, this.#signal);
    if (invoice === null) return null;
    const readAt = clock.now();
    await database.transaction().execute((transaction) => storeInvoiceLines(transaction, [invoice], readAt));
    const groups = groupLines(invoice, this.#items);
    const pushed = await readPushedFigures(
      database,
      close.customerId,
      groups.map(({ item, periodStart, periodEnd }) => ({
        stripeMeterId: item.stripeMeterId,
        periodStart,
        periodEnd,
      })),
    );
    return { invoice, groups, pushed };
  }

  async #build(
    close: OpenClose,
    read: { invoice: ClosingInvoice; groups: LineGroup[]; pushed: PushedFigures[] },
    stripeTokens: ReadonlyMap<string, bigint>,
  ): Promise<CloseComparison> {
    const { database, clock } = this.#deps;
    const { periodStart: start, periodEnd: end } = close;
    const lateItems = await readLateItems(database, [close.invoiceId]);
    const facts = this.#evidence ?? (await readCloseEvidence(database, [start]));
    return buildComparison({
      close,
      ...read,
      tokenTypes: this.#figures.get(close.invoiceId) ?? [],
      // Of a final invoice, what is only planned goes to the next one.
      lateItems: lateItems.filter((item) => read.invoice.status === 'draft' || item.state !== 'planned'),
      minimums: this.#minimums.get(close.invoiceId) ?? [],
      evidence: pickCloseEvidence(facts, { start, end }),
      stripeTokens,
      comparedAt: clock.now(),
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
      if (!(await takeStripeRead(database, { purpose: 'doubt', now: clock.now(), limitPerDay }))) break;
      const { stripeMeterId } = group.item;
      const rows = await billing.readEventSummaries(
        { stripeMeterId, stripeCustomerId: close.stripeCustomerId, window, granularity: 'whole' },
        this.#signal,
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
    const nextLookAt = addMs(now, backOff(HELD_AGAIN_MS, close.heldCount, LONGEST_HELD_MS));
    const [first] = differences;
    const note =
      first === undefined
        ? 'differs'
        : `${first.kind} of ${first.subject}: ${first.found} instead of ${first.expected}${differences.length > 1 ? `, and ${differences.length - 1} more` : ''}`;
    const moved = await moveClose(database, {
      invoiceId,
      from: [close.state],
      to: 'held',
      now,
      comparison,
      difference: differences,
      nextLookAt,
      note,
    });
    if (!moved) return;
    // A repair may reach the draft while it is held.
    await unsealInvoice(database, invoiceId);
    this.heldCount += 1;
    log.error(
      { invoiceId, customerId, deadline, differences },
      'An invoice is held: it differs from the ledger',
    );
  }
}
