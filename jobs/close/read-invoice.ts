import { readInvoiceLines, storeInvoiceLines } from '../../src/billing/invoice-lines.ts';
import type { InvoiceTarget } from '../../src/billing/uninvoiced/undecided.ts';
import { storeInvoiceQuantities } from '../../src/catalog/invoice-quantities.ts';
import { findUnknownPrices, storeLinePrice } from '../../src/catalog/item-prices.ts';
import { findUnreadInvoices } from '../../src/closing/beside-lines.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { ClosingInvoice, ClosingInvoiceLine } from '../../src/stripe/closing/port.ts';
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
  for (const invoiceId of await findUnreadInvoices(database, close)) {
    const other = await invoicing.readInvoice(invoiceId, signal);
    if (other !== null) await keepReading(deps, close, other, signal);
  }
  await keepReading(deps, close, invoice, signal);
}

/** Keeps one invoice's lines, and prices that the ledger never saw. */
export async function keepReading(
  deps: JobDependencies,
  close: InvoiceTarget,
  invoice: ClosingInvoice,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock } = deps;
  const readAt = clock.now();
  const ofItems = invoice.lines.filter((line) => line.invoiceItemId !== null && !isOwnItem(line));
  const priceIds = ofItems.flatMap(({ priceId }) => priceId ?? []);
  const unknown = await findUnknownPrices(database, close.subscriptionId, priceIds);
  if (unknown.length > 0) await keepPrices(deps, close, unknown, signal);
  await database.transaction().execute(async (transaction) => {
    await storeInvoiceLines(transaction, [invoice], readAt);
    const meteredLines = invoice.lines.flatMap((line) => toMeteredLine(line, invoice));
    await storeInvoiceQuantities(transaction, [{ invoiceId: invoice.invoiceId, meteredLines }], readAt);
  });
}

/** The catalog has the lines that come with an invoice; here are all. */
function toMeteredLine(line: ClosingInvoiceLine, { createdAt }: ClosingInvoice) {
  const { subscriptionItemId, priceId, quantity, periodStart, periodEnd } = line;
  const isAhead = periodEnd > createdAt && quantity === 0n;
  if (isOwnItem(line) || quantity === null || isAhead || periodStart >= createdAt) return [];
  const end = periodEnd < createdAt ? periodEnd : createdAt;
  return [{ subscriptionItemId, priceId, quantity, periodStart, periodEnd: end }];
}

/**
 * An invoice that a threshold made, with its lines as far as their usage goes; any other as it is.
 */
export async function withPlacedLines(
  database: LedgerDatabase,
  invoice: ClosingInvoice,
): Promise<ClosingInvoice> {
  if (invoice.billingReason !== 'subscription_threshold') return invoice;
  const placed = new Map(
    (await readInvoiceLines(database, invoice.invoiceId)).map((line) => [line.lineId, line.period]),
  );
  const lines = invoice.lines.map((line) => {
    const period = placed.get(line.lineId);
    return period === undefined ? line : { ...line, periodStart: period.start, periodEnd: period.end };
  });
  return { ...invoice, lines };
}

/** An item may have had a price for so short a time that no listing showed it. */
async function keepPrices(
  { database, billing, clock }: JobDependencies,
  close: InvoiceTarget,
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
