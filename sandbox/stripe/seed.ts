import { DAY_MS } from '../../src/platform/clock.ts';
import type { Scenario, ScenarioCustomer, ScenarioModel } from '../scenario.ts';
import { scheduleLife } from './customer-life.ts';
import { toSeconds } from './http/wire.ts';
import type { BillingCycle } from './invoices/billing-cycle.ts';
import { formatDecimal, parseDecimal } from './money.ts';
import { newCustomer, newMeter, newProduct, newSubscription, newSubscriptionItem } from './objects.ts';
import type { TierInput } from './price-scheme.ts';
import { newPrice } from './prices.ts';
import type { StripeState } from './state.ts';

export interface SeedOptions {
  /** Event names of meters that get `event_time_window: 'hour'`; the others are raw. */
  hourWindowMeters: (eventName: string) => boolean;
  /** Tenants whose subscription also has a metered item without a meter, as from before Basil. */
  legacyItemTenantKeys: readonly string[];
  /** Tiered prices that single tenants have instead of the per-unit one. */
  tieredPrices: readonly SeedTieredPrice[];
  /** Tenants billed in another currency than their prices', which are in dollars, by `currency_options`. */
  optionCurrencies: Readonly<Record<string, string>>;
}

/** One tenant's own price of a model and token type, in the tenant's currency. */
export interface SeedTieredPrice {
  tenantKey: string;
  model: string;
  tokenType: string;
  tiersMode: 'graduated' | 'volume';
  tiers: readonly TierInput[];
  /** Beside what binds it to its usage; a plan's, say. */
  metadata?: Readonly<Record<string, string>>;
}

interface SeedPrice {
  model: string;
  tokenType: string;
  productId: string;
  meterId: string;
  priceId: string;
}

type TokenType = ScenarioModel['tokenTypes'][number];

const TOKEN_TYPE_NAMES: Record<TokenType, string> = {
  prompt: 'prompt tokens',
  prompt_cached: 'cached prompt tokens',
  completion: 'completion tokens',
};

/** Prices of the sandbox in minor units, as fixed thousandths of the dollar price in cents. */
const THOUSANDTHS_OF_CENTS: Readonly<Record<string, bigint>> = {
  eur: 920n,
  jpy: 1_500n,
  kwd: 3_070n,
  ugx: 3_700_000n,
};

/** `gpt-4o` and `prompt` give `gpt_4o_prompt_tokens`. */
export function meterEventName(model: string, tokenType: string): string {
  return `${model.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}_${tokenType}_tokens`;
}

/** Fills an empty account with the scenario's catalog: what a person would set up by hand, see docs/stripe.md. */
export function seedState(cycle: BillingCycle, scenario: Scenario, options: SeedOptions): void {
  const { state } = cycle.account;
  const created = toSeconds(scenario.options.startMs);
  const currencies = [
    ...new Set(
      scenario.customers.map(({ tenantKey, currency }) =>
        options.optionCurrencies[tenantKey] === undefined ? currency : 'usd',
      ),
    ),
  ];
  const prices = new Map<string, SeedPrice[]>(currencies.map((currency) => [currency, []]));
  for (const model of scenario.models) {
    for (const tokenType of model.tokenTypes) {
      const name = `${model.displayName} ${TOKEN_TYPE_NAMES[tokenType]}`;
      const eventName = meterEventName(model.model, tokenType);
      const product = newProduct(state, { name, created });
      const meter = newMeter(state, {
        eventName,
        displayName: name,
        formula: 'sum',
        eventTimeWindow: options.hourWindowMeters(eventName) ? 'hour' : null,
        created,
      });
      for (const currency of currencies) {
        const price = newPrice(state, {
          productId: product.id,
          meterId: meter.id,
          currency,
          scheme: { unitAmountDecimal: sellPrice(model, tokenType, currency) },
          ...(currency === 'usd' ? { options: optionsOf(model, tokenType, options) } : {}),
          nickname: name,
          metadata: bindingMetadata(model.model, tokenType),
          created,
        });
        prices.get(currency)?.push({
          model: model.model,
          tokenType,
          productId: product.id,
          meterId: meter.id,
          priceId: price.id,
        });
      }
    }
  }
  for (const customer of scenario.customers) {
    const currency = options.optionCurrencies[customer.tenantKey] ?? customer.currency;
    const own = prices.get(currency) ?? prices.get('usd') ?? [];
    seedCustomer(cycle, { ...customer, currency }, own, scenario.options.startMs, options);
  }
}

