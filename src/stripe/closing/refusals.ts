import { TallystickError } from '../../platform/errors.ts';

/** Why Stripe does not make an invoice final. */
export interface FinalizationRefusal {
  /** Of https://docs.stripe.com/error-codes; `unknown` where Stripe names none. */
  code: string;
  reason: string;
  /** What a person can do. */
  fix: string;
  /** Whether it may pass without anybody doing anything. */
  passes: boolean;
}

const PLACE_FIX =
  'Give the customer an address that Stripe can place: country, and postal code or state. Or turn automatic tax off.';
const PAYMENT_FIX =
  "Look at the payment method types of the invoice and at the customer's payment method, or let the subscription send invoices.";
const ACCOUNT_FIX =
  'Put the account in order in the Dashboard, and check that STRIPE_API_KEY belongs to it and may do this.';

/** By code, the first that fits; fixes follow what Stripe's page says of each. */
const KINDS: readonly { codes: RegExp; fix: string; passes?: true }[] = [
  {
    codes:
      /rate_limit|upstream|_timeout$|^(lock_timeout|idempotency_key_in_use|processing_error|failed_tax_calculation|(taxes|shipping)_calculation_failed|terminal_reader_(busy|offline))$/,
    fix: 'Nothing yet: Stripe could not work it out just then, and is asked again.',
    passes: true,
  },
  {
    codes: /tax_location|^(country|postal|state)_|^shipping_address|^incorrect_(address|postal_code|zip)/,
    fix: PLACE_FIX,
  },
  {
    codes: /^stripe_tax_/,
    fix: 'Activate Stripe Tax, or turn automatic tax off for the subscription and the draft.',
  },
  { codes: /^(tax_id|siret)_/, fix: 'Correct the tax ID of the customer, or of the account.' },
  {
    codes: /^amount_too_|_amount$|^charge_exceeds_/,
    fix: 'Stripe takes no such total in this currency: bring it within bounds with an invoice item on the draft.',
  },
  { codes: /coupon/, fix: 'Take the coupon off the subscription and the draft, or replace it.' },
  {
    codes: /^(product|sku)_inactive$|^out_of_inventory$/,
    fix: 'Make the product of each line active again.',
  },
  {
    codes:
      /^(account|capability|platform|secret_key|storer|tls|livemode|testmode|application|not_allowed)|api_key|account_(required|balance|capability)/,
    fix: ACCOUNT_FIX,
  },
  {
    codes:
      /payment|charge|card|bank|mandate|authentication|cvc|expir|insufficient|intent|setup|sepa|acss|debit|source|token|number|balance/,
    fix: PAYMENT_FIX,
  },
  {
    codes: /^(invoice|status_transition|resource|parameter|missing)/,
    fix: 'Look at the draft and its lines in the Dashboard.',
  },
];

/** What a refusal means for a person, and for the next try. */
export function explainRefusal(told: { code: string | null; message: string | null }): FinalizationRefusal {
  const code = told.code ?? 'unknown';
  const kind = KINDS.find(({ codes }) => codes.test(code));
  return {
    code,
    reason: told.message ?? 'Stripe gives no reason.',
    fix: kind?.fix ?? 'Mend in Stripe what https://docs.stripe.com/error-codes says of this code.',
    passes: kind?.passes ?? false,
  };
}

/** Null: the error is none of Stripe's, or says nothing about the invoice. */
export function refusalOf(error: unknown): FinalizationRefusal | null {
  if (!(error instanceof TallystickError) || error.code !== 'UPSTREAM_REJECTED') return null;
  const { stripeCode } = error.context;
  return explainRefusal({
    code: typeof stripeCode === 'string' ? stripeCode : null,
    message: error.cause instanceof Error ? error.cause.message : error.message,
  });
}

/** As a person reads it. */
export function speakRefusal({ code, reason, fix }: FinalizationRefusal): string {
  return `Stripe does not finalize it (${code}): ${reason} ${fix}`;
}
