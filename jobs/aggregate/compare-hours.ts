import { TOKEN_TYPES, toDisjointBuckets } from '../../pricing/usage/tokens.ts';
import { METER_SLUGS, type MeterHour, type MeterSlug } from '../../src/openmeter/port.ts';
import { WHOLE_HOUR } from '../../src/usage/hours/hour-parts.ts';
import type { MeterDrift, SettledActivity, SettledUsage } from '../../src/usage/hours/hourly-usage.ts';
import type { LedgerHour } from '../../src/usage/hours/settlements.ts';
import { TOKEN_FIGURES, usageKeyText } from '../../src/usage/key.ts';

export interface Comparison {
  usage: SettledUsage[];
  activity: SettledActivity[];
  drifts: MeterDrift[];
}

/**
 * Holds the two halves against each other: what the ledger sent, and what each meter reads back. A key whose
 * six figures all match is settled, in disjoint token types; any other is a drift, in either direction.
 */
export function compareHours(
  ledger: readonly LedgerHour[],
  metered: ReadonlyMap<MeterSlug, readonly MeterHour[]>,
): Comparison {
  const comparison: Comparison = { usage: [], activity: [], drifts: [] };
  const readBack = METER_SLUGS.map(
    (slug) => new Map((metered.get(slug) ?? []).map((row) => [usageKeyText(row.windowStart, row), row])),
  );
  const inLedger = new Set<string>();
  for (const hour of ledger) {
    const key = usageKeyText(hour.windowStart, hour);
    inLedger.add(key);
    const { windowStart, subject, feature, model, deployment, figures } = hour;
    const place = { windowStart, subject, feature, model, deployment };
    const drifts = METER_SLUGS.flatMap((meterSlug, index) => {
      const ledgerValue = figures[TOKEN_FIGURES[index] ?? 'total'];
      const meteredValue = readBack[index]?.get(key)?.value ?? 0n;
      return ledgerValue === meteredValue ? [] : [{ ...place, meterSlug, ledgerValue, meteredValue }];
    });
    if (drifts.length > 0) {
      comparison.drifts.push(...drifts);
      continue;
    }
    const buckets = toDisjointBuckets({
      promptTokenCount: figures.prompt,
      cachedPromptTokenCount: figures.cachedPrompt,
      completionTokenCount: figures.completion,
    });
    for (const tokenType of TOKEN_TYPES)
      comparison.usage.push({ ...place, ...WHOLE_HOUR, tokenType, tokenCount: buckets[tokenType] });
    comparison.activity.push({
      ...place,
      reasoningTokenCount: figures.reasoning,
      requestCount: figures.requests,
    });
  }
  METER_SLUGS.forEach((meterSlug, index) => {
    for (const [key, row] of readBack[index] ?? []) {
      if (inLedger.has(key) || row.value === 0n) continue;
      const { windowStart, subject, feature, model, deployment, value } = row;
      comparison.drifts.push({
        windowStart,
        subject,
        feature,
        model,
        deployment,
        meterSlug,
        ledgerValue: 0n,
        meteredValue: value,
      });
    }
  });
  return comparison;
}
