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
}

export interface ScenarioCustomer {
  /** Value of the tenant dimension; also Stripe metadata `tenant_id`. */
  tenantKey: string;
  name: string;
  email: string;
  currency: 'usd' | 'eur';
  /** Instant of the first billing period's end and anchor of all later ones, aligned to the hour. */
  billingAnchorMs: number;
  /** Internal user IDs. */
  subjects: string[];
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

/** Builds the world. Customer 0 and 1 have many users, customer 2 exactly one. */
export function createScenario(options: ScenarioOptions): Scenario {
  const customers: ScenarioCustomer[] = Array.from({ length: options.customerCount }, (_, index) => {
    const base = NAMES[index % NAMES.length] ?? 'Tenant';
    const name = index < NAMES.length ? base : `${base} ${Math.floor(index / NAMES.length) + 1}`;
    const tenantKey = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    return {
      tenantKey,
      name,
      email: `billing@${tenantKey}.example`,
      currency: index % 4 === 3 ? 'eur' : 'usd',
      // Anchors spread over the month, so that each customer sees a period end inside 35 days.
      billingAnchorMs: options.startMs + (3 + ((index * 5) % 27)) * DAY,
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
  return {
    options,
    customers,
    models: MODELS,
    unknownModel: 'gpt-next-preview',
    unmappedSubject: 'contractor-7',
    unmappedTenantKey: 'not-a-customer',
  };
}
