import { TOKEN_WORDS } from '../../../pricing/usage/words.ts';
import { modelInWords } from '../../pages/words.ts';
import type { SimulationRequest } from '../../simulations/schemas.ts';

type AskedScenario = SimulationRequest['scenarios'][number];

/** What a scenario changes, a sentence for each change. */
export function scenarioInWords(scenario: AskedScenario): string[] {
  const { plan, planVersion, markupPercent, minimum, discountPercent } = scenario;
  return [
    ...(plan === undefined
      ? []
      : [`everybody pays by ${plan}${planVersion === undefined ? '' : `, version ${planVersion}`}`]),
    ...(markupPercent === undefined ? [] : [`everybody pays what it costs and ${markupPercent} %`]),
    ...scenario.modelSwaps.map(
      ({ from, to, feature }) => `${from} becomes ${to}${feature === undefined ? '' : ` in ${feature}`}`,
    ),
    ...scenario.sellChanges.map(
      (change) => `customers pay ${changeInWords(change.percent)} for ${usageOf(change)}`,
    ),
    ...scenario.sellPrices.map(
      (price) =>
        `customers pay ${price.perMillion} ${price.currency.toUpperCase()} a million for ${usageOf(price)}`,
    ),
    ...scenario.costChanges.map(
      (change) => `Azure asks ${changeInWords(change.percent)} for ${usageOf(change)}`,
    ),
    ...scenario.costPrices.map(
      (price) => `Azure asks ${price.usdPerMillion} USD a million for ${usageOf(price)}`,
    ),
    ...(minimum === undefined
      ? []
      : [`a month costs at least ${minimum.amount} ${minimum.currency.toUpperCase()}`]),
    ...(discountPercent === undefined ? [] : [`${discountPercent} % off`]),
    ...(scenario.withoutFeatures.length === 0 ? [] : [`without ${scenario.withoutFeatures.join(', ')}`]),
  ];
}

function changeInWords(percent: string): string {
  return percent.startsWith('-') ? `${percent.slice(1)} % less` : `${percent} % more`;
}

function usageOf(usage: { model: string; tokenType: string; feature?: string }): string {
  const tokens =
    usage.tokenType === '*'
      ? 'tokens'
      : (TOKEN_WORDS[usage.tokenType as keyof typeof TOKEN_WORDS]?.customer ?? usage.tokenType);
  const named = usage.model === '*' ? `${tokens} of any model` : `${modelInWords(usage.model)} ${tokens}`;
  return usage.feature === undefined || usage.feature === '*' ? named : `${named} in ${usage.feature}`;
}

/** Whose usage it is. */
export function customersInWords({ customerIds, customersOfPlan }: SimulationRequest): string {
  if (customersOfPlan !== undefined) return `customers on ${customersOfPlan}`;
  if (customerIds === undefined) return 'all customers';
  return customerIds.length > 3 ? `${customerIds.length} customers` : customerIds.join(', ');
}

/** What the form calls the fields of a request. */
const FIELDS: Record<string, string> = {
  from: 'From',
  to: 'To',
  customerIds: 'Customer',
  customersOfPlan: 'Whose usage',
  name: 'Name',
  plan: 'Plan',
  planVersion: 'Plan',
  markupPercent: 'Markup',
  discountPercent: 'Discount',
  minimum: 'Minimum',
  modelSwaps: 'Another model',
  sellChanges: 'What customers pay',
  sellPrices: 'What customers pay',
  costChanges: 'What Azure asks',
  costPrices: 'What Azure asks',
  withoutFeatures: 'Without features',
  percent: 'change',
  perMillion: 'price',
  usdPerMillion: 'price',
  amount: 'amount',
  model: 'model',
  tokenType: 'tokens',
  feature: 'feature',
  currency: 'currency',
};

/** `scenarios.0.sellChanges.1.percent` is `What customers pay, change`. */
export function fieldInWords(path: readonly PropertyKey[]): string {
  const parts = path.map(String).filter((part) => part !== 'scenarios' && !/^\d+$/.test(part));
  return parts.map((part) => FIELDS[part] ?? part).join(', ') || 'The form';
}

/** A refusal of the API in the form's words: there is one scenario. */
export function messageInWords(message: string): string {
  return message.replaceAll(/\bscenarios(?:\[0\]|\.0)?(?:\.(\w+))?: /g, (_, field: string | undefined) =>
    field === undefined ? '' : `${FIELDS[field] ?? field}: `,
  );
}
