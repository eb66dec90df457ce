import type Stripe from 'stripe';
import { readTaxCode } from '../adjustments/tax-parameters.ts';
import { newTaxRate, register } from '../adjustments/taxes.ts';
import {
  type FormShape,
  mergeMetadata,
  readBoolean,
  readInteger,
  readMap,
  readNested,
  readText,
  requireText,
} from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds } from '../http/wire.ts';
import type { StripeState } from '../state.ts';
import { type Endpoint, found, idOf, retrieve } from './endpoint.ts';

const DEFAULT_BEHAVIORS = ['exclusive', 'inclusive', 'inferred_by_currency'];

/** Tax rates put on by hand, and what Stripe Tax knows of the account: settings and registrations. */
export function taxEndpoints(state: StripeState): Endpoint[] {
  return [
    {
      method: 'GET',
      path: '/v1/tax_rates',
      shape: {
        ...PAGING_SHAPE,
        active: 'text',
        inclusive: 'text',
      } satisfies FormShape<Stripe.TaxRateListParams>,
      mutates: false,
      run: ({ form }) => {
        const { active, inclusive } = form;
        const rates = [...state.taxRates.values()].filter(
          (rate) =>
            (active === undefined || String(rate.active) === active) &&
            (inclusive === undefined || String(rate.inclusive) === inclusive),
        );
        return toPage(rates, form, '/v1/tax_rates');
      },
    },
    retrieve('/v1/tax_rates/:id', (id) => found(state.taxRates, 'tax rate', id)),
    {
      method: 'POST',
      path: '/v1/tax_rates',
      shape: {
        display_name: 'text',
        inclusive: 'text',
        percentage: 'text',
        country: 'text',
        jurisdiction: 'text',
        description: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.TaxRateCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const inclusive = readBoolean(form, 'inclusive');
        const percentage = requireText(form, 'percentage');
        if (inclusive === undefined) throw refuseMissing('inclusive');
        if (!/^\d{1,2}(\.\d{1,4})?$|^100$/.test(percentage)) {
          throw refuseParameter('percentage', `Invalid percentage: ${percentage}`);
        }
        return newTaxRate(state, {
          display_name: requireText(form, 'display_name'),
          inclusive,
          percentage: Number(percentage),
          country: readText(form, 'country') ?? null,
          jurisdiction: readText(form, 'jurisdiction') ?? null,
          description: readText(form, 'description') ?? null,
          metadata: readMap(form, 'metadata'),
          created: toSeconds(nowMs),
        });
      },
    },
    {
      method: 'POST',
      path: '/v1/tax_rates/:id',
      shape: {
        active: 'text',
        display_name: 'text',
        metadata: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.TaxRateUpdateParams>,
      mutates: true,
      run: (call) => {
        const rate = found(state.taxRates, 'tax rate', idOf(call));
        rate.active = readBoolean(call.form, 'active') ?? rate.active;
        rate.display_name = readText(call.form, 'display_name') ?? rate.display_name;
        rate.metadata = mergeMetadata(rate.metadata ?? {}, call.form);
        return rate;
      },
    },
    {
      method: 'GET',
      path: '/v1/tax/settings',
      shape: { expand: 'any' },
      mutates: false,
      run: () => state.taxSettings,
    },
    {
      method: 'POST',
      path: '/v1/tax/settings',
      shape: {
        defaults: { tax_behavior: 'text', tax_code: 'text' },
        head_office: { address: 'any' },
        expand: 'any',
      } satisfies FormShape<Stripe.Tax.SettingsUpdateParams>,
      mutates: true,
      run: ({ form }) => {
        const defaults = readNested(form, 'defaults');
        const behavior = readText(defaults, 'tax_behavior');
        const code = readTaxCode(defaults);
        if (behavior !== undefined && !DEFAULT_BEHAVIORS.includes(behavior)) {
          throw refuseParameter('defaults[tax_behavior]', `must be one of ${DEFAULT_BEHAVIORS.join(', ')}`);
        }
        const known = state.taxSettings;
        state.taxSettings = {
          ...known,
          defaults: {
            ...known.defaults,
            tax_behavior: behavior ?? known.defaults.tax_behavior,
            tax_code: code ?? known.defaults.tax_code,
          },
          ...(form.head_office === undefined ? {} : { status: 'active', status_details: { active: {} } }),
        };
        return state.taxSettings;
      },
    },
    {
      method: 'GET',
      path: '/v1/tax/registrations',
      shape: { ...PAGING_SHAPE, status: 'text' } satisfies FormShape<Stripe.Tax.RegistrationListParams>,
      mutates: false,
      run: ({ form }) => toPage([...state.taxRegistrations.values()], form, '/v1/tax/registrations'),
    },
    {
      method: 'POST',
      path: '/v1/tax/registrations',
      shape: {
        active_from: 'text',
        country: 'text',
        country_options: 'any',
        expand: 'any',
      } satisfies FormShape<Stripe.Tax.RegistrationCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const country = requireText(form, 'country');
        const from = requireText(form, 'active_from');
        const at = from === 'now' ? toSeconds(nowMs) : (readInteger(form, 'active_from') ?? toSeconds(nowMs));
        if ([...state.taxRegistrations.values()].some((known) => known.country === country)) {
          throw refuseParameter('country', `There is a registration in ${country} already.`);
        }
        return register(state, country, at);
      },
    },
  ];
}
