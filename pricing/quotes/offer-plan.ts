import { createHash } from 'node:crypto';
import { formatDecimal, minorUnitDigits, PICO_DIGITS } from '../money.ts';
import type { OfferRate } from './offer.ts';

const MILLION_DIGITS = 6;

/**
 * A plan that charges what is offered, as `POST /v1/plans` and `tallystick plans` take it: recorded and written to Stripe, it makes
 * the offer true on the invoice.
 * @param percent the target margin; with the day and a hash of what is charged it names the plan, so that offers of one day stand
 * beside each other and equal ones are one
 */
export function offerPlanFile(
  rates: readonly OfferRate[],
  { percent, at, currency }: { percent: string; at: Date; currency: string },
): string {
  const day = at.toISOString().slice(0, 10);
  const digits = PICO_DIGITS + minorUnitDigits(currency) - MILLION_DIGITS;
  const charged = rates.map(
    ({ model, tokenType, unitPicoMinor }) =>
      `{ model: ${JSON.stringify(model)}, tokenType: ${tokenType}, perMillion: ${formatDecimal(unitPicoMinor, digits, 2)} }`,
  );
  const hash = createHash('sha256')
    .update([currency, ...charged].join('\n'))
    .digest('hex');
  return [
    `plan: offer-${day}-${percent.replaceAll('.', '-')}-${hash.slice(0, 8)}`,
    `name: Offer of ${day}`,
    `currency: ${currency}`,
    'versions:',
    `  - effectiveFrom: ${day}`,
    '    rates:',
    ...charged.map((rate) => `      - ${rate}`),
    '',
  ].join('\n');
}
