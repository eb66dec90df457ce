import type { Form } from '../http/form.ts';
import type { WireTaxRate } from '../http/wire.ts';
import type { StripeState } from '../state.ts';
import { type DiscountTarget, idsOf, readDiscounts, setDiscounts } from './discounts.ts';
import { readAutomaticTax, readTaxRates } from './tax-parameters.ts';

/** A subscription, or an invoice. */
interface TermsHolder {
  automatic_tax: { enabled: boolean; liability: unknown };
  default_tax_rates?: WireTaxRate[] | null;
  discounts: (string | { id: string })[];
}

/** An item of a subscription, or of an invoice. */
interface ItemHolder {
  discounts: (string | { id: string })[] | null;
  tax_rates?: WireTaxRate[] | null;
}

type Apply<Holder> = (holder: Holder, target: DiscountTarget, atMs: number) => void;

/** What a subscription or an invoice may carry, in the SDK's own names. */
export const TERMS_SHAPE = {
  automatic_tax: { enabled: 'text' },
  default_tax_rates: 'any',
  discounts: { coupon: 'text', discount: 'text' },
} as const;

/** What an item may carry. */
export const ITEM_TERMS_SHAPE = {
  discounts: { coupon: 'text', discount: 'text' },
  tax_rates: 'any',
} as const;

/**
 * Checked now, done by what is returned: a refused call leaves nothing behind.
 * @param known as it is; null: it is about to be made
 * @throws StripeRefusal
 */
export function readTerms(
  state: StripeState,
  form: Form,
  known: TermsHolder | null,
  nowMs: number,
): Apply<TermsHolder> {
  const changes = readDiscounts(state, form, idsOf(known?.discounts ?? []), nowMs);
  const rates = readTaxRates(state, form, 'default_tax_rates');
  const enabled = readAutomaticTax(form, rates ?? known?.default_tax_rates ?? []);
  return (holder, target, atMs) => {
    if (changes !== undefined) holder.discounts = setDiscounts(state, changes, target, atMs);
    if (rates !== undefined) holder.default_tax_rates = rates;
    if (enabled !== undefined) {
      Object.assign(holder.automatic_tax, { enabled, liability: enabled ? { type: 'self' } : null });
    }
  };
}

/** See `readTerms`. @throws StripeRefusal */
export function readItemTerms(
  state: StripeState,
  form: Form,
  known: ItemHolder | null,
  nowMs: number,
): Apply<ItemHolder> {
  const changes = readDiscounts(state, form, idsOf(known?.discounts ?? []), nowMs);
  const rates = readTaxRates(state, form, 'tax_rates');
  return (holder, target, atMs) => {
    if (changes !== undefined) holder.discounts = setDiscounts(state, changes, target, atMs);
    if (rates !== undefined) holder.tax_rates = rates;
  };
}
