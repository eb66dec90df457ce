import type { TokenTotals } from './totals.ts';

/** Where every token stands, as metrics: source = all of them together but `delivered_tokens_total`. */
export function totalsMetrics(totals: TokenTotals) {
  const one = (name: string, help: string, value: bigint, type: 'gauge' | 'counter' = 'gauge') => ({
    name: `tallystick_${name}`,
    help,
    type,
    samples: [{ value }],
  });
  return [
    one('due_tokens', 'Tokens on their way.', totals.dueTokenCount),
    one('collected_tokens_total', 'Tokens collected.', totals.collectedTokenCount, 'counter'),
    one('delivered_tokens_total', 'Tokens that Stripe acknowledged.', totals.deliveredTokenCount, 'counter'),
    one('invoiced_tokens', 'Tokens on final invoices.', totals.invoicedTokenCount),
    one(
      'awaiting_invoice_tokens',
      'Tokens that were delivered and await their invoice.',
      totals.awaitingInvoiceTokenCount,
    ),
    {
      ...one('uninvoiced_tokens', 'Tokens that were delivered and that no invoice has, by reason.', 0n),
      samples: Object.entries(totals.uninvoicedByReason).map(([reason, value]) => ({
        labels: { reason },
        value,
      })),
    },
    one('written_off_tokens', 'Tokens given up by a person.', totals.writtenOffTokenCount),
    one(
      'token_difference',
      'Tokens collected less all that is accounted for; anything but 0 is a fault.',
      totals.differenceTokenCount,
    ),
  ];
}
