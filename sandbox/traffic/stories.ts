import type { Scenario } from '../scenario.ts';
import {
  COMMON_FEATURES,
  FEATURES,
  type FeatureProfile,
  PAGE_LOAD_FEATURES,
  type WeightedFeature,
} from './features.ts';

/** Share of all tokens, in percent, that the first customer's users cause. */
const HEAVY_TENANT_TOKEN_PERCENT = 38;

/** One caller and everything that shapes its calls. */
export interface Caller {
  /** The customer has left by then. */
  callsUntilMs?: number;
  subject: string;
  tenantKey: string;
  features: readonly WeightedFeature[];
  /** Tokens of each call, in percent of the feature's mean. */
  sizePercent: number;
  /** The day on which this caller loops around the clock; null for everyone but the one integration. */
  loopDayIndex: number | null;
  /** How many hours this caller is active, as chances for 0, 1, 2, ... hours. */
  weekdayHourWeights: readonly number[];
  weekendHourWeights: readonly number[];
}

const OFFICE_WEEKDAY = [4, 16, 30, 26, 16, 8];
const OFFICE_WEEKEND = [62, 28, 10];
const RARE_WEEKDAY = [55, 30, 15];

/** Everyone who calls the gateway in this scenario, the unmapped user last. */
export function createCallers(whole: Scenario): Caller[] {
  const scenario = { ...whole, customers: drawnCustomers(whole) };
  const integration = chooseIntegration(scenario);
  const heavySizePercent = heavyTenantSizePercent(scenario);
  const trier = chooseTrierOfUnknownModel(scenario);
  const callers: Caller[] = [];
  for (const [customerIndex, customer] of scenario.customers.entries()) {
    const heavy = customerIndex === 0;
    for (const subject of customer.subjects) {
      const loops = subject === integration;
      const usual = heavy ? PAGE_LOAD_FEATURES : COMMON_FEATURES;
      const extra =
        subject === trier ? [{ profile: unknownModelProfile(scenario.unknownModel), weight: 20 }] : [];
      callers.push({
        subject,
        tenantKey: customer.tenantKey,
        features: loops ? [{ profile: FEATURES.crmSync, weight: 1 }] : [...usual, ...extra],
        sizePercent: heavy ? heavySizePercent : 100,
        ...(customer.callsUntilMs === undefined ? {} : { callsUntilMs: customer.callsUntilMs }),
        loopDayIndex: loops ? chooseLoopDay(scenario) : null,
        weekdayHourWeights: OFFICE_WEEKDAY,
        weekendHourWeights: OFFICE_WEEKEND,
      });
    }
  }
  callers.push({
    subject: scenario.unmappedSubject,
    tenantKey: scenario.unmappedTenantKey,
    features: [{ profile: FEATURES.mailDraft, weight: 1 }],
    sizePercent: 60,
    loopDayIndex: null,
    weekdayHourWeights: RARE_WEEKDAY,
    weekendHourWeights: [1],
  });
  return callers;
}

/** Those whose calls are drawn here. */
function drawnCustomers({ customers }: Scenario) {
  return customers.filter(({ passesGateway }) => passesGateway !== true);
}

/** The user whose integration loops: the last one of the fourth customer, or of the nearest that has users. */
export function chooseIntegration(scenario: Scenario): string | undefined {
  const populated = drawnCustomers(scenario).filter((customer) => customer.subjects.length > 0);
  return populated[Math.min(3, populated.length - 1)]?.subjects.at(-1);
}

/** A weekday about two thirds into the traffic, so that a baseline exists before it. */
export function chooseLoopDay(scenario: Scenario): number {
  const wanted = Math.floor((scenario.options.dayCount * 2) / 3);
  for (let dayIndex = wanted; dayIndex < scenario.options.dayCount; dayIndex += 1) {
    if (!isWeekend(scenario, dayIndex)) return dayIndex;
  }
  return Math.min(wanted, scenario.options.dayCount - 1);
}

export function isWeekend(scenario: Pick<Scenario, 'options'>, dayIndex: number): boolean {
  // 1970-01-01 was a Thursday.
  const weekday = (Math.floor(scenario.options.startMs / 86_400_000) + dayIndex + 4) % 7;
  return weekday === 0 || weekday === 6;
}

/** The mapped user who now and then tries a model nobody has priced: the first one of the fifth customer. */
function chooseTrierOfUnknownModel(scenario: Scenario): string | undefined {
  const populated = scenario.customers.filter((customer) => customer.subjects.length > 0);
  return populated[Math.min(4, populated.length - 1)]?.subjects[0];
}

function unknownModelProfile(model: string): FeatureProfile {
  return { ...FEATURES.codeReview, model, deployment: `${model}-global` };
}

/** How large the first customer's calls must be for its share of all tokens to come out as told. */
function heavyTenantSizePercent(scenario: Scenario): number {
  const heavyUserCount = scenario.customers[0]?.subjects.length ?? 0;
  const otherUserCount =
    scenario.customers.reduce((sum, customer) => sum + customer.subjects.length, 0) - heavyUserCount;
  if (heavyUserCount === 0 || otherUserCount === 0) return 100;
  const otherTokens = otherUserCount * meanTokens(COMMON_FEATURES);
  const heavyTokens = heavyUserCount * meanTokens(PAGE_LOAD_FEATURES);
  return Math.round(
    (100 * otherTokens * HEAVY_TENANT_TOKEN_PERCENT) / (100 - HEAVY_TENANT_TOKEN_PERCENT) / heavyTokens,
  );
}

function meanTokens(features: readonly WeightedFeature[]): number {
  let tokens = 0;
  let weights = 0;
  for (const { profile, weight } of features) {
    tokens += weight * (profile.promptTokens + profile.completionTokens);
    weights += weight;
  }
  return tokens / weights;
}
