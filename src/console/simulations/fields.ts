import { z } from 'zod';
import { textOf } from '../../pages/address.ts';
import { DAY_MS } from '../../platform/clock.ts';
import { errorFromZod } from '../../platform/http/problem.ts';
import { type SimulationRequest, SimulationRequestSchema } from '../../simulations/schemas.ts';
import { linesOf } from '../frame/form-lines.ts';
import type { Period } from '../frame/period.ts';
import { fieldInWords, scenarioInWords } from './words.ts';

/** Fields of lines that repeat, line by line. Of an amount's unit nothing is percent, and else a currency. */
export const SWAP_FIELDS = ['swapFrom', 'swapTo', 'swapFeature'] as const;
export const SELL_FIELDS = ['sellModel', 'sellFeature', 'sellType', 'sellAmount', 'sellUnit'] as const;
export const COST_FIELDS = ['costModel', 'costType', 'costAmount', 'costUnit'] as const;

const MAX_NAME_LENGTH = 100;

/** The fields as the address or a refused form has them; a swap in an address is a line of the form. */
export function filledIn(query: URLSearchParams, period: Period): URLSearchParams {
  const fields = new URLSearchParams(query);
  if (!fields.has('swapFrom') && (fields.has('fromModel') || fields.has('toModel'))) {
    fields.append('swapFrom', fields.get('fromModel') ?? '');
    fields.append('swapTo', fields.get('toModel') ?? '');
    fields.append('swapFeature', fields.get('feature') ?? '');
  }
  if (!fields.has('from') || !fields.has('to') || fields.has('period')) {
    fields.set('from', dayOf(period.window.start));
    fields.set('to', dayOf(new Date(period.window.end.getTime() - DAY_MS)));
  }
  return fields;
}

/** No day of a period lies in the future. */
export function untilToday({ window, ...period }: Period, now: Date): Period {
  const tomorrow = new Date((Math.floor(now.getTime() / DAY_MS) + 1) * DAY_MS);
  return { ...period, window: { ...window, end: window.end < tomorrow ? window.end : tomorrow } };
}

const dayOf = (instant: Date) => instant.toISOString().slice(0, 10);

/**
 * The form as the request that the API takes.
 * @throws TallystickError VALIDATION which names the fields as the form does
 */
export function readRequest(fields: URLSearchParams): SimulationRequest {
  const asked = toRequest(fields);
  const parsed = SimulationRequestSchema.safeParse(asked);
  if (parsed.success) {
    const [scenario] = parsed.data.scenarios;
    if (scenario === undefined || textOf(fields, 'name') !== undefined) return parsed.data;
    const name = scenarioInWords(scenario).join('; ').slice(0, MAX_NAME_LENGTH) || 'as it is';
    return { ...parsed.data, scenarios: [{ ...scenario, name }] };
  }
  const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [fieldInWords(issue.path)] }));
  throw errorFromZod('form', new z.ZodError(issues));
}

function toRequest(fields: URLSearchParams): Record<string, unknown> {
  const text = (name: string) => textOf(fields, name);
  const [plan, planVersion] = (text('plan') ?? '').split(' ');
  const sell = linesOf(fields, SELL_FIELDS);
  const cost = linesOf(fields, COST_FIELDS);
  const customerIds = linesOf(fields, ['customer']).map(({ customer }) => customer);
  const minimum = text('minimum');
  return present({
    from: text('from'),
    to: dayAfter(text('to')),
    customersOfPlan: text('ofPlan'),
    customerIds: customerIds.length === 0 ? undefined : customerIds,
    scenarios: [
      present({
        name: text('name') ?? 'as typed',
        plan: plan || undefined,
        planVersion,
        markupPercent: percentOf(text('markup')),
        discountPercent: percentOf(text('discount')),
        minimum:
          minimum === undefined
            ? undefined
            : present({ amount: amountOf(minimum), currency: text('minimumCurrency')?.toLowerCase() }),
        modelSwaps: linesOf(fields, SWAP_FIELDS).map(({ swapFrom, swapTo, swapFeature }) =>
          present({ from: swapFrom, to: swapTo, feature: swapFeature || undefined }),
        ),
        sellChanges: sell
          .filter(({ sellUnit }) => sellUnit === '')
          .map((line) => ({ ...sellUsage(line), percent: percentOf(line.sellAmount) ?? '' })),
        sellPrices: sell
          .filter(({ sellUnit }) => sellUnit !== '')
          .map((line) => ({
            ...sellUsage(line),
            currency: line.sellUnit,
            perMillion: amountOf(line.sellAmount),
          })),
        costChanges: cost
          .filter(({ costUnit }) => costUnit === '')
          .map((line) => ({ ...costUsage(line), percent: percentOf(line.costAmount) ?? '' })),
        costPrices: cost
          .filter(({ costUnit }) => costUnit !== '')
          .map((line) => ({ ...costUsage(line), usdPerMillion: amountOf(line.costAmount) })),
        withoutFeatures: linesOf(fields, ['without']).map(({ without }) => without),
      }),
    ],
  });
}

