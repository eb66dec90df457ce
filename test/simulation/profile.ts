import { PARTITION_COUNT, type SinkOutage } from '../../sandbox/openmeter/sink.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { Draws } from './draws.ts';

/** Classes of faults that can be left out; all are on unless said otherwise. */
export interface FaultClasses {
  /** OpenMeter loses events after its 204. */
  lostEvents: boolean;
  /** OpenMeter forgets ids after minutes, or never knew them. */
  weakDeduplication: boolean;
  /** Stripe answers 200 and loses the meter event. */
  lostPushes: boolean;
  /** Billing periods end while usage is still under way. */
  periodEnds: boolean;
  /** OpenMeter's sink stands still for hours or days. */
  sinkOutages: boolean;
}

export const ALL_FAULTS: FaultClasses = {
  lostEvents: true,
  weakDeduplication: true,
  lostPushes: true,
  periodEnds: true,
  sinkOutages: true,
};

/** What kind of world and weather a seed stands for. Chances are between 0 and 1. */
export interface Profile {
  dayCount: number;
  customerCount: number;
  userCount: number;
  callCount: number;
  /** Chance that a row comes hours late, and that one is no sound row. */
  lateRowChance: number;
  brokenRowChance: number;
  duplicateRowChance: number;
  /** Longest time between a row's ingestion instant and its being seen; below the collect lag. */
  visibilityDelayMs: number;
  crashChance: number;
  freezeChance: number;
  /** How much more often a worker dies or stands still while it closes invoices. */
  closeCrashFactor: number;
  /** Chance of a fault for each call to the outside. */
  callFaultChance: { azure: number; openmeter: number; stripe: number };
  azureRowCeiling: number;
  azureDuplicatePercent: number;
  /** Events that OpenMeter will always refuse. */
  poisonShare: number;
  openMeterFlushDelayMs: number;
  openMeterStaleReadMs: number;
  openMeterDropRate: number;
  openMeterDedupeMs: number | null;
  stripeSummaryDelayMs: number;
  stripeDropRate: number;
  /** Invoices whose first finalization is refused, for a reason that is gone at the next. */
  finalizationRefusalChance: number;
  /** Which meters take the hour's total instead of the difference. */
  hourWindowMeters: 'none' | 'some' | 'all';
  settings: {
    collectRowLimit: number;
    ingestBatchSize: number;
    ingestConcurrency: number;
    pushConcurrency: number;
    settleRowLimit: number;
  };
  /** Whether the rescan runs; without it the safety lag alone must lose nothing. */
  rescans: boolean;
  /** Whether billing periods may end; see `drawLife`. */
  periodEnds: boolean;
  gracePeriodHours: number;
  draftQuantities: 'follow' | 'stand_still';
  /** A system that answers nobody for some rounds. */
  outage: { system: 'azure' | 'openmeter' | 'stripe'; fromRound: number; untilRound: number } | null;
  /** How far each worker's clock is off. */
  clockSkewMs: number[];
  /** Everything is down for more than a day, once. */
  longOutage: boolean;
  /** OpenMeter answers 204 and stores nothing for so long, of one partition or of all. */
  sinkOutage: (SinkOutage & { fromRound: number; hours: number }) | null;
  /** Stripe's event summaries stand still from one round to another. */
  summariesStanding: { fromRound: number; untilRound: number } | null;
  /** Nothing but the sink's outage touches what OpenMeter stores: then nothing may be sent again, and nothing show twice. */
  isOnlyDelayed: boolean;
}

