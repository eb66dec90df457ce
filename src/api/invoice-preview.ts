import { createRoute } from '@hono/zod-openapi';
import { mergePreview, type PreviewLine } from '../../pricing/invoice-preview.ts';
import { formatMinor } from '../../pricing/money.ts';
import type { TimeWindow } from '../clock.ts';
import { getCustomer } from '../ledger/customers.ts';
import {
  type ActiveItem,
  type MeterUsage,
  readActiveItems,
  readCustomerQuarantine,
  readMeterUsage,
} from '../ledger/preview-queries.ts';
import { REFUSED_BY_STRIPE } from '../ledger/quarantine-entries.ts';
import { readCompleteness } from '../ledger/usage-queries.ts';
import { requireScope, securityOf } from './authentication.ts';
import { CustomerParams } from './customers.ts';
import type { Api, ApiDependencies, PreviewCache } from './dependencies.ts';
import {
  type InvoicePreviewBody,
  InvoicePreviewSchema,
  type SubscriptionPreviewBody,
} from './invoice-preview-schemas.ts';
import { jsonContent, keyedProblems, notFoundProblem } from './schemas.ts';
import { readStripePreview, type StripePreview } from './stripe-previews.ts';

type PreviewDependencies = ApiDependencies & { previewCache: PreviewCache };

/** Adds `GET /v1/customers/{customerId}/invoice-preview`. */
export function addInvoicePreviewRoutes(api: Api, dependencies: PreviewDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/customers/{customerId}/invoice-preview',
    tags: ['Billing'],
    summary: "Stripe's preview of the next invoices, with the usage that Stripe does not count yet",
    security: securityOf('sales', 'finance', 'admin'),
    middleware: [requireScope(dependencies, 'sales', 'finance')],
    request: { params: CustomerParams },
    responses: {
      200: jsonContent(InvoicePreviewSchema, 'One preview for each active subscription.'),
      ...keyedProblems,
      ...notFoundProblem,
    },
  });
  api.openapi(route, async (context) =>
    context.json(await previewInvoices(dependencies, context.req.valid('param').customerId), 200),
  );
}

/** @throws TallystickError UNKNOWN_CUSTOMER */
async function previewInvoices(
  dependencies: PreviewDependencies,
  customerId: string,
): Promise<InvoicePreviewBody> {
  const customer = await getCustomer(dependencies.database, customerId);
  const items = await readActiveItems(dependencies.database, customerId);
  const subscriptions: SubscriptionPreviewBody[] = [];
  // One at a time: a customer has one or two, and Stripe's reads are rationed.
  for (const [subscriptionId, its] of Map.groupBy(items, (item) => item.subscriptionId)) {
    const stripe: StripePreview =
      customer.stripeCustomerId === null
        ? { status: 'unavailable', reason: 'NO_STRIPE_CUSTOMER' }
        : await readStripePreview(dependencies, {
            stripeCustomerId: customer.stripeCustomerId,
            subscriptionId,
          });
    subscriptions.push(await previewSubscription(dependencies, customerId, its, stripe));
  }
  return { customerId, asOf: dependencies.clock.now().toISOString(), subscriptions };
}

async function previewSubscription(
  { database, clock }: ApiDependencies,
  customerId: string,
  items: readonly ActiveItem[],
  stripe: StripePreview,
): Promise<SubscriptionPreviewBody> {
  const invoice = stripe.status === 'ok' ? stripe.invoice : null;
  const period = periodOf(items, stripe);
  const usage = await readMeterUsage(database, customerId, period);
  const quarantine = await readCustomerQuarantine(database, customerId, period);
  const completeness = await readCompleteness(database, period);
  const currency = invoice?.currency ?? items[0]?.currency ?? 'usd';
  const lines = mergePreview({
    items: items.map((item) => ({
      subscriptionItemId: item.subscriptionItemId,
      priceId: item.priceId,
      description: item.productName,
      unitAmountDecimal: item.unitAmountDecimal,
      meterId: item.stripeMeterId,
    })),
    stripeLines: invoice?.lines ?? null,
    usage: usageByMeter(usage),
  });
  return {
    subscriptionId: items[0]?.subscriptionId ?? '',
    currency,
    periodStart: period.start.toISOString(),
    periodEnd: period.end.toISOString(),
    stripe: {
      status: stripe.status,
      asOf: stripe.status === 'ok' ? stripe.readAt.toISOString() : null,
      reason: stripe.status === 'ok' ? null : stripe.reason,
      total: invoice === null ? null : formatMinor(invoice.totalMinor, currency),
    },
    ledger: {
      asOf: clock.now().toISOString(),
      collectedThrough: completeness.collectedThrough?.toISOString() ?? null,
      openHourCount: String(completeness.openHourCount),
    },
    lines: lines.map((line) => showLine(line, currency)),
    total: totalOf(lines, currency),
    quarantined: [
      ...quarantine.map(({ reason, tokenCount }) => ({ reason, tokenCount: String(tokenCount) })),
      ...outsideOfLines(usage),
    ],
  };
}

