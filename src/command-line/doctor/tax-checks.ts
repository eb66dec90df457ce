import type { StripeSystem } from '../../stripe/client.ts';
import type { Finding } from './finding.ts';

const MOST_NAMED = 5;

/**
 * Whether prices, or the account for them, say how they are taxed. Late usage and top-ups are taxed as their prices are; where
 * nobody says it, Stripe Tax refuses them.
 */
export async function checkStripeTaxes(billing: StripeSystem): Promise<Finding[]> {
  const system = 'stripe';
  const signal = AbortSignal.timeout(60_000);
  const settings = await billing.readTaxSettings(signal);
  const { priceIds, productIds } = await billing.findUntaxed(signal);
  const findings: Finding[] = [];
  if (settings === null) {
    findings.push({
      system,
      verdict: 'look',
      what: 'the tax settings of the account could not be read',
      fix: 'Give the key read on Tax settings, or ignore it where tax is no business of Stripe.',
    });
  }
  const unsaid = (what: string, ids: readonly string[], fix: string) => {
    if (ids.length === 0) return;
    const named = `${ids.slice(0, MOST_NAMED).join(', ')}${ids.length > MOST_NAMED ? ', …' : ''}`;
    findings.push({
      system,
      verdict: 'look',
      what: `${what}, said neither by ${ids.length} of them (${named}) nor by the account`,
      fix,
    });
  };
  if ((settings?.taxBehavior ?? null) === null) {
    unsaid(
      'metered prices: whether tax is in them (tax_behavior)',
      priceIds,
      'Set a default in the tax settings of Stripe, or taxBehavior in the plan file and "plans apply": with Stripe Tax, late usage and top-ups are refused otherwise.',
    );
  }
  if ((settings?.taxCode ?? null) === null) {
    unsaid(
      'products of metered prices: what they are taxed as (tax_code)',
      productIds,
      'Set a default in the tax settings of Stripe, or taxCode in the plan file and "plans apply": Stripe Tax guesses otherwise.',
    );
  }
  if (findings.length > 0) return findings;
  return [{ system, verdict: 'good', what: 'prices or the account say how usage is taxed' }];
}
