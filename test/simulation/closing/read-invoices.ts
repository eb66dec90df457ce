import { meterEventName } from '../../../sandbox/stripe/seed.ts';
import { FormCalls } from '../../setup/form-calls.ts';
import type { World } from '../world.ts';

interface WireInvoice {
  id: string;
  status: string;
  customer: string;
  total: number;
  billing_reason: string;
  period_start: number;
  period_end: number;
  status_transitions: { finalized_at: number | null };
}

interface WireLine {
  id: string;
  amount: number;
  quantity_decimal: string | null;
  metadata: Record<string, string>;
  period: { start: number; end: number };
  parent: { invoice_item_details: object | null };
  pricing: { price_details?: { price: string } } | null;
}

type LineKind = 'usage' | 'storage' | 'late' | 'top_up' | 'other';

/** What a line charges, as the oracle reads it. */
export interface SeenLine {
  kind: LineKind;
  lineId: string;
  amountMinor: bigint;
  quantity: bigint;
  startMs: number;
  endMs: number;
  metadata: Record<string, string>;
  /** Of usage; else empty. */
  eventName: string;
  /** From then on nothing is added to it. */
  closedMs: number;
}

/** A final invoice, as Stripe has it. */
export interface SeenInvoice {
  invoiceId: string;
  tenantKey: string;
  totalMinor: bigint;
  startMs: number;
  endMs: number;
  lines: SeenLine[];
}

/** All final invoices, read from Stripe itself. */
export async function readInvoices({ stripe }: World): Promise<SeenInvoice[]> {
  const calls = new FormCalls(stripe.apiKey, (request) => stripe.app.fetch(request));
  const invoices = (await calls.listAll<WireInvoice>('/v1/invoices?')).filter(({ status }) =>
    ['open', 'paid', 'uncollectible'].includes(status),
  );
  if (invoices.length === 0) return [];
  type Named = { id: string; metadata: Record<string, string> };
  const prices = new Map(
    (await calls.listAll<Named>('/v1/prices?')).map((price) => [price.id, price.metadata]),
  );
  const tenants = new Map(
    (await calls.listAll<Named>('/v1/customers?')).map(({ id, metadata }) => [id, metadata.tenant_id ?? id]),
  );
  const seen: SeenInvoice[] = [];
  for (const invoice of invoices) {
    const lines = await calls.listAll<WireLine>(`/v1/invoices/${invoice.id}/lines?`);
    const finalizedMs = (invoice.status_transitions.finalized_at ?? 0) * 1_000;
    seen.push({
      invoiceId: invoice.id,
      tenantKey: tenants.get(invoice.customer) ?? '',
      totalMinor: BigInt(invoice.total),
      startMs: invoice.period_start * 1_000,
      endMs: invoice.period_end * 1_000,
      lines: lines.map((line) => toLine(line, prices, finalizedMs)),
    });
  }
  return seen;
}

function toLine(
  line: WireLine,
  prices: ReadonlyMap<string, Record<string, string>>,
  finalizedMs: number,
): SeenLine {
  const { metadata, period } = line;
  const price = prices.get(line.pricing?.price_details?.price ?? '');
  const { tallystick_model: model, tallystick_token_type: tokenType } = price ?? {};
  const isUsage = model !== undefined && tokenType !== undefined;
  const kind = (): LineKind => {
    if ('tallystick_late_item' in metadata) return 'late';
    if ('tallystick_minimum' in metadata) return 'top_up';
    if (isUsage) return 'usage';
    return price === undefined ? 'other' : 'storage';
  };
  return {
    kind: kind(),
    lineId: line.id,
    amountMinor: BigInt(line.amount),
    quantity: BigInt(line.quantity_decimal ?? '0'),
    startMs: period.start * 1_000,
    endMs: period.end * 1_000,
    metadata,
    eventName: isUsage ? meterEventName(model, tokenType) : '',
    // Made when the item left its price, and whole since.
    closedMs: line.parent.invoice_item_details === null ? finalizedMs : period.end * 1_000,
  };
}
