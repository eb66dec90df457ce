import { sql } from 'kysely';
import type { LargeHours } from '../../pricing/prices/segments.ts';
import { FIGURES, isPartOf, TYPED_FIGURES } from '../../pricing/usage/shape.ts';
import { addMs, HOUR_MS, type TimeWindow } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';

const INPUT_TYPES = TYPED_FIGURES.filter((figure) => isPartOf(figure, 'prompt')).map(
  (figure) => FIGURES[figure].tokenType,
);

/**
 * The hours in which a request to these models may have been larger than the least of their context tiers. Sums of metrics know
 * no single request, but a request is of one user and feature in one hour, and none has more input than all of these together.
 */
export async function readLargeHours(
  transaction: LedgerTransaction,
  window: TimeWindow,
  priced: { models: string[]; threshold: number } | null,
): Promise<LargeHours[]> {
  if (priced === null) return [];
  const { rows } = await sql<{ start: Date; model: string; deployment: string; most: string }>`
    select window_start as start, model, deployment, max(tokens)::text as most
    from (
      select window_start, ${countedColumn('model')} as model, ${countedColumn('deployment')} as deployment,
        -- What a correction takes away may have been of small requests.
        sum(greatest(delta_token_count, 0)) as tokens
      from hourly_usage
      where window_start >= ${window.start} and window_start < ${window.end} and model = any(${priced.models}::text[])
        and token_type = any(${INPUT_TYPES}::text[])
      group by 1, 2, 3, subject, feature) as keys
    group by 1, 2, 3 having max(tokens) > ${priced.threshold}
    order by 2, 3, 1`.execute(transaction);
  return rows.map(({ start, model, deployment, most }) => ({
    model,
    deployment,
    start,
    end: addMs(start, HOUR_MS),
    mostInputTokenCount: BigInt(most),
  }));
}
