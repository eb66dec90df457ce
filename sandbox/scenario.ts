import { EXPERIMENTATION } from '../pricing/budgets/templates.ts';
import { nextBoundary } from './stripe/invoices/months.ts';
import { EXPERIMENT } from './traffic/experiment.ts';

/**
 * The world the sandbox plays: tenants, users, models, features, and how they behave. A pure function of
 * its options, so that the traffic generator and the Stripe stand-in agree without talking to each other.
 */
export interface ScenarioOptions {
  seed: number;
  dayCount: number;
  customerCount: number;
  userCount: number;
  /** First instant of traffic, UTC midnight. */
  startMs: number;
  /**
   * What is played: `days` (when left out) has periods that end all over the month and much traffic; `month_ends` has
   * them end on the 28th to the 31st, with little traffic between, and most of the trouble there; `same_hour` has all
   * of them end at noon of the second day.
   */
  story?: 'days' | 'month_ends' | 'same_hour';
  /** People of the house try models, too: a customer of its own, whose calls pass the gateway's stand-in. */
  experiments?: boolean;
  /** What befalls single customers, by their place in the list, from 0. */
  lives?: Readonly<Record<number, CustomerLife>>;
}

/** Days count from the scenario's start; a fraction is hours. */
export interface CustomerLife {
  /** Invoices are finalized and stay open. */
  withoutPaymentMethod?: boolean;
  /** The subscription begins with a trial; usage in it is on no invoice. */
  trialDays?: number;
  /** Collection is paused, for good without `untilDay`. */
  pause?: { fromDay: number; untilDay?: number; behavior: 'keep_as_draft' | 'void' | 'mark_uncollectible' };
  /** At once with a last invoice, or with the period that runs then. Nobody calls after it has ended. */
  cancel?: { day: number; atPeriodEnd: boolean };
  /** All prices are replaced by others of so many thousandths. */
  upgrade?: { day: number; priceThousandths: number };
  /** These models are billed by a second subscription, whose periods end so many days after the start. */
  secondSubscription?: { models: readonly string[]; anchorDay: number };
}

export interface ScenarioCustomer {
  /** Value of the tenant dimension; also Stripe metadata `tenant_id`. */
  tenantKey: string;
  name: string;
  email: string;
  currency: 'usd' | 'eur';
  /** Billing periods end on this instant plus whole months; aligned to the hour, and mostly the first end. */
  billingAnchorMs: number;
  life: CustomerLife;
  /** Nobody of this customer calls from then on; absent: they never stop. */
  callsUntilMs?: number;
  /** Internal user IDs. */
  subjects: string[];
  /** Its calls are no part of the traffic that is drawn: they pass the gateway's stand-in, one by one. */
  passesGateway?: boolean;
}

export interface ScenarioModel {
  model: string;
  deployment: string;
  tokenTypes: ('prompt' | 'prompt_cached' | 'completion')[];
  /** USD cents per token as decimal text, what the reseller charges. */
  sellPriceCents: Record<string, string>;
  displayName: string;
}

export interface Scenario {
  options: ScenarioOptions;
  customers: ScenarioCustomer[];
  /** Models that have Stripe meters and prices. */
  models: ScenarioModel[];
  /** A model that appears in the traffic and has no price and no meter. */
  unknownModel: string;
  /** A user that belongs to no known tenant. */
  unmappedSubject: string;
  unmappedTenantKey: string;
}

const NAMES = [
  'Northwind',
  'Fabrikam',
  'Contoso',
  'Adatum',
  'Litware',
  'Proseware',
  'Tailspin',
  'Wingtip',
  'Woodgrove',
  'Lucerne',
  'Margie',
  'Trey Research',
  'Alpine',
  'Fourth Coffee',
  'Relecloud',
  'VanArsdel',
];

const MODELS: ScenarioModel[] = [
  {
    model: 'gpt-4o',
    deployment: 'gpt-4o-global',
    displayName: 'GPT-4o',
    tokenTypes: ['prompt', 'prompt_cached', 'completion'],
    sellPriceCents: { prompt: '0.0003', prompt_cached: '0.00015', completion: '0.0012' },
  },
  {
    model: 'gpt-4o-mini',
    deployment: 'gpt-4o-mini-global',
    displayName: 'GPT-4o mini',
    tokenTypes: ['prompt', 'prompt_cached', 'completion'],
    sellPriceCents: { prompt: '0.00002', prompt_cached: '0.00001', completion: '0.00008' },
  },
  {
    model: 'o4-mini',
    deployment: 'o4-mini-datazone',
    displayName: 'o4-mini',
    tokenTypes: ['prompt', 'prompt_cached', 'completion'],
    sellPriceCents: { prompt: '0.00014', prompt_cached: '0.000035', completion: '0.00056' },
  },
  {
    model: 'text-embedding-3-large',
    deployment: 'embeddings',
    displayName: 'Text embedding 3 large',
    tokenTypes: ['prompt'],
    sellPriceCents: { prompt: '0.000017' },
  },
];

