import { planRatesAt } from '../../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook } from '../../../pricing/prices/azure-openai.ts';
import { type RateableUsage, rateUsage } from '../../../pricing/rating/rate-usage.ts';
import type { SellRate } from '../../../pricing/rating/sell-rates.ts';
import { createScenario } from '../../../sandbox/scenario.ts';
import { addMonths } from '../../../sandbox/stripe/invoices/months.ts';
import { createStripeStandIn } from '../../../sandbox/stripe/stand-in.ts';
import { VirtualClock } from '../../../sandbox/virtual-clock.ts';
import { HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import { toPriceParameters } from '../../../src/stripe/rate-price.ts';
import { Draws } from '../../simulation/draws.ts';
import { FormCalls } from './form-calls.ts';
import { oracleLines, oracleTotal } from './period-oracle.ts';
import { drawPlan, type PlanSpec, RATE_KEYS, type RateSpec, toPlan } from './plan-spec.ts';

const START = new Date('2026-11-01T00:00:00Z');

/** One customer: a plan, what the house makes of it, and where it is at Stripe. */
interface Customer {
  stripeCustomerId: string;
  plan: PlanSpec;
  rates: readonly SellRate[];
  minimumAmountMinor: bigint;
  /** Subscription items, in the order of the plan's rates. */
  itemIds: string[];
}

interface WireLine {
  id: string;
  amount: number;
  parent: { subscription_item_details: { subscription_item: string } | null };
  pricing: { unit_amount_decimal: string | null } | null;
}

/** Three opinions on one billing period, in minor units: the house's, the invoice's, and the oracle's. */
export interface ComparedPeriod {
  what: string;
  rated: { lines: bigint[][]; total: bigint };
  invoiced: { lines: bigint[][]; total: bigint };
  expected: { lines: bigint[][]; total: bigint };
  hasTopUp: boolean;
}

/**
 * Plays customers with plans of their own through months of usage in one account of the stand-in: prices made, meter
 * events sent, drafts topped up to their minimum, invoices finalized by its clock.
 */
export async function playAccount(options: {
  seed: number;
  customerCount: number;
  monthCount: number;
}): Promise<ComparedPeriod[]> {
  const draws = new Draws(options.seed, 'generated periods');
  const clock = new VirtualClock(START.getTime());
  const scenario = {
    ...createScenario({
      seed: options.seed,
      dayCount: 1,
      userCount: options.customerCount,
      customerCount: options.customerCount,
      startMs: START.getTime(),
    }),
    models: [],
  };
  const specs = scenario.customers.map(() => drawPlan(draws));
  scenario.customers.forEach((customer, index) => {
    customer.currency = specs[index]?.currency ?? 'usd';
    customer.billingAnchorMs = addMonths(START.getTime(), 1);
  });
  const standIn = createStripeStandIn(
    { clock, seed: options.seed, stateDirectory: null, latencyMs: 0 },
    scenario,
    {
      aggregationDelayMs: 0,
      callsPerSecond: Number.POSITIVE_INFINITY,
      otherCallsPerSecond: Number.POSITIVE_INFINITY,
    },
  );
  const account = new Account(new FormCalls(standIn), draws, clock);
  try {
    await account.open(specs);
    const periods: ComparedPeriod[] = [];
    for (let month = 0; month < options.monthCount; month += 1) {
      const start = new Date(addMonths(START.getTime(), month));
      const end = new Date(addMonths(START.getTime(), month + 1));
      periods.push(...(await account.playMonth({ start, end }, (nowMs) => standIn.advance(nowMs))));
    }
    return periods;
  } finally {
    standIn.close();
  }
}

class Account {
  readonly #calls: FormCalls;
  readonly #draws: Draws;
  readonly #clock: VirtualClock;
  #customers: Customer[] = [];
  #eventCount = 0;

  constructor(calls: FormCalls, draws: Draws, clock: VirtualClock) {
    this.#calls = calls;
    this.#draws = draws;
    this.#clock = clock;
  }

  async open(specs: readonly PlanSpec[]): Promise<void> {
    const calls = this.#calls;
    const meterIds = new Map<string, string>();
    for (const key of RATE_KEYS) {
      const meter = await calls.post<{ id: string }>('/v1/billing/meters', {
        event_name: eventNameOf(key),
        display_name: eventNameOf(key),
        default_aggregation: { formula: 'sum' },
      });
      meterIds.set(eventNameOf(key), meter.id);
    }
    const product = await calls.post<{ id: string }>('/v1/products', { name: 'Generated' });
    const subscriptions = await this.#listAll<{ id: string; customer: string }>('/v1/subscriptions?');
    // Lists are newest first.
    for (const [index, subscription] of subscriptions.reverse().entries()) {
      const plan = specs[index];
      if (plan === undefined) throw new Error('there are more subscriptions than plans');
      const { rates, minimumAmountMinor } = planRatesAt(
        toPlan(plan, `plan-${index}`, START.toISOString()),
        START,
        azureOpenAiPriceBook,
      );
      const itemIds: string[] = [];
      for (const rate of rates) {
        const price = await calls.post<{ id: string }>('/v1/prices', {
          product: product.id,
          currency: plan.currency,
          recurring: { interval: 'month', usage_type: 'metered', meter: meterIds.get(eventNameOf(rate)) },
          ...toPriceParameters(rate.price),
        });
        const item = await calls.post<{ id: string }>('/v1/subscription_items', {
          subscription: subscription.id,
          price: price.id,
        });
        itemIds.push(item.id);
      }
      this.#customers.push({
        stripeCustomerId: subscription.customer,
        plan,
        rates,
        minimumAmountMinor,
        itemIds,
      });
    }
  }

  async playMonth(
    period: { start: Date; end: Date },
    advance: (nowMs: number) => void,
  ): Promise<ComparedPeriod[]> {
    const moveTo = (nowMs: number) => {
      this.#clock.advanceTo(nowMs);
      advance(nowMs);
    };
    moveTo(period.end.getTime() - MINUTE_MS);
    const usage: RateableUsage[][] = [];
    for (const customer of this.#customers) usage.push(await this.#use(customer, period));
    moveTo(period.end.getTime() + MINUTE_MS);
    const rated = this.#customers.map((customer, index) =>
      rateUsage(usage[index] ?? [], customer.rates, customer.minimumAmountMinor),
    );
    const drafts = await this.#listAll<{ id: string; customer: string }>('/v1/invoices?status=draft&');
    const invoiceIds = new Map(drafts.map((draft) => [draft.customer, draft.id]));
    for (const [index, customer] of this.#customers.entries()) {
      const amount = rated[index]?.minimumTopUpMinor ?? 0n;
      if (amount === 0n) continue;
      await this.#calls.post('/v1/invoiceitems', {
        customer: customer.stripeCustomerId,
        invoice: invoiceIds.get(customer.stripeCustomerId),
        currency: customer.plan.currency,
        amount,
        description: 'Top-up to the minimum',
        period: { start: period.start.getTime() / 1_000, end: period.end.getTime() / 1_000 },
      });
    }
    moveTo(period.end.getTime() + 2 * HOUR_MS);
    const compared: ComparedPeriod[] = [];
    for (const [index, customer] of this.#customers.entries()) {
      const ours = rated[index];
      if (ours === undefined) throw new Error('a customer was not rated');
      const invoiceId = invoiceIds.get(customer.stripeCustomerId) ?? '';
      const used = customer.rates.map((rate) => sumOf(usage[index] ?? [], rate));
      compared.push({
        what: describe(customer.plan, used),
        rated: {
          lines: customer.rates.map((rate) =>
            ours.lines
              .filter((line) => line.rate === rate)
              .flatMap((line) => line.tierLines.map((tier) => tier.amountMinor)),
          ),
          total: ours.totals.amountMinor ?? -1n,
        },
        invoiced: await this.#readInvoice(invoiceId, customer),
        expected: {
          lines: customer.plan.rates.map((rate, position) => oracleLines(rate, used[position] ?? 0n)),
          total: oracleTotal(customer.plan, used),
        },
        hasTopUp: ours.minimumTopUpMinor > 0n,
      });
    }
    return compared;
  }

  /** Usage of every rate, none included, as meter events of the stand-in and as what the house rates. */
  async #use(customer: Customer, period: { start: Date; end: Date }): Promise<RateableUsage[]> {
    const draws = this.#draws;
    const usage: RateableUsage[] = [];
    for (const [index, rate] of customer.rates.entries()) {
      for (const tokenCount of drawCounts(draws, customer.plan.rates[index])) {
        usage.push({ ...keyUnder(rate), tokenCount });
        this.#eventCount += 1;
        await this.#calls.post('/v1/billing/meter_events', {
          event_name: eventNameOf(rate),
          payload: { stripe_customer_id: customer.stripeCustomerId, value: tokenCount },
          identifier: `generated-${this.#eventCount}`,
          timestamp: Math.floor((period.start.getTime() + draws.between(0, 27 * 24) * HOUR_MS) / 1_000),
        });
      }
      // As previews do: an idle price is a line, too.
      usage.push({ ...keyUnder(rate), tokenCount: 0n });
    }
    return usage;
  }

  async #readInvoice(invoiceId: string, customer: Customer): Promise<ComparedPeriod['invoiced']> {
    const invoice = await this.#calls.get<{ status: string; total: number }>(`/v1/invoices/${invoiceId}`);
    if (invoice.status === 'draft') throw new Error(`${invoiceId} is still a draft`);
    const lines = await this.#listAll<WireLine>(`/v1/invoices/${invoiceId}/lines?`);
    return {
      lines: customer.itemIds.map((itemId) =>
        foldFlatAmounts(
          lines.filter((line) => line.parent.subscription_item_details?.subscription_item === itemId),
        ),
      ),
      total: BigInt(invoice.total),
    };
  }

  async #listAll<Item extends { id: string }>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    for (let after = ''; ; after = `&starting_after=${items.at(-1)?.id}`) {
      const page = await this.#calls.get<{ data: Item[]; has_more: boolean }>(`${path}limit=100${after}`);
      items.push(...page.data);
      if (!page.has_more) return items;
    }
  }
}

