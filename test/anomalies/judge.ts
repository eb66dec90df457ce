import { decideFinding } from '../../pricing/anomalies/decide.ts';
import { type HourUsage, NO_USAGE, type PartUsage, sumHours } from '../../pricing/anomalies/hour.ts';
import { judgeCreep } from '../../pricing/anomalies/judge-creep.ts';
import { judgeDay } from '../../pricing/anomalies/judge-day.ts';
import { type DayPeaks, type HourJudgement, judgeHour } from '../../pricing/anomalies/judge-hour.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { type CustomerTraffic, DAYS, type PlantedEvent } from './traffic.ts';

/** Days before this one make the first baselines, and nothing of them is judged. */
const FIRST_DAY = 30;

/** Something that a rule told a person. */
export interface Told {
  customer: number;
  /** When it was first said: after the data of so many hours of the traffic. */
  saidAfterHour: number;
  fromHour: number;
  /** Not included. */
  toHour: number;
  shape: string;
}

/** What both rules say of a customer, hour after hour, each with nothing but what was there by then. */
export function judgeCustomer(
  customer: number,
  traffic: CustomerTraffic,
): { sigma: Told[]; ours: Told[]; explained: Told[] } {
  const hours = readHours(traffic);
  return { sigma: tellBySigma(customer, traffic, hours), ...tellByOurs(customer, traffic, hours) };
}

/** Each hour as it was before usage of the past came, and after. */
interface Hours {
  early: HourUsage[];
  late: HourUsage[];
}

function readHours({ users, userCost, userRequests, userTokens, lateCost }: CustomerTraffic): Hours {
  const late = Array.from(lateCost, (lateHere, hour): HourUsage => {
    const costs = userCost.subarray(hour * users, (hour + 1) * users);
    const total = (values: Float64Array) =>
      BigInt(values.subarray(hour * users, (hour + 1) * users).reduce((sum, value) => sum + value, 0));
    return {
      costPicoUsd: total(userCost),
      topUserCostPicoUsd: BigInt(Math.max(...costs)),
      topUserRequestCount: BigInt(Math.max(...userRequests.subarray(hour * users, (hour + 1) * users))),
      lateCostPicoUsd: BigInt(lateHere),
      requestCount: total(userRequests),
      tokenCount: total(userTokens),
      userCount: costs.filter((cost) => cost > 0).length,
    };
  });
  // What came late is not known before, and what of users it was does not matter to hours that are judged later.
  const early = late.map((hour) =>
    hour.lateCostPicoUsd === 0n
      ? hour
      : {
          ...hour,
          costPicoUsd: hour.costPicoUsd - hour.lateCostPicoUsd,
          topUserCostPicoUsd: hour.topUserCostPicoUsd / 4n,
          topUserRequestCount: hour.topUserRequestCount / 4n,
          lateCostPicoUsd: 0n,
        },
  );
  return { early, late };
}

/** Hours that are judged once data up to an hour are there: the hour itself, and where usage of the past came, its hours. */
function dueAt(hour: number, { backfill }: CustomerTraffic): number[] {
  if (backfill === null || backfill.arrivesAt !== hour) return [hour];
  return [...Array.from({ length: backfill.to - backfill.from }, (_, place) => backfill.from + place), hour];
}

const knownAt = (hour: number, traffic: CustomerTraffic, hours: Hours) =>
  traffic.backfill !== null && hour >= traffic.backfill.arrivesAt ? hours.late : hours.early;

function tellBySigma(customer: number, traffic: CustomerTraffic, hours: Hours): Told[] {
  const told: Told[] = [];
  for (let hour = FIRST_DAY * 24; hour < DAYS * 24; hour += 1) {
    const known = knownAt(hour, traffic, hours);
    const dueDays = new Set(dueAt(hour, traffic).map((due) => Math.floor(due / 24)));
    for (const day of dueDays) {
      const firstDay = Math.max(day - RULES.baselineDays, Math.floor(traffic.firstHour / 24));
      const before = Array.from({ length: Math.max(0, day - firstDay) }, (_, place) =>
        costOf(known, (firstDay + place) * 24, (firstDay + place + 1) * 24),
      );
      if (!judgeDay(costOf(known, day * 24, Math.min(hour + 1, (day + 1) * 24)), before).isAbove) continue;
      // Days one after the other are one firing.
      const open = told.findLast((one) => one.toHour >= day * 24 && one.fromHour <= day * 24);
      if (open !== undefined) open.toHour = Math.max(open.toHour, (day + 1) * 24);
      else
        told.push({
          customer,
          saidAfterHour: hour,
          fromHour: day * 24,
          toHour: (day + 1) * 24,
          shape: 'day',
        });
    }
  }
  return told;
}