const DAY = 86_400_000;

/** Hour and minute at which periods end: most on a full hour, one inside it. */
const MONTH_END_TIMES = [
  [0, 0],
  [6, 0],
  [22, 0],
  [14, 30],
] as const;

function firstPeriodEndMs({ startMs, story = 'days' }: ScenarioOptions, index: number): number {
  if (story === 'month_ends') return monthEndAnchorMs(startMs, index);
  // Spread over the month, so that each customer sees a period end inside 35 days.
  return startMs + (story === 'same_hour' ? 1.5 : 3 + ((index * 5) % 27)) * DAY;
}

/**
 * A first period end on the 28th to the 31st of the first month, by turns, at different times of the day. In shorter
 * months Stripe moves the later ones to the last day: in February three of the four fall together.
 */
function monthEndAnchorMs(startMs: number, index: number): number {
  const start = new Date(startMs);
  const [hour, minute] = MONTH_END_TIMES[Math.floor(index / 4) % MONTH_END_TIMES.length] ?? [0, 0];
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), 28 + (index % 4), hour, minute);
}

/** Builds the world. Customer 0 and 1 have many users, customer 2 exactly one. */
export function createScenario(options: ScenarioOptions): Scenario {
  const customers: ScenarioCustomer[] = Array.from({ length: options.customerCount }, (_, index) => {
    const base = NAMES[index % NAMES.length] ?? 'Tenant';
    const name = index < NAMES.length ? base : `${base} ${Math.floor(index / NAMES.length) + 1}`;
    const tenantKey = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    const life = options.lives?.[index] ?? {};
    const billingAnchorMs = firstPeriodEndMs(options, index);
    const callsUntilMs = endOf(options, life, billingAnchorMs);
    return {
      tenantKey,
      name,
      email: `billing@${tenantKey}.example`,
      currency: index % 4 === 3 ? 'eur' : 'usd',
      billingAnchorMs,
      life,
      ...(callsUntilMs === undefined ? {} : { callsUntilMs }),
      subjects: [],
    };
  });
  const weights = customers.map((_, index) => (index === 0 ? 6 : index === 1 ? 5 : index === 2 ? 0 : 2));
  const weightTotal = weights.reduce<number>((sum, weight) => sum + weight, 0);
  let subjectNumber = 0;
  const addSubject = (customer: ScenarioCustomer) => {
    subjectNumber += 1;
    customer.subjects.push(`user-${String(subjectNumber).padStart(5, '0')}`);
  };
  for (const customer of customers) if (subjectNumber < options.userCount) addSubject(customer);
  customers.forEach((customer, index) => {
    const share = Math.floor(
      ((weights[index] ?? 0) / Math.max(1, weightTotal)) * (options.userCount - customers.length),
    );
    for (let count = 0; count < share; count += 1) addSubject(customer);
  });
  const first = customers[0];
  while (first !== undefined && subjectNumber < options.userCount) addSubject(first);
  if (options.experiments === true) customers.push(experimenters(options));
  return {
    options,
    customers,
    models: MODELS,
    unknownModel: 'gpt-next-preview',
    unmappedSubject: 'contractor-7',
    unmappedTenantKey: 'not-a-customer',
  };
}

function experimenters(options: ScenarioOptions): ScenarioCustomer {
  const { customerId: tenantKey, name } = EXPERIMENTATION;
  return {
    tenantKey,
    name,
    email: `billing@${tenantKey}.example`,
    currency: 'usd',
    billingAnchorMs: firstPeriodEndMs(options, options.customerCount),
    life: {},
    subjects: [EXPERIMENT.subject],
    passesGateway: true,
  };
}

function endOf({ startMs }: ScenarioOptions, { cancel }: CustomerLife, anchorMs: number): number | undefined {
  if (cancel === undefined) return undefined;
  const atMs = startMs + cancel.day * DAY;
  return cancel.atPeriodEnd ? nextBoundary(anchorMs, atMs) : atMs;
}
