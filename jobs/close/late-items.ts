import {
  followLateItem,
  type LateItem,
  markLateItemCreated,
  markLateItemInvoiced,
  moveLateItem,
  planLateItems,
  readBillingItem,
  readLateItems,
  readStrandedItems,
} from '../../src/billing/late-items.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { BillingInvoiceItem, NewInvoiceItem } from '../../src/stripe/closing/port.ts';
import type { JobDependencies } from '../dependencies.ts';

/**
 * Puts what a customer carries from earlier periods onto the draft. Each item is committed with its key before the call,
 * and Stripe is asked under that key whether it has it, however long ago that was.
 * @throws UpstreamError
 */
export async function addLateItems(
  deps: JobDependencies,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, invoicing, clock } = deps;
  await takeUpStranded(deps, close, signal);
  await planLateItems(database, { ...close, now: clock.now() });
  for (const item of await readLateItems(database, [close.invoiceId])) {
    if (item.state !== 'planned') continue;
    const { invoiceItemId } = await invoicing.createInvoiceItem(
      {
        stripeCustomerId: close.stripeCustomerId,
        invoiceId: close.invoiceId,
        currency: item.currency,
        description: item.description,
        ...(item.unitAmountDecimal === null
          ? { amountMinor: item.amountMinor }
          : { quantity: item.tokenCount, unitAmountDecimal: item.unitAmountDecimal }),
        period: { start: item.periodStart, end: item.periodEnd },
        ...(await taxOf(database, item)),
        metadata: metadataOf(item),
        idempotencyKey: item.idempotencyKey,
      },
      signal,
    );
    await markLateItemCreated(database, {
      lateItemId: item.lateItemId,
      invoiceItemId,
      now: clock.now(),
    });
  }
}

/** Taxed as the usage would have been on the invoice that it missed. */
async function taxOf(database: LedgerDatabase, item: LateItem): Promise<Pick<NewInvoiceItem, 'taxedAs'>> {
  const taxedAs = await readBillingItem(database, item);
  return taxedAs === null ? {} : { taxedAs };
}

function metadataOf(item: LateItem): Record<string, string> {
  return {
    tallystick_late_item: String(item.lateItemId),
    tallystick_token_count: String(item.tokenCount),
    ...(item.missedInvoiceId === null ? {} : { tallystick_missed_invoice: item.missedInvoiceId }),
  };
}

/** Items of drafts that came to nothing: Stripe says where each is now, if anywhere. */
async function takeUpStranded(
  deps: JobDependencies,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock } = deps;
  const stranded = await readStrandedItems(database, [close.customerId]);
  if (stranded.length === 0) return;
  const known = await deps.invoicing.listInvoiceItems(close.stripeCustomerId, signal);
  const byKey = new Map(known.map((item) => [item.idempotencyKey, item]));
  for (const item of stranded) {
    const found = byKey.get(item.idempotencyKey);
    if (found === undefined) await moveLateItem(database, item, close);
    else await follow(deps, item, found, close, clock.now());
  }
}

async function follow(
  deps: JobDependencies,
  item: LateItem,
  found: BillingInvoiceItem,
  close: OpenClose,
  now: Date,
): Promise<void> {
  const { invoiceItemId, invoiceId } = found;
  // Pending, it will be on a draft that Stripe makes later, and on none that exists.
  if (invoiceId === null) return;
  if (invoiceId === close.invoiceId) {
    await followLateItem(deps.database, item, { invoiceId, invoiceItemId, now });
    return;
  }
  await markLateItemInvoiced(deps.database, { lateItemId: item.lateItemId, invoiceItemId, now });
}