/** The profile of a seed: some are quiet and dense, some stormy, so that no fault hides another. */
export function drawProfile(seed: number, classes: FaultClasses): Profile {
  const draws = new Draws(seed, 'profile');
  const stormy = draws.chance(0.5);
  const sinkOutage = classes.sinkOutages ? drawSinkOutage(new Draws(seed, 'sink outage')) : null;
  const isOnlyDelayed = sinkOutage?.kind === 'standing' && sinkOutage.fromRound % 4 !== 0;
  const callFault = () => (stormy ? draws.pick([0, 0.05, 0.15, 0.3]) : draws.pick([0, 0, 0.02]));
  const drawn: Profile = {
    dayCount: draws.between(1, 2),
    customerCount: draws.between(2, 4),
    userCount: draws.between(4, 7),
    callCount: draws.between(25, 70),
    lateRowChance: draws.pick([0, 0.05, 0.2]),
    brokenRowChance: draws.pick([0, 0, 0.05]),
    duplicateRowChance: draws.pick([0, 0.05, 0.2]),
    visibilityDelayMs: draws.pick([0, 2 * MINUTE_MS, 9 * MINUTE_MS]),
    crashChance: draws.pick([0, 0.001, 0.003, 0.008]),
    freezeChance: draws.pick([0, 0.0005, 0.002, 0.005]),
    callFaultChance: { azure: callFault(), openmeter: callFault(), stripe: callFault() },
    azureRowCeiling: draws.pick([500_000, 60, 20]),
    azureDuplicatePercent: draws.pick([0, 0, 15]),
    poisonShare: draws.pick([0, 0, 0.03]),
    openMeterFlushDelayMs: draws.pick([2_000, MINUTE_MS, 12 * MINUTE_MS]),
    openMeterStaleReadMs: draws.pick([0, 0, MINUTE_MS, 20 * MINUTE_MS]),
    openMeterDropRate: classes.lostEvents ? draws.pick([0, 0.02, 0.1]) : 0,
    openMeterDedupeMs: classes.weakDeduplication
      ? draws.pick([24 * HOUR_MS, 10 * MINUTE_MS, null])
      : 24 * HOUR_MS,
    stripeSummaryDelayMs: draws.pick([MINUTE_MS, 10 * MINUTE_MS]),
    stripeDropRate: classes.lostPushes ? draws.pick([0, 0.03]) : 0,
    hourWindowMeters: draws.pick(['none', 'some', 'all']),
    settings: {
      collectRowLimit: draws.pick([10_000, 40, 9]),
      ingestBatchSize: draws.pick([500, 10, 3, 1]),
      ingestConcurrency: draws.between(1, 3),
      pushConcurrency: draws.between(1, 4),
      settleRowLimit: draws.pick([20_000, 5]),
    },
    periodEnds: classes.periodEnds,
    closeCrashFactor: draws.pick([1, 1, 4]),
    rescans: draws.chance(0.5),
    gracePeriodHours: draws.pick([1, 12, 72]),
    outage: draws.chance(0.35) ? drawOutage(draws) : null,
    clockSkewMs: Array.from({ length: 2 }, () => draws.pick([0, 0, -30_000, 30_000])),
    longOutage: draws.chance(0.25),
    finalizationRefusalChance: draws.pick([0, 0.5]),
    draftQuantities: draws.pick(['follow', 'stand_still'] as const),
    sinkOutage,
    summariesStanding: classes.lostPushes ? drawSummariesStanding(new Draws(seed, 'summaries')) : null,
    isOnlyDelayed,
  };
  // As in OpenMeter's quickstart: longer than any outage.
  return isOnlyDelayed ? { ...drawn, openMeterDropRate: 0, openMeterDedupeMs: 32 * DAY_MS } : drawn;
}

function drawSinkOutage(draws: Draws): Profile['sinkOutage'] {
  if (!draws.chance(0.4)) return null;
  return {
    kind: draws.pick<SinkOutage['kind']>(['standing', 'standing', 'losing']),
    ...(draws.chance(0.3) ? { partitions: [draws.between(0, PARTITION_COUNT - 1)] } : {}),
    fromRound: draws.between(1, 8),
    hours: draws.pick([2, 5, 12, 30, 72]),
  };
}

function drawSummariesStanding(draws: Draws): Profile['summariesStanding'] {
  if (!draws.chance(0.25)) return null;
  const fromRound = draws.between(1, 8);
  return { fromRound, untilRound: fromRound + draws.between(2, 8) };
}

function drawOutage(draws: Draws): NonNullable<Profile['outage']> {
  const fromRound = draws.between(2, 9);
  return {
    system: draws.pick<'azure' | 'openmeter' | 'stripe'>(['azure', 'openmeter', 'stripe', 'stripe']),
    fromRound,
    untilRound: fromRound + draws.between(1, 5),
  };
}