function costOf(hours: readonly HourUsage[], from: number, to: number): bigint {
  let sum = 0n;
  for (let hour = from; hour < to; hour += 1) sum += hours[hour]?.costPicoUsd ?? 0n;
  return sum;
}

interface Open {
  hours: number[];
  judged: HourJudgement[];
  told: Told | null;
  explained: Told | null;
}

function tellByOurs(
  customer: number,
  traffic: CustomerTraffic,
  hours: Hours,
): { ours: Told[]; explained: Told[] } {
  const [ours, explained]: [Told[], Told[]] = [[], []];
  let open: Open | null = null as Open | null;
  let creep: Told | null = null;
  for (let at = FIRST_DAY * 24; at < DAYS * 24; at += 1) {
    const known = knownAt(at, traffic, hours);
    for (const hour of dueAt(at, traffic)) {
      const judged = judgeHour(known[hour] ?? NO_USAGE, beforeOf(hour, traffic, known));
      if (judged.moved === null) continue;
      const last: number = open?.hours.at(-1) ?? Number.NEGATIVE_INFINITY;
      if (open === null || hour - last > RULES.runHours || hour <= last) {
        const isSame: boolean = open !== null && hour > last && hour - last <= RULES.quietHours;
        open = { hours: [], judged: [], told: isSame ? (open?.told ?? null) : null, explained: null };
      }
      open.hours.push(hour);
      open.judged.push(judged);
      let decision = decideFinding(factsOf(open, traffic, known));
      if (open.told === null && !decision.isRaised && open.hours.length > 1) {
        // What begins while something else goes on.
        const alone = { ...open, hours: [hour], judged: [judged] };
        const ofHour = decideFinding(factsOf(alone, traffic, known));
        if (ofHour.isRaised) [open, decision] = [{ ...alone, explained: null }, ofHour];
      }
      const finding = {
        customer,
        saidAfterHour: at,
        fromHour: open.hours[0] ?? hour,
        toHour: hour + 1,
        shape: decision.shape,
      };
      if (open.told !== null) open.told.toHour = hour + 1;
      else if (decision.isRaised) {
        open.told = finding;
        ours.push(finding);
      } else if (open.explained !== null) open.explained.toHour = hour + 1;
      else if (decision.explanations.length > 0 && decision.isMaterial) {
        open.explained = { ...finding, shape: decision.explanations.join(' ') };
        explained.push(open.explained);
      }
    }
    if (at % 24 !== 23) continue;
    const day = (at + 1) / 24;
    const isCreep = isCreepAt(day, traffic, known);
    if (!isCreep) continue;
    if (creep !== null && at - creep.toHour <= 7 * 24) creep.toHour = at + 1;
    else {
      creep = { customer, saidAfterHour: at, fromHour: at + 1 - 7 * 24, toHour: at + 1, shape: 'creep' };
      ours.push(creep);
    }
  }
  return { ours, explained };
}

function beforeOf(hour: number, { firstHour }: CustomerTraffic, known: readonly HourUsage[]) {
  const past = (step: number, count: number) =>
    Array.from({ length: count }, (_, place) => hour - (place + 1) * step)
      .filter((other) => other >= firstHour)
      .map((other) => known[other] ?? NO_USAGE);
  return {
    sameWeekday: past(168, RULES.sameWeekdayWeeks),
    sameHour: past(24, RULES.sameHourDays),
    peaks: peaksBefore(Math.floor(hour / 24), known),
    historyDays: Math.floor((hour - firstHour) / 24),
  };
}

const peaksKnown = new WeakMap<readonly HourUsage[], Map<number, DayPeaks[]>>();

function peaksBefore(day: number, known: readonly HourUsage[]): DayPeaks[] {
  const byDay = peaksKnown.get(known) ?? new Map<number, DayPeaks[]>();
  peaksKnown.set(known, byDay);
  const peaks = byDay.get(day) ?? readPeaks(day, known);
  byDay.set(day, peaks);
  return peaks;
}

function readPeaks(day: number, known: readonly HourUsage[]): DayPeaks[] {
  return Array.from({ length: RULES.baselineDays }, (_, place) => {
    const hours = known.slice((day - place - 1) * 24, (day - place) * 24);
    const most = (pick: (hour: HourUsage) => bigint) =>
      hours.reduce((peak, hour) => (pick(hour) > peak ? pick(hour) : peak), 0n);
    return {
      topUserCostPicoUsd: most((hour) => hour.topUserCostPicoUsd),
      topUserRequestCount: most((hour) => hour.topUserRequestCount),
    };
  });
}

