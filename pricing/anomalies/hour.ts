/** What one customer used in one hour, however much of it has passed. */
export interface HourUsage {
  /** Known cost. */
  costPicoUsd: bigint;
  /** Of it, the cost of the user who cost most. */
  topUserCostPicoUsd: bigint;
  /** Requests of the user who asked most. */
  topUserRequestCount: bigint;
  /** Of the cost, what was told so late that it was not there when its hour was judged. */
  lateCostPicoUsd: bigint;
  requestCount: bigint;
  /** Billed tokens of all types. */
  tokenCount: bigint;
  userCount: number;
}

/** What can move while the rest holds. */
export const PART_DIMENSIONS = ['user', 'feature', 'model'] as const;
type PartDimension = (typeof PART_DIMENSIONS)[number];

/** One user, feature or model of a customer, in the hours of a finding. */
export interface PartUsage {
  dimension: PartDimension;
  value: string;
  costPicoUsd: bigint;
  requestCount: bigint;
  tokenCount: bigint;
  /** Of a mean day of the last two weeks. */
  usualDayCostPicoUsd: bigint;
  usualDayRequestCount: bigint;
  /** Nothing of it was seen before the last days (`RULES.newDays`). */
  isNew: boolean;
}

export const NO_USAGE: HourUsage = {
  costPicoUsd: 0n,
  topUserCostPicoUsd: 0n,
  topUserRequestCount: 0n,
  lateCostPicoUsd: 0n,
  requestCount: 0n,
  tokenCount: 0n,
  userCount: 0,
};

/** Sums of hours; users are those of the hour with most. */
export function sumHours(hours: readonly HourUsage[]): HourUsage {
  return hours.reduce(
    (sum, hour) => ({
      costPicoUsd: sum.costPicoUsd + hour.costPicoUsd,
      topUserCostPicoUsd: sum.topUserCostPicoUsd + hour.topUserCostPicoUsd,
      topUserRequestCount: sum.topUserRequestCount + hour.topUserRequestCount,
      lateCostPicoUsd: sum.lateCostPicoUsd + hour.lateCostPicoUsd,
      requestCount: sum.requestCount + hour.requestCount,
      tokenCount: sum.tokenCount + hour.tokenCount,
      userCount: Math.max(sum.userCount, hour.userCount),
    }),
    NO_USAGE,
  );
}