/** None, a little, much, or just where a tier ends; now and then a correction. */
function drawCounts(draws: Draws, rate: RateSpec | undefined): bigint[] {
  if (draws.chance(0.15)) return [];
  const ends = [rate?.includedTokens, ...(rate?.tiers.map((tier) => tier.upTo) ?? [])].filter(
    (end) => end != null,
  );
  const [end] = draws.shuffle(ends);
  if (end !== undefined && draws.chance(0.3)) return [end + BigInt(draws.between(-1, 1))];
  const counts = [BigInt(draws.between(1, draws.pick([10, 100_000, 40_000_000])))];
  if (draws.chance(0.3)) counts.push(BigInt(draws.between(0, 1_000_000)));
  if (draws.chance(0.1)) counts.push(BigInt(-draws.between(1, 2_000_000)));
  return counts;
}

const eventNameOf = ({ model, feature, tokenType }: Pick<SellRate, 'model' | 'feature' | 'tokenType'>) =>
  [model, feature, tokenType].map((part) => (part === '*' ? 'any' : part)).join('_');

/** Usage that no other rate can claim: names that no rate has, where the rate is for any. */
function keyUnder({ model, feature, tokenType }: SellRate): Omit<RateableUsage, 'tokenCount'> {
  return { model: model === '*' ? 'phi-4' : model, feature: feature === '*' ? 'search' : feature, tokenType };
}

/** A tier's flat amount is a line of its own, after the tier's tokens. */
function foldFlatAmounts(lines: readonly WireLine[]): bigint[] {
  const folded: bigint[] = [];
  for (const line of lines) {
    if (line.pricing?.unit_amount_decimal == null) folded.push((folded.pop() ?? 0n) + BigInt(line.amount));
    else folded.push(BigInt(line.amount));
  }
  return folded;
}

function sumOf(usage: readonly RateableUsage[], rate: SellRate): bigint {
  const { model, feature, tokenType } = keyUnder(rate);
  return usage
    .filter((entry) => entry.model === model && entry.feature === feature && entry.tokenType === tokenType)
    .reduce((sum, entry) => sum + entry.tokenCount, 0n);
}

function describe(plan: PlanSpec, used: readonly bigint[]): string {
  return JSON.stringify({ plan, used }, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
