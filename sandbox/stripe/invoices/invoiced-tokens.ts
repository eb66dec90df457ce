import type { WireInvoiceLine } from '../http/wire.ts';
import type { StripeState } from '../state.ts';

/**
 * Tokens on these lines: quantities at metered prices, and what items say in their metadata that they are for. Two items on
 * one meter show the same tokens.
 */
function tokensOfLines(state: StripeState, lines: readonly WireInvoiceLine[]): bigint {
  const byMeter = new Map<string, Map<string, bigint>>();
  let tokens = 0n;
  for (const line of lines) {
    const { tallystick_token_count: said } = line.metadata;
    if (said !== undefined) {
      tokens += BigInt(said);
      continue;
    }
    const priceId = priceOf(line);
    const recurring = state.prices.get(priceId)?.recurring;
    const meterId = recurring?.meter ?? (recurring?.usage_type === 'metered' ? priceId : null);
    const isFlat = (line.pricing?.unit_amount_decimal ?? null) === null;
    if (meterId === null || isFlat || !(state.tokenMeterIds.has(meterId) || meterId === priceId)) continue;
    const key = `${meterId} ${line.period.start}`;
    const item = line.parent?.subscription_item_details?.subscription_item ?? priceId;
    const items = byMeter.get(key) ?? new Map<string, bigint>();
    items.set(item, (items.get(item) ?? 0n) + BigInt(line.quantity ?? 0));
    byMeter.set(key, items);
  }
  for (const items of byMeter.values())
    tokens += [...items.values()].reduce((most, one) => (one > most ? one : most), 0n);
  return tokens;
}

function priceOf(line: WireInvoiceLine): string {
  const price = line.pricing?.price_details?.price ?? '';
  return typeof price === 'string' ? price : price.id;
}

/** Tokens on final invoices that were not taken back, less what credit notes say that they give back. */
export function invoicedTokens(
  state: StripeState,
  read: (invoiceId: string) => { lines: readonly WireInvoiceLine[]; total: number },
): bigint {
  let tokens = 0n;
  const credited = new Map<string, number>();
  for (const note of state.creditNotes.values()) {
    const invoiceId = String(note.invoice);
    credited.set(invoiceId, (credited.get(invoiceId) ?? 0) + note.amount);
  }
  for (const { wire } of state.invoices.values()) {
    if (wire.status === 'draft' || wire.status === 'void') continue;
    const { lines, total } = read(wire.id);
    if (total > 0 && (credited.get(wire.id) ?? 0) >= total) continue;
    tokens += tokensOfLines(state, lines);
  }
  for (const note of state.creditNotes.values()) tokens -= BigInt(note.metadata?.tallystick_token_count ?? 0);
  return tokens;
}
