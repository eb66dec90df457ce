import { refuseParameter, StripeRefusal } from '../http/refusal.ts';
import type { WireTaxRate, WireTaxRegistration } from '../http/wire.ts';
import type { ItemTaxes, StripeState } from '../state.ts';
import type { TaxTerms } from './adjust.ts';
import { parsePercent } from './round-to-total.ts';

/** What Stripe Tax charges where the account is registered: standard rates, enough for tests. */
const STANDARD_RATES: Readonly<Record<string, { percentage: number; name: string; type: string }>> = {
  AE: { percentage: 5, name: 'VAT', type: 'vat' },
  DE: { percentage: 19, name: 'VAT', type: 'vat' },
  FR: { percentage: 20, name: 'VAT', type: 'vat' },
  GB: { percentage: 20, name: 'VAT', type: 'vat' },
  JP: { percentage: 10, name: 'JCT', type: 'jct' },
  UG: { percentage: 18, name: 'VAT', type: 'vat' },
  US: { percentage: 8.875, name: 'Sales tax', type: 'sales_tax' },
};
/** "Nontaxable": the only code whose rate is another. */
const NONTAXABLE_CODE = 'txcd_00000000';
/** "Exclusive for USD and CAD, inclusive for all others." */
const EXCLUSIVE_CURRENCIES = ['usd', 'cad'];

export type NewTaxRate = Pick<WireTaxRate, 'display_name' | 'inclusive' | 'percentage'> & {
  created: number;
} & Partial<
    Pick<WireTaxRate, 'country' | 'description' | 'jurisdiction' | 'metadata' | 'rate_type' | 'tax_type'>
  >;

export function newTaxRate(state: StripeState, input: NewTaxRate): WireTaxRate {
  const rate: WireTaxRate = {
    id: state.nextId('txr'),
    object: 'tax_rate',
    active: true,
    country: null,
    description: null,
    effective_percentage: null,
    flat_amount: null,
    jurisdiction: null,
    jurisdiction_level: null,
    livemode: false,
    metadata: {},
    rate_type: null,
    state: null,
    tax_type: null,
    ...input,
  };
  state.taxRates.set(rate.id, rate);
  return rate;
}

/**
 * The account collects tax in a country from now on; its rate is Stripe's to know, and comes in both kinds.
 * @throws StripeRefusal for a country without a known rate
 */
export function register(state: StripeState, country: string, at: number): WireTaxRegistration {
  const known = STANDARD_RATES[country];
  if (known === undefined)
    throw refuseParameter('country', `This model of Stripe knows no rate of ${country}.`);
  const registration: WireTaxRegistration = {
    id: state.nextId('taxreg'),
    object: 'tax.registration',
    active_from: at,
    country,
    country_options: { [country.toLowerCase()]: { type: 'standard' } },
    created: at,
    expires_at: null,
    livemode: false,
    status: 'active',
  };
  state.taxRegistrations.set(registration.id, registration);
  for (const inclusive of [false, true]) {
    newTaxRate(state, {
      display_name: known.name,
      inclusive,
      percentage: known.percentage,
      created: at,
      country,
      jurisdiction: country,
      rate_type: 'percentage',
      tax_type: known.type,
    });
  }
  return registration;
}

/** Tax rates put on by hand. */
export function manualTaxes(rates: readonly WireTaxRate[]): TaxTerms[] {
  return rates.map(({ id, percentage, inclusive }) => ({
    taxRateId: id,
    percent: parsePercent(percentage),
    inclusive,
  }));
}

/** What Stripe Tax puts on something of this behavior and code; nothing where the account is not registered. */
export function automaticTaxes(
  state: StripeState,
  where: { country: string | null; currency: string },
  { behavior, code }: ItemTaxes,
): TaxTerms[] {
  const isRegistered = [...state.taxRegistrations.values()].some(({ country }) => country === where.country);
  if (!isRegistered || (code ?? state.taxSettings.defaults.tax_code) === NONTAXABLE_CODE) return [];
  const inclusive = behaviorOf(state, behavior, where.currency) === 'inclusive';
  const rate = [...state.taxRates.values()].find(
    (known) => known.rate_type !== null && known.country === where.country && known.inclusive === inclusive,
  );
  return rate === undefined ? [] : manualTaxes([rate]);
}

/** A price's own, else the account's default; null: nobody said. */
function behaviorOf(
  state: StripeState,
  behavior: string | null,
  currency: string,
): 'exclusive' | 'inclusive' | null {
  if (behavior === 'exclusive') return 'exclusive';
  if (behavior === 'inclusive') return 'inclusive';
  const fallback = state.taxSettings.defaults.tax_behavior;
  if (fallback === 'inferred_by_currency') {
    return EXCLUSIVE_CURRENCIES.includes(currency) ? 'exclusive' : 'inclusive';
  }
  if (fallback === 'exclusive') return 'exclusive';
  return fallback === 'inclusive' ? 'inclusive' : null;
}

/**
 * "Invoice items with manually specified tax rates, negative amounts, or tax_behavior=unspecified cannot be added to
 * automatic tax invoices" (`Invoice.automatic_tax.enabled` of the API); the account's default behavior stands in for an
 * unspecified one.
 * @throws StripeRefusal
 */
export function checkTaxable(
  state: StripeState,
  item: { amount: bigint; taxRateCount: number; behavior: ItemTaxes['behavior']; currency: string },
): void {
  const refuse = (param: string, why: string) =>
    refuseParameter(param, `The item cannot be added to an invoice with automatic tax: ${why}.`);
  if (item.taxRateCount > 0) throw refuse('tax_rates', 'it has tax rates of its own');
  if (item.amount < 0n) throw refuse('amount', 'its amount is negative');
  if (behaviorOf(state, item.behavior, item.currency) === null) {
    throw refuse('tax_behavior', 'it has no tax behavior, and the account no default');
  }
}

/** @throws StripeRefusal customer_tax_location_invalid, as long as the customer has no address to be taxed at */
export function checkLocation(state: StripeState, customerId: string): void {
  if ((state.customers.get(customerId)?.address?.country ?? null) !== null) return;
  throw new StripeRefusal(400, {
    code: 'customer_tax_location_invalid',
    message:
      "The customer's location isn't recognized. Set a valid customer address to calculate tax automatically.",
  });
}
