import { type Form, readInteger, readNested, readText, requireText } from './http/form.ts';
import { refuseMissing, refuseParameter, refuseUnknown } from './http/refusal.ts';
import type { WirePrice } from './http/wire.ts';
import type { BillingInterval } from './invoices/months.ts';
import type { PriceScheme, TierInput } from './price-scheme.ts';
import type { StripeState } from './state.ts';

const DECIMAL = /^\d+(?:\.(\d+))?$/;
const MAX_DECIMAL_PLACES = 12;
const UNITS = ['day', 'week', 'month', 'year'] as const;

/** @throws StripeRefusal for anything that Stripe would not take as the amounts of a recurring price */
export function readScheme(form: Form): PriceScheme {
  const scheme = readText(form, 'billing_scheme') ?? 'per_unit';
  if (scheme !== 'per_unit' && scheme !== 'tiered') {
    throw refuseParameter('billing_scheme', 'Invalid billing_scheme: must be one of per_unit or tiered');
  }
  const unitAmountDecimal = readAmount(form, 'unit_amount', '');
  if (scheme === 'per_unit') {
    for (const name of ['tiers', 'tiers_mode']) {
      if (form[name] !== undefined) throw refuseParameter(name, `${name} requires billing_scheme=tiered.`);
    }
    if (unitAmountDecimal === null) throw refuseMissing('unit_amount');
    return { unitAmountDecimal };
  }
  if (unitAmountDecimal !== null) {
    throw refuseParameter('unit_amount', 'unit_amount cannot be set when billing_scheme=tiered.');
  }
  const tiersMode = requireText(form, 'tiers_mode');
  if (tiersMode !== 'graduated' && tiersMode !== 'volume') {
    throw refuseParameter('tiers_mode', 'Invalid tiers_mode: must be one of graduated or volume');
  }
  return { tiersMode, tiers: readTiers(form) };
}

/** Amounts in further currencies, of the same billing scheme. @throws StripeRefusal */
export function readOptions(form: Form, scheme: PriceScheme): Map<string, PriceScheme> {
  const kind =
    'tiers' in scheme
      ? { billing_scheme: 'tiered', tiers_mode: scheme.tiersMode }
      : { billing_scheme: 'per_unit' };
  return new Map(
    Object.keys(readNested(form, 'currency_options')).map((currency) => {
      if (!/^[a-z]{3}$/.test(currency))
        throw refuseParameter('currency_options', `Invalid currency: ${currency}`);
      const option = readNested(readNested(form, 'currency_options'), currency);
      return [currency, readScheme({ ...option, ...kind })];
    }),
  );
}

function readTiers(form: Form): TierInput[] {
  const list = form.tiers;
  if (!Array.isArray(list) || list.length === 0) throw refuseMissing('tiers');
  let previous = 0;
  return list.map((entry, index) => {
    const path = `tiers[${index}]`;
    if (typeof entry === 'string' || Array.isArray(entry)) throw refuseParameter(path, 'must be an object');
    const last = index === list.length - 1;
    const upToText = requireText(entry, 'up_to');
    if ((upToText === 'inf') !== last) {
      throw refuseParameter(`${path}[up_to]`, 'The last tier, and no other, must have up_to set to inf.');
    }
    const upTo = last ? null : (readInteger(entry, 'up_to') ?? 0);
    if (upTo !== null && upTo <= previous) {
      throw refuseParameter(`${path}[up_to]`, 'Tiers must be in ascending order of up_to, from 1.');
    }
    previous = upTo ?? previous;
    const unitAmountDecimal = readAmount(entry, 'unit_amount', path);
    const flatAmountDecimal = readAmount(entry, 'flat_amount', path);
    if (unitAmountDecimal === null && flatAmountDecimal === null) {
      throw refuseParameter(path, 'Each tier needs a unit_amount or a flat_amount.');
    }
    if (flatAmountDecimal !== null && /\.0*[1-9]/.test(flatAmountDecimal)) {
      throw refuseParameter(`${path}[flat_amount_decimal]`, 'must be a whole number of minor units');
    }
    return { upTo, unitAmountDecimal, flatAmountDecimal };
  });
}

