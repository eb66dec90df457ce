import { ALLOWED, type OpenStep, type Ruling, rule } from './ruling.ts';

/** Steps by whom they hold for, so that those of one caller are found without a look at the others. */
export type StepsByHolder = ReadonlyMap<string, readonly OpenStep[]>;

/** What a gateway does with one caller, and with its calls of a feature where that differs. */
export interface CallerRuling {
  ruling: Ruling;
  byFeature: Map<string, Ruling>;
}

/** What is asked of one holder. */
export interface HolderRuling {
  customerId: string | null;
  subject: string | null;
  feature: string | null;
  ruling: Ruling;
}

const holderKey = (customerId: string | null, subject: string | null) =>
  `${customerId ?? ''}\n${subject ?? ''}`;

export function groupByHolder(steps: readonly OpenStep[]): StepsByHolder {
  return Map.groupBy(steps, ({ customerId, subject }) => holderKey(customerId, subject));
}

/** @param customerId null: nobody knows whose caller it is; what holds for every customer holds for it, too. */
export function ruleForCaller(
  steps: StepsByHolder,
  { customerId, subject }: { customerId: string | null; subject: string | null },
  now: Date,
): CallerRuling {
  const keys = new Set([
    holderKey(null, null),
    holderKey(customerId, null),
    holderKey(null, subject),
    holderKey(customerId, subject),
  ]);
  const fitting = [...keys].flatMap((key) => steps.get(key) ?? []);
  if (fitting.length === 0) return { ruling: ALLOWED, byFeature: new Map() };
  const always = fitting.filter(({ feature }) => feature === null);
  const features = [...new Set(fitting.flatMap(({ feature }) => (feature === null ? [] : [feature])))].sort();
  const byFeature = new Map<string, Ruling>();
  for (const feature of features) {
    const ruling = rule([...always, ...fitting.filter((step) => step.feature === feature)], now);
    if (ruling.action !== 'allow') byFeature.set(feature, ruling);
  }
  return { ruling: rule(always, now), byFeature };
}

/** Everybody of whom something is asked, in an order that depends on nothing else. */
export function ruleForHolders(steps: readonly OpenStep[], now: Date): HolderRuling[] {
  const groups = Map.groupBy(steps, (step) =>
    [step.customerId ?? '', step.subject ?? '', step.feature ?? ''].join('\n'),
  );
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, [first, ...more]]) => {
      const { customerId, subject, feature } = first as OpenStep;
      return { customerId, subject, feature, ruling: rule([first as OpenStep, ...more], now) };
    })
    .filter(({ ruling }) => ruling.action !== 'allow');
}
