import type { SourceRow, UsageSource } from '../../src/azure/source.ts';
import { START_MS } from './pipeline.ts';

/** Rows as a source might hand them over that no store would keep so, beside those of the real one. */
export function addRows(source: UsageSource, rows: readonly SourceRow[]): UsageSource {
  return {
    name: source.name,
    summarizeMetrics: (since, signal) => source.summarizeMetrics(since, signal),
    async queryRows(query, signal) {
      const answer = await source.queryRows(query, signal);
      if (answer.kind === 'split') return answer;
      const { start, end } = query.window;
      const added = rows.filter((row) => row.ingestedAt >= start && row.ingestedAt < end);
      return { ...answer, rows: [...answer.rows, ...added] };
    },
  };
}

/** A sound row of the first minute, unless changed. */
export function strangeRow(changes: Partial<SourceRow>): SourceRow {
  return {
    sourceItemId: crypto.randomUUID(),
    eventTime: new Date(START_MS + 60_000),
    ingestedAt: new Date(START_MS + 120_000),
    metricName: 'Prompt Tokens',
    sum: 100,
    itemCount: 1,
    subject: 'user-00001',
    tenantKey: 'northwind',
    feature: 'chat',
    model: 'gpt-4o',
    deployment: 'gpt-4o-global',
    ...changes,
  };
}