/** The period of the metered lines: Stripe's word, because the catalog may be one renewal behind. */
function periodOf(items: readonly ActiveItem[], stripe: StripePreview): TimeWindow {
  const ids = new Set(
    items.filter((item) => item.stripeMeterId !== null).map((item) => item.subscriptionItemId),
  );
  const line =
    stripe.status === 'ok'
      ? stripe.invoice.lines.find(
          (entry) => entry.subscriptionItemId !== null && ids.has(entry.subscriptionItemId),
        )
      : undefined;
  if (line !== undefined) return { start: line.periodStart, end: line.periodEnd };
  const item = items.find((entry) => entry.stripeMeterId !== null) ?? items[0];
  return item?.currentPeriod ?? { start: new Date(0), end: new Date(0) };
}

function usageByMeter(usage: readonly MeterUsage[]) {
  const merged = new Map<
    string,
    { meterId: string; model: string; feature: string; tokenCount: bigint; undeliveredTokenCount: bigint }
  >();
  for (const { stripeMeterId, model, feature, state, tokenCount } of usage) {
    if (stripeMeterId === null || state === 'refused') continue;
    const key = JSON.stringify([stripeMeterId, model, feature]);
    const entry = merged.get(key) ?? {
      meterId: stripeMeterId,
      model,
      feature,
      tokenCount: 0n,
      undeliveredTokenCount: 0n,
    };
    entry.tokenCount += tokenCount;
    if (state !== 'delivered') entry.undeliveredTokenCount += tokenCount;
    merged.set(key, entry);
  }
  return [...merged.values()];
}

/** Usage that no line can hold and that is not marked as quarantined yet. */
function outsideOfLines(usage: readonly MeterUsage[]): { reason: string; tokenCount: string }[] {
  const countOf = (matches: (entry: MeterUsage) => boolean) =>
    usage.filter(matches).reduce((sum, entry) => sum + entry.tokenCount, 0n);
  return [
    { reason: REFUSED_BY_STRIPE, tokenCount: countOf((entry) => entry.state === 'refused') },
    { reason: 'no_binding', tokenCount: countOf((entry) => entry.stripeMeterId === null) },
  ]
    .filter(({ tokenCount }) => tokenCount !== 0n)
    .map(({ reason, tokenCount }) => ({ reason, tokenCount: String(tokenCount) }));
}

function showLine(line: PreviewLine, currency: string): SubscriptionPreviewBody['lines'][number] {
  const amount = (value: bigint | null) => (value === null ? null : formatMinor(value, currency));
  const count = (value: bigint | null) => (value === null ? null : String(value));
  return {
    subscriptionItemId: line.subscriptionItemId,
    priceId: line.priceId,
    description: line.description,
    unitAmountDecimal: line.unitAmountDecimal,
    quantity: count(line.quantity),
    countedByStripe: count(line.countedByStripe),
    notYetCounted: count(line.notYetCounted),
    notYetDelivered: count(line.undelivered),
    amount: amount(line.amountMinor),
    stripeAmount: amount(line.stripeAmountMinor),
    parts: line.parts.map((part) => ({
      model: part.model,
      feature: part.feature,
      quantity: String(part.quantity),
      amount: amount(part.amountMinor),
    })),
  };
}

function totalOf(lines: readonly PreviewLine[], currency: string): string | null {
  let total = 0n;
  for (const line of lines) {
    if (line.amountMinor === null) return null;
    total += line.amountMinor;
  }
  return formatMinor(total, currency);
}
