import { PICO_DIGITS } from '../money.ts';

/** What the rules keep to. Chosen on seeds 1 to 3 of `npm run anomalies`, and judged on others (docs/anomalies.md). */
export const RULES = {
  /** The first rule, as the article has it: so many deviations above the mean of so many days. */
  sigmas: 2,
  baselineDays: 30,
  /** Less history than this, in days, says nothing: every weekday was seen once. */
  leastHistoryDays: 7,
  /** How many weeks back the same weekday and hour is looked at. */
  sameWeekdayWeeks: 8,
  /** How many days back the same hour of every day is looked at: how far hours like it scatter. */
  sameHourDays: 14,
  /** Scores from which an hour is above what is usual, of all usage of a customer and of the user who costs most. */
  customerScore: 5,
  topUserScore: 6,
  topUserRequestsScore: 6,
  /** Scatter below these shares of the usual is taken to be these, in per cent: small samples look calmer than they are. */
  leastCustomerScatterPercent: 25,
  leastTopUserScatterPercent: 50,
  /** And never less than these: where nothing was ever used, the first request is no more than what it is. */
  leastScatterPicoUsd: 2n * 10n ** BigInt(PICO_DIGITS - 2),
  leastScatterRequests: 1n,
  /** What is at stake in a day must come to this, or to this share of the customer's usual day, whichever is more. */
  materialPicoUsd: 10n * 10n ** BigInt(PICO_DIGITS),
  materialDayPercent: 10n,
  /** One part holds at least this share of what is too much, and all others together no more than this share of their usual. */
  concentratedPercent: 60,
  heldPercent: 175,
  heldSlackPercent: 10,
  /** A part has moved from so many times its usual on; below it is growth. */
  movedTimes: 3,
  /** The day before the highest so many days: what was as high on several of the last days was seen before. */
  seenBeforePercent: 90,
  /** A part, or a customer, that is not older than this is new. */
  newDays: 14,
  /** From this share of all other customers on it is not one that moved. */
  togetherPercent: 50,
  /** Told so long after its hour it was late; a finding that rests on this share of such usage is explained by it. */
  lateHours: 3,
  backfillHours: 24,
  latePercent: 50n,
  /** Hours above the usual are judged together while no more than so many lie between two of them. */
  runHours: 3,
  /** What is above the usual again so soon after the last time is the same finding. */
  quietHours: 24,
  /** Hours that usually cost less than this part of a mean hour are quiet. */
  quietTimes: 4n,
  /** A user with more requests in an hour is no person: told at once. Else it must go on for so many hours. */
  machineRequests: 60n,
  leastHours: 4,
  /** Slow growth of what a request costs: the last days against the days before, and by how much, in per cent. */
  creepDays: 7,
  /** What creeps again so many days after the last time is the same finding. */
  creepQuietDays: 7,
  creepBeforeDays: 28,
  creepPercent: 30,
  /** Requests that grew by more than this meanwhile are growth. */
  creepRequestsPercent: 40,
} as const;
