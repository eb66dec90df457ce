import { decideFates } from '../../pricing/closing/fate.ts';
import { noteStripeReads } from '../../src/billing/stripe-reads.ts';
import { followChoices } from '../../src/billing/uninvoiced/choices.ts';
import { placeInvoiced, placeUninvoiced } from '../../src/billing/uninvoiced/place.ts';
import { restoreFound } from '../../src/billing/uninvoiced/restore.ts';
import { releaseTakenBack } from '../../src/billing/uninvoiced/taken-back.ts';
import {
  readFateFacts,
  readInvoiceTargets,
  readUndecidedPairs,
  type UndecidedPair,
} from '../../src/billing/uninvoiced/undecided.ts';
import { storeInvoiceStatus } from '../../src/closing/closes.ts';
import type { JobDependencies } from '../dependencies.ts';
import { keepReading } from './read-invoice.ts';

/** Pairs of customer and meter whose facts are read at once. */
const PAGE_SIZE = 1_000;

/**
 * Says of delivered usage on which final invoice it is, or that none has it and none will: only then is it invoiced, or
 * uninvoiced with a reason. Usage of an invoice that was taken back is decided anew. Of invoices that became final without
 * a close the lines are read first, once each. It costs with what awaits its invoice and not with history; two at once, or
 * one that is killed, come to the same.
 * @returns tokens that were found uninvoiced
 * @throws UpstreamError; what needs no reading is done
 */
export async function placeUsage(deps: JobDependencies, signal?: AbortSignal): Promise<bigint> {
  const { database, clock } = deps;
  let uninvoicedCount = await releaseTakenBack(database, clock.now());
  await restoreFound(database, clock.now());
  const first = await placeOf(deps, undefined, signal);
  uninvoicedCount += first.uninvoicedCount;
  await followChoices(database, clock.now());
  if (first.unread.size === 0) return uninvoicedCount;
  const customerIds = await readLines(deps, [...first.unread], signal);
  const second = await placeOf(deps, customerIds, signal);
  await followChoices(database, clock.now());
  return uninvoicedCount + second.uninvoicedCount;
}

/** The same for the usage of some customers, whose final invoices were read just now. */
export async function placeUsageOf(deps: JobDependencies, customerIds: readonly string[]): Promise<void> {
  if (customerIds.length > 0) await placeOf(deps, customerIds);
}

async function placeOf(
  deps: JobDependencies,
  customerIds: readonly string[] | undefined,
  signal?: AbortSignal,
): Promise<{ uninvoicedCount: bigint; unread: Set<string> }> {
  const { database, clock } = deps;
  const unread = new Set<string>();
  let uninvoicedCount = 0n;
  let after: UndecidedPair | null = null;
  for (;;) {
    signal?.throwIfAborted();
    const now = clock.now();
    const pairs = await readUndecidedPairs(database, { after, limit: PAGE_SIZE, customerIds });
    if (pairs.length === 0) return { uninvoicedCount, unread };
    const facts = await readFateFacts(database, pairs, now);
    const invoiced: Parameters<typeof placeInvoiced>[1][number][] = [];
    for (const [index, { customerId, stripeMeterId, since }] of pairs.entries()) {
      const known = facts[index];
      if (known === undefined) continue;
      for (const { span, fate } of decideFates(known, { start: since, end: now })) {
        if (fate.kind === 'unread') unread.add(fate.invoiceId);
        const placed = { customerId, stripeMeterId, span };
        if (fate.kind === 'invoiced') invoiced.push({ ...placed, invoiceId: fate.invoiceId });
        if (fate.kind === 'uninvoiced') uninvoicedCount += await hold(deps, { ...placed, ...fate }, now);
      }
    }
    uninvoicedCount += await placeInvoiced(database, invoiced, now);
    if (pairs.length < PAGE_SIZE) return { uninvoicedCount, unread };
    after = pairs.at(-1) ?? null;
  }
}

async function hold(
  { database, log }: JobDependencies,
  span: Parameters<typeof placeUninvoiced>[1],
  now: Date,
): Promise<bigint> {
  const tokenCount = await placeUninvoiced(database, span, now);
  if (tokenCount === 0n) return 0n;
  const { customerId, stripeMeterId, reason, invoiceId } = span;
  const fields = { customerId, stripeMeterId, reason, invoiceId, tokenCount: String(tokenCount) };
  if (reason === 'in_trial') log.info(fields, 'Usage of a trial is on no invoice');
  else log.error(fields, 'Usage was delivered, and no invoice has it');
  return tokenCount;
}

/** @returns whose invoices they are */
async function readLines(
  deps: JobDependencies,
  invoiceIds: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { database, invoicing, clock } = deps;
  const targets = await readInvoiceTargets(database, invoiceIds);
  await noteStripeReads(database, { purpose: 'close', now: clock.now(), readCount: targets.length });
  for (const target of targets) {
    signal?.throwIfAborted();
    const invoice = await invoicing.readInvoice(target.invoiceId, signal);
    if (invoice === null) await storeInvoiceStatus(database, target.invoiceId, 'deleted');
    else await keepReading(deps, target, invoice, signal);
  }
  return [...new Set(targets.map((target) => target.customerId))];
}
