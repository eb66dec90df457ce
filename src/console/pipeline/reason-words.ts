/** What lets usage go on that waits for a reason, as docs/concepts.md has it. One that is not named here says its name alone. */
const CURES: Record<string, string> = {
  unknown_metric: 'A version that knows the metric counts it, or somebody gives it up.',
  no_subject: 'Say whose it is.',
  no_model: 'The gateway’s policy must name the model; what waits is given up, or tried again.',
  no_provider: 'Name whose the model is in the configuration (MODEL_PROVIDERS).',
  counts_disagree: 'The missing row of the minute comes, or somebody takes the minute as told.',
  overlap_untold: 'The missing row of the minute comes, or somebody takes the minute as told.',
  no_token_count: 'The request’s counts come after all, or somebody gives it up.',
  after_retention: 'Whether it was billed can no longer be told: somebody decides.',
  tenant_mismatch: 'The user was first seen with another tenant: say whose it is.',
  refused_by_openmeter: 'The night tries it again, or somebody does.',
  corrupt: 'Try it again: its source items make it anew.',
  no_customer: 'The user belongs to no customer: say whose it is.',
  no_stripe_customer: 'The customer is not in Stripe yet.',
  no_binding: 'No price in Stripe counts this model and kind of token: add one.',
  unusable_meter: 'The meter in Stripe cannot take it: see docs/stripe.md.',
  no_subscription_item: 'The customer’s subscription has no item for it: add one in Stripe.',
  no_price_in_currency: 'The price in Stripe lacks the subscription’s currency: add it.',
  double_binding: 'Two items would bill it: take one away in Stripe.',
  stale_catalog: 'The next reading of the catalog tells.',
  carry_to_next_invoice: 'By plan: the next invoice takes it up.',
  refused_by_stripe: 'The night plans it anew, or somebody does.',
};

/** Why usage waits, has no price, or is on no invoice, in few words; one that is not named here says its name. */
const REASONS: Record<string, string> = {
  unknown_metric: 'a metric that is not known',
  no_subject: 'nobody is named',
  no_model: 'no model is named',
  no_provider: 'nobody knows who makes the model',
  counts_disagree: 'two counts disagree',
  overlap_untold: 'a row of the minute is missing',
  no_token_count: 'the request has no count',
  after_retention: 'it came after its day was put away',
  tenant_mismatch: 'the user belongs to another tenant',
  refused_by_openmeter: 'OpenMeter refused it',
  corrupt: 'the event is damaged',
  no_customer: 'the user belongs to no customer',
  no_stripe_customer: 'the customer is not in Stripe',
  no_binding: 'no price in Stripe counts it',
  unusable_meter: 'the meter in Stripe cannot take it',
  no_subscription_item: 'the subscription has no item for it',
  no_price_in_currency: 'the price lacks the currency',
  double_binding: 'two items would bill it',
  stale_catalog: 'the catalog is too old to tell',
  carry_to_next_invoice: 'it goes on the next invoice',
  refused_by_stripe: 'Stripe refused it',
  no_trace: 'the gateway’s log has no trace of it',
};

export const inWords = (name: string) => REASONS[name] ?? name.replaceAll('_', ' ');

/** What lets it go on; empty: nobody has said. */
export const cureOf = (reason: string): string => CURES[reason] ?? '';
