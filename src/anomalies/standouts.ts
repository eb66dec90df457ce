import { NO_USAGE } from '../../pricing/anomalies/hour.ts';
import { type DayJudgement, judgeDay } from '../../pricing/anomalies/judge-day.ts';
import { type HourJudgement, judgeHour } from '../../pricing/anomalies/judge-hour.ts';
import type { JudgedCustomer } from './baselines.ts';

/** A customer whose hour is above the usual by either rule. */
export interface Standout {
  customer: JudgedCustomer;
  judged: HourJudgement;
  day: DayJudgement;
}

const NOT_JUDGED: HourJudgement = {
  score: null,
  moved: null,
  usualPicoUsd: 0n,
  usualMean: NO_USAGE,
  excessPicoUsd: 0n,
};

/** By either rule; pure. */
export function findStandouts(customers: readonly JudgedCustomer[]): Standout[] {
  return customers.flatMap((customer) => {
    const judged = customer.before === null ? NOT_JUDGED : judgeHour(customer.hour, customer.before);
    const day = judgeDay(customer.dayCostPicoUsd, customer.dayCostsBefore);
    return judged.moved !== null || day.isAbove ? [{ customer, judged, day }] : [];
  });
}