function factsOf(open: Open, traffic: CustomerTraffic, known: readonly HourUsage[]) {
  const hours = sumHours(open.hours.map((hour) => known[hour] ?? NO_USAGE));
  const first = open.hours[0] ?? 0;
  const firstDay = Math.floor(first / 24) * 24;
  return {
    hours,
    usual: sumHours(open.judged.map(({ usualMean }) => usualMean)),
    hourCount: open.hours.length,
    excessPicoUsd: open.judged.reduce((sum, { excessPicoUsd }) => sum + excessPicoUsd, 0n),
    lastHourExcessPicoUsd: open.judged.at(-1)?.excessPicoUsd ?? 0n,
    parts: [...partsOf(open.hours, traffic, 'user'), ...partsOf(open.hours, traffic, 'feature')],
    usualDayPicoUsd: costOf(known, firstDay - 14 * 24, firstDay) / 14n,
    historyDays: Math.floor((first - traffic.firstHour) / 24),
    togetherPercent: 0,
    backfilledCostPicoUsd: hours.lateCostPicoUsd,
    hasNewPlan: false,
    hasPriceChange: false,
  };
}

/** Each part in the hours of a finding, beside its mean day of the 14 days before. */
function partsOf(
  hours: readonly number[],
  traffic: CustomerTraffic,
  dimension: 'user' | 'feature',
): PartUsage[] {
  const [count, cost, requests] =
    dimension === 'user'
      ? [traffic.users, traffic.userCost, traffic.userRequests]
      : [traffic.features, traffic.featureCost, traffic.featureRequests];
  const firstDay = Math.floor((hours[0] ?? 0) / 24) * 24;
  const daysBefore = (from: number, to: number) =>
    Array.from({ length: (to - from) * 24 }, (_, place) => firstDay - to * 24 + place).filter(
      (hour) => hour >= traffic.firstHour,
    );
  const before = daysBefore(0, 14);
  const longBefore = daysBefore(RULES.newDays, RULES.newDays + 30);
  return Array.from({ length: count }, (_, value) => {
    const of = (values: Float64Array, places: readonly number[]) =>
      places.reduce((sum, hour) => sum + (values[hour * count + value] ?? 0), 0);
    const scale = 24 / Math.max(1, before.length);
    return {
      dimension,
      value: String(value),
      costPicoUsd: BigInt(of(cost, hours)),
      requestCount: BigInt(of(requests, hours)),
      tokenCount: 0n,
      usualDayCostPicoUsd: BigInt(Math.round(of(cost, before) * scale)),
      usualDayRequestCount: BigInt(Math.round(of(requests, before) * scale)),
      isNew: of(requests, longBefore) === 0,
    };
  }).filter(({ costPicoUsd, usualDayCostPicoUsd }) => costPicoUsd > 0n || usualDayCostPicoUsd > 0n);
}

function isCreepAt(day: number, traffic: CustomerTraffic, known: readonly HourUsage[]): boolean {
  const firstDay = Math.max(day - RULES.creepDays - RULES.creepBeforeDays, Math.ceil(traffic.firstHour / 24));
  const days = Array.from({ length: Math.max(0, day - firstDay) }, (_, place) => {
    const sums = sumHours(known.slice((firstDay + place) * 24, (firstDay + place + 1) * 24));
    return { costPicoUsd: sums.costPicoUsd, requestCount: sums.requestCount };
  });
  const judged = judgeCreep(days, { hasNewFeature: false });
  return judged.isCreep && !judgeCreep(days, { hasNewFeature: hasNewFeature(day, traffic) }).isCreep
    ? false
    : judged.isCreep;
}

function hasNewFeature(day: number, { features, featureCost }: CustomerTraffic): boolean {
  const costOfDays = (feature: number, from: number, to: number) => {
    let sum = 0;
    for (let hour = Math.max(0, from) * 24; hour < to * 24; hour += 1)
      sum += featureCost[hour * features + feature] ?? 0;
    return sum;
  };
  const last = Array.from({ length: features }, (_, feature) =>
    costOfDays(feature, day - RULES.creepDays, day),
  );
  const total = last.reduce((sum, cost) => sum + cost, 0);
  return last.some((cost, feature) => cost * 10 >= total && costOfDays(feature, day - 35, day - 21) === 0);
}

/** Whether what was told is about an event. */
export function isAbout(told: Told, event: PlantedEvent): boolean {
  // What creeps is still dearer than before when it creeps no longer.
  const endHour = event.kind === 'slow creep' ? event.endHour + 14 * 24 : event.endHour;
  return told.customer === event.customer && told.fromHour < endHour && told.toHour > event.startHour;
}
