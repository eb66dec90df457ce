import { sql } from 'kysely';
import { expect } from 'vitest';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readKeptSums } from '../../src/platform/database/kept-sums.ts';
import { readQuarantineSummary } from '../../src/quarantine/entries.ts';

/** Holds the sums that are kept of each table against the tables, whole. */
export async function expectKeptSums(database: LedgerDatabase): Promise<void> {
  const whole = await sql<{ name: string; part: string; rows: bigint; tokens: bigint }>`
    select 'collected' as name, '' as part, null::bigint as rows,
      ((select coalesce(sum(token_count), 0) from source_items where token_kind in ('prompt', 'completion') or counts_apart)
      + (select coalesce(sum(token_count), 0) from dropped_item_days))::bigint as tokens
    union all
    select 'usage_events', status, count(*),
      coalesce(sum(prompt_token_count + completion_token_count) filter (where kind = 'usage'), 0)::bigint
    from usage_events group by status
    union all
    select 'hourly_usage', '', count(*), coalesce(sum(delta_token_count), 0)::bigint from hourly_usage
    union all
    select 'meter_pushes', concat_ws(' ', status, fate), count(*), sum(delta_token_count)::bigint from meter_pushes group by 2
    union all
    select 'settlements', status, count(*), 0 from settlements group by status
    union all
    select 'closes', state, count(*), 0 from closes group by state
    union all
    select 'close_certificates', '', count(*), coalesce(sum(drift_token_count), 0)::bigint from close_certificates`.execute(
    database,
  );
  const kept = await readKeptSums(database);
  for (const { name, part, rows, tokens } of whole.rows) {
    const { rowCount, tokenCount } = kept.of(name, part);
    expect([name, part, rows === null ? null : rowCount, tokenCount]).toEqual([name, part, rows, tokens]);
  }
  const parts = ['usage_events', 'meter_pushes', 'settlements', 'closes'].flatMap((name) =>
    kept.counts(name).map(({ part }) => `${name} ${part}`),
  );
  expect(parts.filter((part) => !whole.rows.some((row) => `${row.name} ${row.part}` === part))).toEqual([]);
  const waiting = await sql<{ rows: bigint; tokens: bigint; oldest: Date | null }>`
    select count(*) as rows, coalesce(sum(token_count), 0)::bigint as tokens, min(waiting_since) as oldest
    from quarantine_entries where stage = 'source_item' and written_off_at is null`.execute(database);
  const held = (await readQuarantineSummary(database)).filter(({ stage }) => stage === 'source_item');
  expect({
    rows: held.reduce((sum, { rowCount }) => sum + rowCount, 0n),
    tokens: held.reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
    oldest:
      held.map(({ oldestAt }) => oldestAt).toSorted((one, other) => one.getTime() - other.getTime())[0] ??
      null,
  }).toEqual(waiting.rows[0]);
}