function sellUsage(line: Record<(typeof SELL_FIELDS)[number], string>) {
  return present({
    model: line.sellModel || undefined,
    feature: line.sellFeature || undefined,
    tokenType: line.sellType || undefined,
  });
}

function costUsage(line: Record<(typeof COST_FIELDS)[number], string>) {
  return present({ model: line.costModel || undefined, tokenType: line.costType || undefined });
}

/** The form that would ask for a stored scenario. */
export function fieldsOf(request: SimulationRequest, scenarioIndex: number, period: Period): URLSearchParams {
  const fields = new URLSearchParams();
  const put = (name: string, value: string | undefined) => {
    if (value !== undefined && value !== '') fields.append(name, value);
  };
  put('from', dayOf(period.window.start));
  put('to', dayOf(new Date(period.window.end.getTime() - DAY_MS)));
  put('ofPlan', request.customersOfPlan);
  for (const customerId of request.customerIds ?? []) put('customer', customerId);
  const scenario = request.scenarios[scenarioIndex];
  if (scenario === undefined) return fields;
  const { plan, planVersion, minimum } = scenario;
  put('plan', planVersion === undefined ? plan : `${plan} ${planVersion}`);
  put('markup', scenario.markupPercent);
  put('discount', scenario.discountPercent);
  put('minimum', minimum?.amount);
  put('minimumCurrency', minimum?.currency);
  const line = (names: readonly string[], values: readonly (string | undefined)[]) => {
    for (const [index, name] of names.entries()) fields.append(name, starless(values[index]));
  };
  for (const { from, to, feature } of scenario.modelSwaps) line(SWAP_FIELDS, [from, to, feature]);
  for (const { model, feature, tokenType, percent } of scenario.sellChanges)
    line(SELL_FIELDS, [model, feature, tokenType, percent, '']);
  for (const { model, feature, tokenType, perMillion, currency } of scenario.sellPrices)
    line(SELL_FIELDS, [model, feature, tokenType, perMillion, currency]);
  for (const { model, tokenType, percent } of scenario.costChanges)
    line(COST_FIELDS, [model, tokenType, percent, '']);
  for (const { model, tokenType, usdPerMillion } of scenario.costPrices)
    line(COST_FIELDS, [model, tokenType, usdPerMillion, 'usd']);
  for (const feature of scenario.withoutFeatures) put('without', feature);
  return fields;
}

/** Any is nothing typed. */
const starless = (value: string | undefined) => (value === undefined || value === '*' ? '' : value);

/** `to` is the last day, as people say it. What is no day stays, and is refused. */
function dayAfter(text: string | undefined): string | undefined {
  const day = new Date(`${text}T00:00:00Z`);
  return text === undefined || Number.isNaN(day.getTime()) ? text : dayOf(new Date(day.getTime() + DAY_MS));
}

/** `−12.5 %` as `-12.5`. */
function percentOf(text: string | undefined): string | undefined {
  return text
    ?.replace(/^−/, '-')
    .replace(/\s*%$/, '')
    .replace(/^([+-])\s+/, '$1');
}

/** `1,250.50` as `1250.50`. */
function amountOf(text: string): string {
  return /^\d{1,3}(,\d{3})+(\.\d+)?$/.test(text) ? text.replaceAll(',', '') : text;
}

function present(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
