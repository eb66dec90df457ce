import { billedTokens, type CloseMeterFigures } from '../../pricing/closing/meter.ts';
import { groupTokens, speakLine, speakMemo, speakPeriod } from '../../pricing/closing/words.ts';
import { rateFurther } from '../../pricing/rating/rate-further.ts';
import { endClose, readPrice } from '../../src/closing/certificates.ts';
import { moveClose, type OpenClose, postponeClose } from '../../src/closing/closes.ts';
import { hasLaterPush } from '../../src/closing/progress.ts';
import { addMs, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { ClosingInvoice, InvoiceAnnotation } from '../../src/stripe/closing/port.ts';
import { refusalOf } from '../../src/stripe/closing/refusals.ts';
import type { JobDependencies } from '../dependencies.ts';
import { leaveDraft } from './claim-drafts.ts';
import type { InvoiceComparer } from './compare-invoices.ts';
import { holdRefused } from './hold-refused.ts';

/** Stripe's own limits. */
const CUSTOM_FIELD_LIMIT = 4;
const FIELD_VALUE_LENGTH = 140;
const MEMO_LENGTH = 1_500;
const LINE_LENGTH = 500;
const AGAIN_MS = 5 * MINUTE_MS;
/** By when Stripe has finalized a draft at its deadline, if it does. */
const STRIPE_FINALIZES_MS = HOUR_MS;

/** What passes by itself is tried so often before a person is told; each try counts twice, begun and failed. */
const PASSING_TRIES = 8;

const keyOf = (invoiceId: string, step: string) => `tallystick_close_${invoiceId}_${step}`;

/** Writes what the customer reads: lines as people speak, the period, and where the usage is told in full. */
export async function annotateInvoice(
  deps: JobDependencies,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { invoiceId, comparison } = close;
  if (comparison === null) throw new RangeError(`close of ${invoiceId} was never compared`);
  const outcome = await deps.invoicing.annotateInvoice(
    invoiceId,
    await describe(deps, close, comparison),
    signal,
  );
  if (outcome !== 'annotated') return await leaveDraft(deps, close, outcome);
  const now = deps.clock.now();
  await moveClose(deps.database, { invoiceId, from: ['compared'], to: 'annotated', now });
}

async function describe(
  deps: JobDependencies,
  close: OpenClose,
  comparison: NonNullable<OpenClose['comparison']>,
): Promise<InvoiceAnnotation> {
  const { period, meters, lateItems } = comparison;
  const statementUrl = (await deps.statementUrl?.(close.invoiceId)) ?? null;
  const sum = (counts: readonly string[]) => counts.reduce((total, count) => total + BigInt(count), 0n);
  const lateTokens = sum(lateItems.map((item) => item.tokenCount));
  // What the draft shows may stand still until it is final: what was delivered is what will be charged.
  const tokens = meters.reduce((total, meter) => total + billedTokens(meter), 0n) + lateTokens;
  const fields = [
    { name: 'Usage period', value: speakPeriod(period.start, period.end) },
    { name: 'Tokens', value: groupTokens(tokens) },
  ];
  return {
    memo: speakMemo({ ...period, statementUrl, lateTokens }).slice(0, MEMO_LENGTH),
    customFields: fields
      .slice(0, CUSTOM_FIELD_LIMIT)
      .map(({ name, value }) => ({ name, value: value.slice(0, FIELD_VALUE_LENGTH) })),
    lines: meters.flatMap(describeLines),
    idempotencyKey: keyOf(close.invoiceId, 'annotate'),
  };
}

/**
 * The lines that a draft has, with the quantities that they will charge: by our own rating, for the draft's may stand
 * still. Lines that it does not have yet are told by the statement. Of a price with tiers each says which one it is, if
 * there are several.
 */
function describeLines(meter: CloseMeterFigures) {
  const { productName, lines } = meter;
  const price = readPrice(meter.price);
  const charged =
    price === null
      ? lines.flatMap((line) => (line.quantity === null ? [] : [BigInt(line.quantity)]))
      : rateFurther(BigInt(meter.pushedTokens), price, beforeOf(meter))
          .filter(({ amountMinor }) => amountMinor >= 0n)
          .map((line) => line.quantity);
  let tierNumber = 0;
  return lines.flatMap((line) => {
    // What is taken back of an instalment says so by itself.
    if (BigInt(line.amountMinor) < 0n) return [];
    if (line.quantity !== null) tierNumber += 1;
    const description = speakLine({
      productName,
      quantity: line.quantity === null ? null : (charged[tierNumber - 1] ?? 0n),
      tierNumber: charged.length > 1 ? tierNumber : null,
    });
    return [{ lineId: line.lineId, description: description.slice(0, LINE_LENGTH) }];
  });
}

function beforeOf({ earlier }: CloseMeterFigures) {
  return earlier === undefined
    ? null
    : { tokenCount: BigInt(earlier.tokenCount), amountMinor: BigInt(earlier.amountMinor) };
}

/**
 * Finalizes. The attempt is on record before the call: when the answer is lost, the next run finds the invoice final and
 * knows that it was us. A push that slipped in since the comparison sends it back; a refusal that a person must mend
 * holds it. The certificate waits for the final lines, because a draft's quantities prove nothing of them.
 */
export async function finalizeInvoice(
  deps: JobDependencies,
  comparer: InvoiceComparer,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock, invoicing } = deps;
  const { invoiceId, comparison } = close;
  if (comparison === null) throw new RangeError(`close of ${invoiceId} was never compared`);
  const comparedAt = new Date(comparison.comparedAt);
  if (close.releasedBy === null && (await hasLaterPush(database, { ...close, comparedAt }))) {
    const note = 'a push came in since it was compared';
    await moveClose(database, {
      invoiceId,
      from: ['annotated'],
      to: 'rescanned',
      unseals: true,
      now: clock.now(),
      note,
    });
    return;
  }
  const wasTried = close.attemptCount > 0;
  await postponeClose(database, { invoiceId, state: 'annotated', nextLookAt: clock.now(), error: null });
  const outcome = await tryToFinalize(deps, close, signal);
  if (outcome === 'held') return;
  if (outcome === 'deleted') return await leaveDraft(deps, close, 'deleted');
  if (outcome === 'already_final') {
    const invoice = wasTried ? await invoicing.readInvoice(invoiceId, signal) : null;
    if (invoice === null || !isOurs(invoice, close)) return await leaveDraft(deps, close, 'already_final');
    comparer.noteFinal(invoice);
  } else if (outcome.invoice !== null) comparer.noteFinal(outcome.invoice);
  await moveClose(database, { invoiceId, from: ['annotated'], to: 'issued', now: clock.now() });
}

