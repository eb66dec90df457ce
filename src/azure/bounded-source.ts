import type { UsageSource } from './source.ts';

/**
 * A source that tells only usage of `[since, until)` by event time: what lies outside is told by another
 * source, before or after a switch between the two. Rows without an event time are told, to be quarantined.
 */
export function boundSource(
  source: UsageSource,
  bounds: { since?: Date | undefined; until?: Date | undefined },
): UsageSource {
  const { since, until } = bounds;
  if (since === undefined && until === undefined) return source;
  const isInside = (eventTime: Date | null) =>
    eventTime === null ||
    ((since === undefined || eventTime >= since) && (until === undefined || eventTime < until));
  return {
    name: source.name,
    summarizeMetrics: (from, signal) => source.summarizeMetrics(from, signal),
    async queryRows(query, signal) {
      const answer = await source.queryRows(query, signal);
      if (answer.kind === 'split') return answer;
      return { ...answer, rows: answer.rows.filter((row) => isInside(row.eventTime)) };
    },
  };
}
