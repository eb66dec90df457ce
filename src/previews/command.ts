import type { Command } from 'commander';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { groupDigits, print, printCsv, renderTable, SEPARATOR_OPTION } from '../platform/terminal/output.ts';
import { previewTable } from './csv.ts';
import type { InvoicePreviewBody, SubscriptionPreviewBody } from './schemas.ts';

export function addPreviewCommand(program: Command, frame: CommandFrame): void {
  program
    .command('preview <customer>')
    .description("a customer's next invoices: Stripe's own preview with the usage it does not count yet")
    .option('--json', 'print as JSON')
    .option('--csv', 'print as CSV, a row for each tier line')
    .option(...SEPARATOR_OPTION)
    .addHelpText(
      'after',
      '\nA customer is named by its tenant (Stripe metadata tenant_id), or by its Stripe id where it has none.\n\n  tallystick preview northwind',
    )
    .action((customer: string, options: { json?: boolean; csv?: boolean; separator?: string }) =>
      frame.askApi(async (ask) => {
        const route = `/v1/customers/${encodeURIComponent(customer)}/invoice-preview`;
        const preview = await ask<InvoicePreviewBody>('GET', route);
        if (options.csv === true) return printCsv(previewTable(preview), options);
        print(options.json === true, preview, () => renderPreview(preview));
      }),
    );
}

function renderPreview(preview: InvoicePreviewBody): string {
  if (preview.subscriptions.length === 0) return `${preview.customerId} has no active subscription item.`;
  return preview.subscriptions
    .map((subscription) => renderSubscription(preview.customerId, subscription))
    .join('\n\n');
}

function renderSubscription(customerId: string, subscription: SubscriptionPreviewBody): string {
  const { stripe, ledger, hours } = subscription;
  const currency = subscription.currency.toUpperCase();
  const answered = stripe.answered ? `as of ${stripe.asOf}` : `not asked or no answer (${stripe.reason})`;
  return [
    `${customerId}, ${subscription.periodStart} to ${subscription.periodEnd}`,
    renderTable(['line', 'tokens', currency], subscription.lines.flatMap(renderLine), [1, 2]),
    `total ${subscription.total ?? 'unknown'} ${currency}; Stripe: ${answered}; ledger as of ${ledger.asOf}`,
    ...renderTotals(subscription, currency),
    `hours: ${hours.settledCount} settled, ${ledger.openHourCount} open${hours.quarantined.length === 0 ? '' : ', some with usage in quarantine'}`,
    renderProjection(subscription, currency),
    ...subscription.lines
      .filter((line) => line.equalsStripe === false)
      .map(
        (line) => `Stripe rates "${line.description}" otherwise: run sync-catalog, then look at its price.`,
      ),
    ...subscription.quarantined.map(
      (entry) => `in quarantine: ${groupDigits(entry.tokenCount)} tokens, ${entry.reason}`,
    ),
  ].join('\n');
}

/** Only where something comes between the lines and what is due. */
function renderTotals({ totals }: SubscriptionPreviewBody, currency: string): string[] {
  const { subtotal, discounts, credits, tax, total, amountDue, reason } = totals;
  if (amountDue === null) return [`after discounts, credits and tax: unknown (${reason})`];
  if (subtotal === amountDue) return [];
  return [`discounts ${discounts}, credits ${credits}, tax ${tax}: ${total} ${currency}, ${amountDue} due`];
}

function renderLine(line: SubscriptionPreviewBody['lines'][number]): string[][] {
  const whole = [
    line.description,
    line.quantity === null ? '' : groupDigits(line.quantity),
    line.amount ?? `no amount (${line.reason})`,
  ];
  if (line.price.kind === 'per_unit' || line.tiers.length === 0) return [whole];
  const tiers = line.tiers.map(({ tier, quantity, flatAmount, amount }) => [
    `  tier ${tier}${flatAmount === null ? '' : `, ${flatAmount} of it flat`}`,
    groupDigits(quantity),
    amount,
  ]);
  return [whole, ...tiers];
}

function renderProjection({ projection }: SubscriptionPreviewBody, currency: string): string {
  const { total, reason, knownDayCount, periodEnd } = projection;
  return total === null
    ? `at the end of the period: not projected, ${reason} (${knownDayCount} known days)`
    : `at ${periodEnd}: ${total.expected} ${currency} expected; in 8 of 10 cases from ${total.p10} to ${total.p90}, in half above ${total.p50} (on ${knownDayCount} known days)`;
}
