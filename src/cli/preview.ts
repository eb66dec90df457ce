import type { Command } from 'commander';
import type { InvoicePreviewBody } from '../api/invoice-preview-schemas.ts';
import { withLocalApi } from './local-api.ts';
import { createOptionalBilling } from './optional-billing.ts';
import { groupDigits, print, renderTable } from './output.ts';
import { withStores } from './setup.ts';

export function addPreviewCommand(program: Command): void {
  program
    .command('preview <customer>')
    .description("a customer's next invoices: Stripe's own preview with the usage it does not count yet")
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nA customer is named by its tenant (Stripe metadata tenant_id), or by its Stripe id where it has none.\n\n  tallystick preview northwind',
    )
    .action((customer: string, options: { json?: boolean }) =>
      withStores(async ({ config, stores }) => {
        const preview = await withLocalApi(stores, createOptionalBilling(config), (ask) =>
          ask<InvoicePreviewBody>('GET', `/v1/customers/${encodeURIComponent(customer)}/invoice-preview`),
        );
        print(options.json === true, preview, () => renderPreview(preview));
      }),
    );
}

function renderPreview(preview: InvoicePreviewBody): string {
  if (preview.subscriptions.length === 0) return `${preview.customerId} has no active subscription item.`;
  return preview.subscriptions
    .map((subscription) => {
      const currency = subscription.currency.toUpperCase();
      const lines = subscription.lines.map((line) => [
        line.description,
        line.quantity === null ? '' : groupDigits(line.quantity),
        line.amount ?? 'no price',
      ]);
      return [
        `${preview.customerId}, ${subscription.periodStart} to ${subscription.periodEnd}`,
        renderTable(['line', 'tokens', currency], lines, [1, 2]),
        `total ${subscription.total ?? 'unknown'} ${currency}; Stripe: ${subscription.stripe.status === 'ok' ? `as of ${subscription.stripe.asOf}` : `unavailable (${subscription.stripe.reason})`}; ${subscription.ledger.openHourCount} hours still open`,
        ...subscription.quarantined.map(
          (entry) => `in quarantine: ${groupDigits(entry.tokenCount)} tokens, ${entry.reason}`,
        ),
      ].join('\n');
    })
    .join('\n\n');
}
