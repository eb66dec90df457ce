/** More pushes of one hour than this are not tried in all combinations. */
const COMBINED_PUSH_LIMIT = 12;

/** A push of which Stripe's sum of its hour must tell whether it counted. */
export interface DoubtfulPush {
  meterPushId: bigint;
  deltaTokenCount: bigint;
  /** Decides the billing period. */
  eventTimestamp: Date;
  /** Refused, and waiting for a person: it may explain a sum, and is not decided here. */
  isHeld: boolean;
}

export interface ExplainedCount {
  counted: ReadonlySet<bigint>;
  uncounted: ReadonlySet<bigint>;
}

/**
 * Which of these pushes, in the order of their planning, Stripe has counted, when they add `extra` to what it acknowledged.
 * What is in neither set stays unknown: several combinations make the same sum, and they differ in a period or in a push
 * that a person holds. Where they do not, any of them is as true, as whatever is left out is sent under its own
 * identifier and makes the same total; the earliest pushes are taken for those that counted, since they went first.
 * @param overwrites the meter keeps the newest value, an hour's total: a push that counted covers those before it
 * @returns null when no combination adds up to it
 */
export function explainCount(
  extra: bigint,
  pushes: readonly DoubtfulPush[],
  overwrites: boolean,
): ExplainedCount | null {
  const triesAll = !overwrites && pushes.length <= COMBINED_PUSH_LIMIT;
  const found = [...(triesAll ? combinations(pushes) : beginnings(pushes))].filter(
    (chosen) => chosen.reduce((sum, push) => sum + push.deltaTokenCount, 0n) === extra,
  );
  const [first] = found;
  if (first === undefined) return null;
  const isTheSame =
    pushes.every(({ isHeld }) => !isHeld) &&
    new Set(pushes.map(({ eventTimestamp }) => eventTimestamp.getTime())).size <= 1;
  const explanations = isTheSame ? [first] : found;
  const idsWhere = (test: (push: DoubtfulPush) => boolean) =>
    new Set(pushes.filter(test).map(({ meterPushId }) => meterPushId));
  return {
    counted: idsWhere((push) => explanations.every((chosen) => chosen.includes(push))),
    uncounted: idsWhere((push) => explanations.every((chosen) => !chosen.includes(push))),
  };
}

/** Every choice of pushes, those with earlier ones first. */
function* combinations(pushes: readonly DoubtfulPush[]): Generator<DoubtfulPush[]> {
  const last = pushes.length - 1;
  for (let mask = 2 ** pushes.length - 1; mask >= 0; mask -= 1)
    yield pushes.filter((_, index) => (mask & (1 << (last - index))) !== 0);
}

function* beginnings(pushes: readonly DoubtfulPush[]): Generator<DoubtfulPush[]> {
  for (let count = pushes.length; count >= 0; count -= 1) yield pushes.slice(0, count);
}
