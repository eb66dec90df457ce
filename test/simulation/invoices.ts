import { HOUR_MS, MINUTE_MS } from '../../src/clock.ts';
import type { World } from './world.ts';

/**
 * So long the pipeline believes what it read of a draft, which may be final meanwhile. Holding drafts back until
 * everything is in them is the work of the close.
 */
const BELIEVED_MS = 30 * MINUTE_MS;

/**
 * Nothing may reach Stripe for a period whose invoice has been final for longer than anybody could not know it:
 * Stripe takes it, puts it on no invoice, and tells nobody.
 */
export function checkInvoices(world: World): void {
  const { stripe, witness, profile } = world;
  for (const invoice of stripe.invoiceReport()) {
    if (invoice.status === 'draft') continue;
    const [startMs, endMs] = [Date.parse(invoice.period.start), Date.parse(invoice.period.end)];
    const finalMs = endMs + profile.gracePeriodHours * HOUR_MS;
    const inTime = stripe.usageBetween(invoice.customer, startMs, endMs, finalMs + BELIEVED_MS);
    const counted = stripe.usageBetween(invoice.customer, startMs, endMs);
    if (inTime === counted) continue;
    witness.report(
      `${counted - inTime} tokens of ${invoice.customer} came after the invoice until ${invoice.period.end} was final`,
    );
  }
}
