import {
  ACTIVITY_FIGURES,
  byFigure,
  type DimensionName,
  FIGURE_NAMES,
  FIGURES,
  keyOf,
  type MeterSlug,
  type UsageKey,
  usageKeyText,
} from '../../pricing/usage/shape.ts';
import {
  bucketsOf,
  countFormerly,
  type Disagreement,
  findDisagreement,
  TOKEN_TYPES,
} from '../../pricing/usage/tokens.ts';
import type { MeterHour } from '../../src/openmeter/port.ts';
import { WHOLE_HOUR } from '../../src/usage/hours/hour-parts.ts';
import {
  type MeterDrift,
  type SettledActivity,
  type SettledUsage,
  settledTypeText,
} from '../../src/usage/hours/hourly-usage.ts';
import type { LedgerHour } from '../../src/usage/hours/settlements.ts';

export interface Comparison {
  usage: SettledUsage[];
  activity: SettledActivity[];
  drifts: MeterDrift[];
}

/**
 * Holds the two halves against each other: what the ledger sent, and what each meter reads back. A key whose
 * figures all match is settled, in disjoint token types; any other is a drift, in either direction. So is one whose figures
 * contradict each other, as when one of its events waits in quarantine: it is billed once they agree, and nothing is cut.
 * @param settledTypes of what the hours had before, by `settledTypeText`: only of these is nothing worth a row
 */
export function compareHours(
  ledger: readonly LedgerHour[],
  metered: ReadonlyMap<MeterSlug, readonly MeterHour[]>,
  settledTypes: ReadonlySet<string> = new Set(),
): Comparison {
  const comparison: Comparison = { usage: [], activity: [], drifts: [] };
  const readBack = byFigure(
    (name) =>
      new Map(
        (metered.get(FIGURES[name].meterSlug) ?? []).map((row) => [usageKeyText(row.windowStart, row), row]),
      ),
  );
  const inLedger = new Set<string>();
  for (const hour of ledger) {
    const key = usageKeyText(hour.windowStart, hour);
    inLedger.add(key);
    const { windowStart, figures, former } = hour;
    const place = { windowStart, ...keyOf(hour) };
    const drifts = FIGURE_NAMES.flatMap((name) => {
      const ledgerValue = figures[name];
      const meteredValue = readBack[name].get(key)?.value ?? 0n;
      const { meterSlug } = FIGURES[name];
      return ledgerValue === meteredValue
        ? []
        : [{ ...place, meterSlug, ledgerValue, meteredValue, driftClass: null }];
    });
    if (drifts.length > 0) {
      comparison.drifts.push(...drifts);
      continue;
    }
    const counted = countFormerly(figures, former);
    const disagreement = findDisagreement(counted);
    if (disagreement !== null) {
      comparison.drifts.push(disagreeingDrift(place, disagreement));
      continue;
    }
    const buckets = bucketsOf(counted);
    for (const tokenType of TOKEN_TYPES) {
      const tokenCount = buckets[tokenType];
      if (tokenCount !== 0n || settledTypes.has(settledTypeText(windowStart, tokenType)))
        comparison.usage.push({ ...place, ...WHOLE_HOUR, tokenType, tokenCount });
    }
    comparison.activity.push({ ...place, ...activityOf(figures) });
  }
  for (const name of FIGURE_NAMES) {
    for (const [key, row] of readBack[name]) {
      if (inLedger.has(key) || row.value === 0n) continue;
      comparison.drifts.push({
        windowStart: row.windowStart,
        ...keyOf(row),
        meterSlug: FIGURES[name].meterSlug,
        ledgerValue: 0n,
        meteredValue: row.value,
        driftClass: null,
      });
    }
  }
  return comparison;
}

/** A key that both halves agree on, and that cannot be divided: shown by the figure that is less than its parts. */
export function disagreeingDrift(
  place: UsageKey & { windowStart: Date },
  { whole, wholeTokenCount }: Disagreement,
): MeterDrift {
  return {
    ...place,
    meterSlug: FIGURES[whole].meterSlug,
    ledgerValue: wholeTokenCount,
    meteredValue: wholeTokenCount,
    driftClass: 'counts_disagree',
  };
}

function activityOf(figures: LedgerHour['figures']) {
  return Object.fromEntries(ACTIVITY_FIGURES.map((name) => [FIGURES[name].property, figures[name]])) as Omit<
    SettledActivity,
    'windowStart' | DimensionName
  >;
}