function optionsOf(model: ScenarioModel, tokenType: TokenType, { optionCurrencies }: SeedOptions) {
  const currencies = [...new Set(Object.values(optionCurrencies))];
  return new Map(
    currencies.map((currency) => [currency, { unitAmountDecimal: sellPrice(model, tokenType, currency) }]),
  );
}

function seedCustomer(
  cycle: BillingCycle,
  customer: Omit<ScenarioCustomer, 'currency'> & { currency: string },
  prices: readonly SeedPrice[],
  startMs: number,
  options: SeedOptions,
): void {
  const { state } = cycle.account;
  const { life } = customer;
  const created = toSeconds(startMs);
  const { id } = newCustomer(state, {
    name: customer.name,
    email: customer.email,
    currency: customer.currency,
    metadata: { tenant_id: customer.tenantKey },
    created,
    paymentMethodId: life.withoutPaymentMethod === true ? null : state.nextId('pm'),
  });
  const subscription = newSubscription(state, {
    customerId: id,
    currency: customer.currency,
    startMs,
    anchorMs: customer.billingAnchorMs,
    ...(life.trialDays === undefined ? {} : { trialEndMs: startMs + life.trialDays * DAY_MS }),
  });
  const second =
    life.secondSubscription === undefined
      ? null
      : newSubscription(state, {
          customerId: id,
          currency: customer.currency,
          startMs,
          anchorMs: startMs + life.secondSubscription.anchorDay * DAY_MS,
        });
  for (const price of prices) {
    const own = options.tieredPrices.find(
      ({ tenantKey, model, tokenType }) =>
        tenantKey === customer.tenantKey && model === price.model && tokenType === price.tokenType,
    );
    const priceId = own === undefined ? price.priceId : seedTieredPrice(state, customer, price, own, created);
    const apart = second !== null && life.secondSubscription?.models.includes(price.model) === true;
    newSubscriptionItem(state, apart ? second : subscription, priceId);
  }
  scheduleLife(cycle, second === null ? [subscription] : [subscription, second], life, startMs);
  if (options.legacyItemTenantKeys.includes(customer.tenantKey)) {
    const product = newProduct(state, { name: 'Legacy tokens', created });
    const price = newPrice(state, {
      productId: product.id,
      meterId: null,
      currency: customer.currency,
      scheme: { unitAmountDecimal: '0.001' },
      nickname: null,
      metadata: {},
      created,
    });
    newSubscriptionItem(state, subscription, price.id);
  }
}

function seedTieredPrice(
  state: StripeState,
  customer: Omit<ScenarioCustomer, 'currency'> & { currency: string },
  price: SeedPrice,
  own: SeedTieredPrice,
  created: number,
): string {
  return newPrice(state, {
    productId: price.productId,
    meterId: price.meterId,
    currency: customer.currency,
    scheme: { tiersMode: own.tiersMode, tiers: own.tiers },
    nickname: `${customer.name}, ${own.tiersMode}`,
    metadata: { ...bindingMetadata(price.model, price.tokenType), ...own.metadata },
    created,
  }).id;
}

function bindingMetadata(model: string, tokenType: string): Record<string, string> {
  return { tallystick_model: model, tallystick_token_type: tokenType, tallystick_feature: '*' };
}

function sellPrice(model: ScenarioModel, tokenType: TokenType, currency: string): string {
  const cents = model.sellPriceCents[tokenType];
  if (cents === undefined) throw new RangeError(`the scenario has no price for ${model.model} ${tokenType}`);
  if (currency === 'usd') return cents;
  const thousandths = THOUSANDTHS_OF_CENTS[currency];
  if (thousandths === undefined) throw new RangeError(`the sandbox has no prices in ${currency}`);
  return formatDecimal((parseDecimal(cents) * thousandths) / 1_000n);
}
