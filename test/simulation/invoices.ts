import type { World } from './world.ts';

/**
 * A final invoice must bill everything that Stripe counts of its period. What Stripe took for the period after
 * it was final is on no invoice, and nobody is told.
 */
export function checkInvoices(world: World): void {
  for (const invoice of world.stripe.invoiceReport()) {
    if (invoice.status === 'draft') continue;
    const [startMs, endMs] = [Date.parse(invoice.period.start), Date.parse(invoice.period.end)];
    const counted = world.stripe.usageBetween(invoice.customer, startMs, endMs);
    const billed = invoice.lines.reduce((sum, line) => sum + BigInt(line.quantity), 0n);
    if (billed === counted) continue;
    world.witness.report(
      `the final invoice of ${invoice.customer} until ${invoice.period.end} bills ${billed} tokens, and Stripe counts ${counted}`,
    );
  }
}
