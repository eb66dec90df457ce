import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import type { PriceTier } from '../../../pricing/rating/rate-price.ts';
import { speakProduct } from '../../../pricing/usage/words.ts';
import type { Html } from '../../pages/html.ts';
import type { CustomerPlan } from '../../plans/customer-plans.ts';
import type { SubscriptionMaterial } from '../../previews/gather.ts';
import type { ActiveItem } from '../../previews/items.ts';
import type { Statement } from '../../statements/decide.ts';
import { countedBy } from '../../statements/groups.ts';
import type { ReaderLocale } from '../words/reader.ts';

/** What a subscription charges, a sentence for each price. */
export function planSection(
  {
    items,
    beside,
    currency,
    plans,
  }: Pick<SubscriptionMaterial, 'items' | 'beside'> & { currency: string; plans: readonly CustomerPlan[] },
  statement: Statement,
  locale: ReaderLocale,
): Html {
  const { words } = locale;
  const prices = items.map((item) => priceInWords(item, statement, locale));
  const minimums = beside.minimums.map(({ planName, minimumMinor }) =>
    words.plan.minimum(planName, locale.money(formatMinor(minimumMinor, currency), currency)),
  );
  const trials = [...new Set(items.flatMap(({ trialEndsAt }) => trialEndsAt ?? []))].map((until) =>
    words.plan.trial(locale.day(until)),
  );
  const named = plans.flatMap(({ name }) => (name === null ? [] : [words.plan.named(name)]));
  const sentences = [...new Set([...named, ...trials, ...prices, ...minimums])];
  return html`<h2>${words.plan.title}</h2>
    <ul class="plain-words">${sentences.map((sentence) => html`<li><bdi>${sentence}</bdi></li>`)}</ul>`;
}

function priceInWords(item: ActiveItem, statement: Statement, locale: ReaderLocale): string {
  const { plan } = locale.words;
  const { price, currency, stripeMeterId } = item;
  const product = speakProduct(item.productName);
  if (stripeMeterId === null) return plan.other(product);
  const used = statement.usage.filter((row) => row.stripeMeterId === stripeMeterId);
  const counted = countedBy(stripeMeterId, used, statement.facts);
  const usage = counted === null ? product : locale.usage(counted);
  if (price === null) return plan.notSaid(usage);
  if (price.kind === 'per_package') {
    const amount = locale.flat(price.unitAmountDecimal, currency);
    return plan.package(usage, locale.count(price.packageSize), amount, price.round === 'up');
  }
  if (price.kind === 'per_unit') {
    if (isNothing(price.unitAmountDecimal)) return plan.free(usage);
    return plan.perMillion(usage, locale.million(price.unitAmountDecimal, currency));
  }
  const steps = price.tiers.map((tier) => stepInWords(tier, price.tiers.length > 1, currency, locale));
  return price.mode === 'graduated' ? plan.graduated(usage, steps) : plan.volume(usage, steps);
}

function stepInWords(tier: PriceTier, isOneOfMany: boolean, currency: string, locale: ReaderLocale): string {
  const { plan, lines } = locale.words;
  const { upTo, unitAmountDecimal, flatAmountDecimal } = tier;
  const amount = locale.million(unitAmountDecimal, currency);
  const isFree = isNothing(unitAmountDecimal);
  const step =
    upTo !== null
      ? isFree
        ? plan.stepIncluded(locale.count(upTo))
        : plan.stepUpTo(locale.count(upTo), amount)
      : !isOneOfMany
        ? lines.perMillion(amount)
        : isFree
          ? plan.stepAboveFree
          : plan.stepAbove(amount);
  if (flatAmountDecimal === null || isNothing(flatAmountDecimal)) return step;
  return plan.stepFlat(step, locale.flat(flatAmountDecimal, currency));
}

function isNothing(amount: string): boolean {
  return !/[1-9]/.test(amount);
}
