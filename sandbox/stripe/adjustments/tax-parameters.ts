import { type Form, readBoolean, readChange, readList, readNested, readText } from '../http/form.ts';
import { refuseParameter } from '../http/refusal.ts';
import type { WireTaxRate } from '../http/wire.ts';
import type { ItemTaxes, StripeState } from '../state.ts';

/** "You can set up to five tax rates per line item." */
const MAX_TAX_RATES = 5;
export const TAX_BEHAVIORS = ['exclusive', 'inclusive', 'unspecified'] as const;

/** `tax_rates` or `default_tax_rates` of a call; undefined leaves them. @throws StripeRefusal */
export function readTaxRates(state: StripeState, form: Form, name: string): WireTaxRate[] | undefined {
  if (form[name] === undefined) return undefined;
  if (form[name] === '') return [];
  const ids = readList(form, name) ?? [];
  if (ids.length > MAX_TAX_RATES)
    throw refuseParameter(name, `Array must have at most ${MAX_TAX_RATES} elements`);
  return ids.map((id) => {
    const rate = state.taxRates.get(id);
    if (rate === undefined) throw refuseParameter(name, `No such tax rate: '${id}'`, 'resource_missing');
    if (!rate.active) throw refuseParameter(name, `The tax rate ${id} is archived.`);
    return rate;
  });
}

/** `automatic_tax[enabled]`; undefined leaves it. @throws StripeRefusal where tax rates stand beside it */
export function readAutomaticTax(form: Form, rates: readonly WireTaxRate[]): boolean | undefined {
  const enabled = readBoolean(readNested(form, 'automatic_tax'), 'enabled');
  if (enabled === true && rates.length > 0) {
    throw refuseParameter('automatic_tax', 'Automatic tax and tax rates exclude each other.');
  }
  return enabled;
}

/** `tax_behavior` of a call; undefined: not said. @throws StripeRefusal */
export function readTaxBehavior(form: Form): ItemTaxes['behavior'] | undefined {
  const asked = readText(form, 'tax_behavior');
  const behavior = TAX_BEHAVIORS.find((known) => known === asked);
  if (asked === undefined || behavior !== undefined) return behavior;
  throw refuseParameter('tax_behavior', `must be one of ${TAX_BEHAVIORS.join(', ')}`);
}

/** @throws StripeRefusal unless it has the form of a tax code */
export function readTaxCode(form: Form): string | null | undefined {
  const code = readChange(form, 'tax_code');
  if (code == null || /^txcd_\d{8}$/.test(code)) return code;
  throw refuseParameter('tax_code', `No such tax code: '${code}'`, 'resource_missing');
}