/** `<name>` or `<name>_decimal`, never both; null when neither is given. */
function readAmount(form: Form, name: string, prefix: string): string | null {
  const param = (field: string) => (prefix === '' ? field : `${prefix}[${field}]`);
  const whole = readText(form, name);
  const decimal = readText(form, `${name}_decimal`);
  if (whole !== undefined && decimal !== undefined) {
    throw refuseParameter(param(name), `You may only specify one of ${name} and ${name}_decimal.`);
  }
  const text = whole ?? decimal;
  if (text === undefined) return null;
  const field = param(whole === undefined ? `${name}_decimal` : name);
  const match = DECIMAL.exec(text);
  if (match === null || (whole !== undefined && match[1] !== undefined)) {
    const kind = whole === undefined ? 'decimal' : 'non-negative integer';
    throw refuseParameter(field, `Invalid ${kind}: ${text}`, `parameter_invalid_${kind.split(' ').at(-1)}`);
  }
  if ((match[1]?.length ?? 0) > MAX_DECIMAL_PLACES) {
    throw refuseParameter(
      field,
      `Invalid decimal: ${text}; must contain at maximum ${MAX_DECIMAL_PLACES} decimal places.`,
    );
  }
  return text;
}

/** The meter and usage type of `recurring`. Since Basil a metered price must have a meter. */
export function readRecurring(
  state: StripeState,
  form: Form,
): { usageType: 'metered' | 'licensed'; meterId: string | null; interval: BillingInterval } {
  const recurring = readNested(form, 'recurring');
  const unit = UNITS.find((known) => known === requireText(recurring, 'interval'));
  if (unit === undefined) throw refuseParameter('recurring[interval]', `must be one of ${UNITS.join(', ')}`);
  const interval = { unit, count: readInteger(recurring, 'interval_count') ?? 1 };
  const usageType = readText(recurring, 'usage_type') ?? 'licensed';
  if (usageType !== 'metered' && usageType !== 'licensed') {
    throw refuseParameter('recurring[usage_type]', 'must be one of licensed or metered');
  }
  const meterId = readText(recurring, 'meter') ?? null;
  if (usageType === 'licensed') {
    if (meterId !== null) {
      throw refuseParameter('recurring[meter]', 'A meter requires recurring[usage_type]=metered.');
    }
    return { usageType, meterId, interval };
  }
  if (meterId === null) throw refuseMissing('recurring[meter]');
  const meter = state.meters.get(meterId);
  if (meter === undefined) throw refuseUnknown('billing.meter', meterId, 'recurring[meter]');
  if (meter.status !== 'active') {
    throw refuseParameter('recurring[meter]', `The meter ${meterId} is inactive.`);
  }
  return { usageType, meterId, interval };
}

/**
 * A price by the package: usage is divided and rounded before the price is applied. Not with tiers
 * (docs.stripe.com/api/prices/create).
 */
export function readTransform(form: Form, scheme: PriceScheme): WirePrice['transform_quantity'] {
  const transform = readNested(form, 'transform_quantity');
  if (form.transform_quantity === undefined) return null;
  if ('tiers' in scheme)
    throw refuseParameter('transform_quantity', 'transform_quantity cannot be combined with tiers.');
  const divideBy = readInteger(transform, 'divide_by') ?? 0;
  if (divideBy < 1) throw refuseParameter('transform_quantity[divide_by]', 'must be 1 or more');
  const round = requireText(transform, 'round');
  if (round !== 'up' && round !== 'down')
    throw refuseParameter('transform_quantity[round]', 'must be one of down or up');
  return { divide_by: divideBy, round };
}