/** Asks Stripe to; `held`: it refuses, and a person must mend what stands in the way. */
async function tryToFinalize(deps: JobDependencies, close: OpenClose, signal: AbortSignal | undefined) {
  const { invoiceId, attemptCount } = close;
  try {
    return await deps.invoicing.finalizeInvoice(
      invoiceId,
      { idempotencyKey: keyOf(invoiceId, 'finalize') },
      signal,
    );
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null || (refusal.passes && attemptCount < PASSING_TRIES)) throw error;
    await holdRefused(deps, close, refusal);
    return 'held';
  }
}

/** From the deadline on Stripe finalizes by itself. */
function isOurs({ status, finalizedAt }: ClosingInvoice, { deadline }: OpenClose): boolean {
  return status !== 'void' && finalizedAt !== null && (deadline === null || finalizedAt < deadline);
}

/** Holds the final lines of an invoice that we finalized against the ledger, and stores the certificate. */
export async function certifyIssued(
  deps: JobDependencies,
  comparer: InvoiceComparer,
  close: OpenClose,
): Promise<void> {
  const found = await comparer.compareFinal(close);
  if (found === null) return;
  const { comparison, invoice } = found;
  const { clock, database, log } = deps;
  const end = { outcome: 'finalized', comparison, invoiceStatus: invoice.status, now: clock.now() } as const;
  const certificate = await endClose(database, close, end);
  if (certificate === null || close.releasedBy !== null) return;
  const { driftTokenCount, driftAmountMinor } = certificate;
  if (driftTokenCount === 0n && driftAmountMinor === 0n) return;
  log.error(
    {
      invoiceId: close.invoiceId,
      customerId: close.customerId,
      driftTokenCount: String(driftTokenCount),
      driftAmountMinor: String(driftAmountMinor),
    },
    'An invoice that was proven before it was finalized differs from the ledger now',
  );
}

/** Stripe has not done it at the deadline, and will not: nobody but us comes back to such a draft. */
async function finalizeOverdue(
  deps: JobDependencies,
  comparer: InvoiceComparer,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock } = deps;
  const { invoiceId, state, comparison, difference } = close;
  const outcome = await tryToFinalize(deps, close, signal);
  if (outcome === 'held') return;
  if (outcome === 'deleted') return await leaveDraft(deps, close, 'deleted');
  const now = clock.now();
  if (outcome === 'already_final' || comparison === null || difference !== null) {
    // As Stripe would have left it: it is examined as it is.
    await postponeClose(database, { invoiceId, state, nextLookAt: now, error: null });
    return;
  }
  if (outcome.invoice !== null) comparer.noteFinal(outcome.invoice);
  await moveClose(database, { invoiceId, from: [state], to: 'issued', now });
}

/** An invoice that became final without us: examined once, and certified with whatever it shows. */
export async function examineOvertaken(
  deps: JobDependencies,
  comparer: InvoiceComparer,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock, log } = deps;
  const { invoiceId } = close;
  const found = await comparer.compareFinal(close);
  if (found === null) return;
  const now = clock.now();
  if (found.invoice.status === 'draft') {
    if (close.deadline !== null && now >= addMs(close.deadline, STRIPE_FINALIZES_MS)) {
      return await finalizeOverdue(deps, comparer, close, signal);
    }
    await postponeClose(database, {
      invoiceId,
      state: close.state,
      nextLookAt: addMs(now, AGAIN_MS),
      error: null,
    });
    return;
  }
  if (found.comparison.meters.length === 0) return await leaveDraft(deps, close, 'left_alone');
  const certificate = await endClose(database, close, {
    outcome: 'finalized_without_us',
    comparison: found.comparison,
    invoiceStatus: found.invoice.status,
    now,
  });
  if (certificate === null) return;
  const { driftTokenCount, driftAmountMinor } = certificate;
  const fields = {
    invoiceId,
    customerId: close.customerId,
    driftTokenCount: String(driftTokenCount),
    driftAmountMinor: String(driftAmountMinor),
  };
  if (driftTokenCount === 0n && driftAmountMinor === 0n)
    log.warn(fields, 'An invoice was final before it was closed');
  else log.error(fields, 'An invoice was final before it was closed, and differs from the ledger');
}
