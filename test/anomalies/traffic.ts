import { createRandom, deriveSeed, type Random } from '../../sandbox/random.ts';

export const DAYS = 180;
const HOURS = DAYS * 24;
export const CUSTOMERS = 50;
/** Events begin when a baseline can exist, and end before the traffic does. */
const EVENT_DAYS = { first: 40, last: 165 } as const;

export const EVENT_KINDS = [
  'loop',
  'scraper',
  'slow creep',
  'new feature',
  'new customer',
  'backfill',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
const EVENT_COUNTS: Record<EventKind, number> = {
  loop: 8,
  scraper: 8,
  'slow creep': 6,
  'new feature': 6,
  'new customer': 6,
  backfill: 6,
};

/** What was planted. Hours count from the first of the traffic, a Monday's midnight. */
export interface PlantedEvent {
  kind: EventKind;
  customer: number;
  startHour: number;
  /** Not included. */
  endHour: number;
  /** Dollars of an hour beyond the usual, or by how much a day's requests are dearer, or how much is told late. */
  strength: number;
}

/** One customer's usage, hour by hour, by user and feature: counts and whole pico-USD. */
export interface CustomerTraffic {
  users: number;
  features: number;
  /** Indexed by hour * users + user; likewise by feature. */
  userCost: Float64Array;
  userRequests: Float64Array;
  userTokens: Float64Array;
  featureCost: Float64Array;
  featureRequests: Float64Array;
  /** Of an hour: told so many hours late. */
  lateCost: Float64Array;
  /** First hour with usage. */
  firstHour: number;
  /** At this hour usage of the past arrives: it must be judged again from `backfill.from` on. */
  backfill: { arrivesAt: number; from: number; to: number } | null;
}

/** Draws where 40 events lie: no customer has two. */
export function plantEvents(seed: number): PlantedEvent[] {
  const random = createRandom(deriveSeed(seed, 'events'));
  const customers = Array.from({ length: CUSTOMERS }, (_, place) => place).sort(() => random() - 0.5);
  return EVENT_KINDS.flatMap((kind) => Array.from({ length: EVENT_COUNTS[kind] }, () => kind)).map(
    (kind, place) => {
      const day = EVENT_DAYS.first + Math.floor(random() * (EVENT_DAYS.last - EVENT_DAYS.first));
      const hour = Math.floor(random() * 24);
      const startHour = day * 24 + (kind === 'slow creep' || kind === 'new customer' ? 0 : hour);
      const [lengthHours, strength] = EXTENT[kind](random);
      return {
        kind,
        customer: customers[place] ?? 0,
        startHour,
        endHour: Math.min(HOURS, startHour + lengthHours),
        strength,
      };
    },
  );
}

/** How long an event is, in hours, and how strong. */
const EXTENT: Record<EventKind, (random: Random) => [number, number]> = {
  // What an hour of it costs at least, in dollars: 17 to 170 in a day, at any time of day, until somebody stops it; or three
  // times what the customer's busy hour costs, where that is more. A program asks more than once a minute.
  loop: (random) => [3 + Math.floor(random() * 40), 0.7 * 10 ** random()],
  scraper: (random) => [6 + Math.floor(random() * 60), 0.7 * 10 ** random()],
  // Each day's requests are 1.5 to 3 per cent dearer than the day's before, for 30 to 45 days.
  'slow creep': (random) => [24 * (30 + Math.floor(random() * 15)), 1.015 + random() * 0.015],
  // Of all requests, what the new feature comes to when everybody has it.
  'new feature': (random) => [24 * 30, 0.6 + random() * 1.4],
  'new customer': () => [24 * 30, 1],
  // So many hours of which this share of the usual comes on top, told a day or more late.
  backfill: (random) => [24 + Math.floor(random() * 48), 3 + random() * 7],
};

/** Draws a customer's 180 days. */
export function playCustomer(
  seed: number,
  customer: number,
  event: PlantedEvent | undefined,
): CustomerTraffic {
  const random = createRandom(deriveSeed(seed, 'customer', customer));
  const normal = () => random() + random() + random() + random() + random() + random() - 3;
  const users = 3 + Math.floor(60 * random() ** 3);
  const features = 2 + Math.floor(random() * 4);
  const slots = features + 1;
  // Requests of a busy hour: 3 to 250, most customers being small.
  const busy = 3 * Math.exp(random() * 4.4);
  const growth = (random() - 0.3) * 0.006;
  const weekend = 0.15 + random() * 0.5;
  const night = 0.02 + random() * 0.25;
  const scatter = 0.15 + random() * 0.3;
  // Of a request in each feature: 0.1 to 3 cents, and how much single ones differ.
  const featureCost = Array.from({ length: slots }, () => 1e9 * Math.exp(random() * 3.4));
  const userWeights = cumulative(Array.from({ length: users }, (_, place) => 1 / (place + 1) ** 0.8));
  const featureWeights = cumulative(Array.from({ length: features }, () => 0.2 + random()));
  const traffic: CustomerTraffic = {
    users: users + 1,
    features: slots,
    userCost: new Float64Array(HOURS * (users + 1)),
    userRequests: new Float64Array(HOURS * (users + 1)),
    userTokens: new Float64Array(HOURS * (users + 1)),
    featureCost: new Float64Array(HOURS * slots),
    featureRequests: new Float64Array(HOURS * slots),
    lateCost: new Float64Array(HOURS),
    firstHour: event?.kind === 'new customer' ? event.startHour : 0,
    backfill: null,
  };
  const add = (hour: number, user: number, feature: number, size: number, count = 1) => {
    const cost = Math.round((featureCost[feature] ?? 0) * size * count);
    const [userPlace, featurePlace] = [hour * traffic.users + user, hour * slots + feature];
    traffic.userCost[userPlace] = (traffic.userCost[userPlace] ?? 0) + cost;
    traffic.userRequests[userPlace] = (traffic.userRequests[userPlace] ?? 0) + count;
    traffic.userTokens[userPlace] = (traffic.userTokens[userPlace] ?? 0) + Math.round(1_000 * size * count);
    traffic.featureCost[featurePlace] = (traffic.featureCost[featurePlace] ?? 0) + cost;
    traffic.featureRequests[featurePlace] = (traffic.featureRequests[featurePlace] ?? 0) + count;
    return cost;
  };
  let state = 0;
  for (let hour = traffic.firstHour; hour < HOURS; hour += 1) {
    const [day, clock] = [Math.floor(hour / 24), hour % 24];
    if (clock === 0 || hour === traffic.firstHour) state = 0.5 * state + scatter * normal();
    const isWeekend = day % 7 >= 5;
    const shape = clock >= 8 && clock < 18 ? 1 : clock >= 6 && clock < 22 ? 0.4 : night;
    // The last two days of a month are busier, and some days have a rush: nobody planted these.
    const monthEnd = day % 30 >= 28 ? 1.4 : 1;
    let level =
      busy * shape * (isWeekend ? weekend : 1) * Math.exp(growth * day + state + 0.2 * normal()) * monthEnd;
    let dearer = 1;
    let share = 0;
    if (event !== undefined && hour >= event.startHour && hour < event.endHour) {
      const days = (hour - event.startHour) / 24;
      if (event.kind === 'slow creep') dearer = event.strength ** days;
      if (event.kind === 'new feature') share = event.strength * Math.min(1, (days + 1) / 8);
      if (event.kind === 'new customer') level *= Math.min(1, (days + 1) / 10);
    }
    if (event?.kind === 'new feature' && hour >= event.endHour) share = event.strength;
    // Once in ten days somebody works through a heap: as much as a person can ask in an hour, and larger prompts.
    if (random() < 1 / 240) {
      const user = pick(userWeights, random());
      for (let count = Math.round(10 + 35 * random()); count > 0; count -= 1)
        add(hour, user, pick(featureWeights, random()), 2 * sizeOf(normal));
    }
    for (let count = poisson(level, random, normal); count > 0; count -= 1) {
      add(hour, pick(userWeights, random()), pick(featureWeights, random()), dearer * sizeOf(normal));
    }
    for (let count = poisson(level * share, random, normal); count > 0; count -= 1) {
      add(hour, pick(userWeights, random()), features, sizeOf(normal));
    }
    if (event !== undefined && hour >= event.startHour && hour < event.endHour) {
      const repeat = (user: number, asked: readonly number[], size: number, pace: number) => {
        const mean = featureCost.reduce((sum, cost) => sum + cost, 0) / slots;
        const dollars = Math.max(event.strength * 1e12, 3 * busy * Math.exp(growth * day) * mean);
        for (const feature of asked) {
          const cost = (dollars * pace) / asked.length;
          add(
            hour,
            user,
            feature,
            size,
            Math.max(Math.ceil(90 / asked.length), Math.ceil(cost / size / (featureCost[feature] ?? 1))),
          );
        }
      };
      if (event.kind === 'loop')
        repeat(event.customer % users, [event.customer % features], 1, 0.9 + 0.2 * random());
      if (event.kind === 'scraper') {
        repeat(
          users,
          Array.from({ length: features }, (_, feature) => feature),
          1.5,
          0.8 + 0.4 * random(),
        );
      }
    }
  }
  if (event?.kind === 'backfill') {
    const arrivesAt = Math.min(HOURS - 1, event.endHour + 24);
    traffic.backfill = { arrivesAt, from: event.startHour, to: event.endHour };
    for (let hour = event.startHour; hour < event.endHour; hour += 1) {
      for (let user = 0; user < users; user += 1) {
        const count = Math.round((busy * event.strength * 0.5) / users + random());
        traffic.lateCost[hour] =
          (traffic.lateCost[hour] ?? 0) + add(hour, user, pick(featureWeights, random()), 1, count);
      }
    }
  }
  return traffic;
}

/** Single requests differ: most are near one, a few are several times as large. */
function sizeOf(normal: () => number): number {
  return Math.exp(0.7 * normal() - 0.12);
}

function cumulative(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return weights.map((weight) => {
    sum += weight / total;
    return sum;
  });
}

function pick(weights: readonly number[], share: number): number {
  let place = 0;
  while (place < weights.length - 1 && share > (weights[place] ?? 1)) place += 1;
  return place;
}

function poisson(mean: number, random: Random, normal: () => number): number {
  if (mean > 40) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal() * 1.41));
  let [count, product] = [0, random()];
  const limit = Math.exp(-mean);
  while (product > limit) {
    count += 1;
    product *= random();
  }
  return count;
}
