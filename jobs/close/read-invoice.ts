import { storeInvoiceLines } from '../../src/billing/invoice-lines.ts';
import { findUnknownPrices, storeLinePrice } from '../../src/catalog/item-prices.ts';
import { findUnreadInvoices } from '../../src/closing/beside-lines.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import type { ClosingInvoice } from '../../src/stripe/closing/port.ts';
import { noTargets } from '../../src/stripe/event-targets.ts';
import type { JobDependencies } from '../dependencies.ts';
import { isOwnItem } from './build-comparison.ts';

/**
 * Keeps an invoice as Stripe shows it, and what belongs to it: prices of its items that the ledger never saw, and invoices
 * that were made within its period.
 * @throws UpstreamError
 */
export async function keepInvoice(
  deps: JobDependencies,
  close: OpenClose,
  invoice: ClosingInvoice,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, invoicing } = deps;
  await keepReading(deps, close, invoice, signal);
  for (const invoiceId of await findUnreadInvoices(database, close)) {
    const other = await invoicing.readInvoice(invoiceId, signal);
    if (other !== null) await keepReading(deps, close, other, signal);
  }
}

async function keepReading(
  deps: JobDependencies,
  close: OpenClose,
  invoice: ClosingInvoice,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock } = deps;
  const readAt = clock.now();
  const ofItems = invoice.lines.filter((line) => line.invoiceItemId !== null && !isOwnItem(line));
  const priceIds = ofItems.flatMap(({ priceId }) => priceId ?? []);
  const unknown = await findUnknownPrices(database, close.subscriptionId, priceIds);
  if (unknown.length > 0) await keepPrices(deps, close, unknown, signal);
  await database.transaction().execute((transaction) => storeInvoiceLines(transaction, [invoice], readAt));
}

/** An item may have had a price for so short a time that no listing showed it. */
async function keepPrices(
  { database, billing, clock }: JobDependencies,
  close: OpenClose,
  priceIds: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const invoicesSince = close.periodStart;
  const { prices } = await billing.readCatalogObjects(
    { ...noTargets(), priceIds: [...priceIds] },
    { invoicesSince },
    signal,
  );
  const productIds = prices.map(({ productId }) => productId);
  const { products } = await billing.readCatalogObjects(
    { ...noTargets(), productIds },
    { invoicesSince },
    signal,
  );
  const names = new Map(products.map(({ productId, name }) => [productId, name]));
  for (const { priceId, productId, stripeMeterId, priceByCurrency } of prices) {
    const productName = names.get(productId) ?? productId;
    const price = priceByCurrency[close.currency] ?? null;
    await storeLinePrice(database, close, { priceId, productName, stripeMeterId, price }, clock.now());
  }
}
