import type Stripe from 'stripe';

/**
 * A Stripe object as it travels: the SDK's own type with `Decimal` as text. Handlers build these, so that a
 * field that Stripe renames or adds stops the build when the SDK is updated.
 */
export type Wire<Type> = Type extends Stripe.Decimal
  ? string
  : Type extends string | number | boolean | null | undefined
    ? Type
    : Type extends (infer Item)[]
      ? Wire<Item>[]
      : Type extends object
        ? { [Key in keyof Type]: Wire<Type[Key]> }
        : Type;

export interface WireList<Item> {
  object: 'list';
  data: Item[];
  has_more: boolean;
  url: string;
}

export type WireProduct = Wire<Stripe.Product>;
export type WirePrice = Wire<Stripe.Price>;
export type WireTier = NonNullable<WirePrice['tiers']>[number];
export type WirePlan = Wire<Stripe.Plan>;
export type WireCustomer = Wire<Stripe.Customer>;
export type WireMeter = Wire<Stripe.Billing.Meter>;
export type WireSubscription = Wire<Stripe.Subscription>;
export type WireSubscriptionItem = Wire<Stripe.SubscriptionItem>;
export type WireSubscriptionSchedule = Wire<Stripe.SubscriptionSchedule>;
export type WireInvoice = Wire<Stripe.Invoice>;
export type WireInvoiceLine = Wire<Stripe.InvoiceLineItem>;
export type WireInvoiceItem = Wire<Stripe.InvoiceItem>;
export type WireCreditNote = Wire<Stripe.CreditNote>;
export type WireCreditNoteLine = Wire<Stripe.CreditNoteLineItem>;
export type WireCoupon = Wire<Stripe.Coupon>;
export type WireDiscount = Wire<Stripe.Discount>;
export type WireTaxRate = Wire<Stripe.TaxRate>;
export type WireTaxRegistration = Wire<Stripe.Tax.Registration>;
export type WireTaxSettings = Wire<Stripe.Tax.Settings>;
export type WireCreditGrant = Wire<Stripe.Billing.CreditGrant>;
export type WireCreditTransaction = Wire<Stripe.Billing.CreditBalanceTransaction>;
export type WireBalanceTransaction = Wire<Stripe.CustomerBalanceTransaction>;
export type WireTestClock = Wire<Stripe.TestHelpers.TestClock>;
export type WireWebhookEndpoint = Wire<Stripe.WebhookEndpoint>;

/** Stripe counts in whole seconds. */
export function toSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1_000);
}
