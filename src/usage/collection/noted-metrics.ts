import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { KNOWN_METRIC_NAMES } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import {
  bigintField,
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../../platform/database/unnest-rows.ts';
import { CountSchema, InstantSchema } from '../../platform/http/schemas.ts';

/** A metric that nobody knows, as far as it counted nothing: seen between two instants of ingestion, in so many rows. */
export interface NotedMetric {
  metricName: string;
  rowCount: bigint;
  firstAt: Date;
  lastAt: Date;
}

const FIELDS: RowFields<NotedMetric> = {
  metric_name: textField((metric) => metric.metricName),
  row_count: bigintField((metric) => metric.rowCount),
  first_seen_at: instantField((metric) => metric.firstAt),
  last_seen_at: instantField((metric) => metric.lastAt),
};

/** Adds what a slice noted: a row for each name and source, however many rows there are. A rescan reads known rows again. */
export async function countNotedMetrics(
  transaction: LedgerTransaction,
  slice: { source: string; cursorKind: 'ingestion' | 'event'; noted?: readonly NotedMetric[] },
): Promise<void> {
  if (slice.noted === undefined || slice.noted.length === 0) return;
  const noted = slice.noted.toSorted((one, other) => (one.metricName < other.metricName ? -1 : 1));
  await sql`
    insert into noted_metrics as known (source, ${namesOf(FIELDS)})
    select ${slice.source}, noted.* from ${unnestRows('noted', noted, FIELDS)}
    on conflict (source, metric_name) do update
      set row_count = known.row_count + ${slice.cursorKind === 'ingestion' ? sql`excluded.row_count` : sql`0`},
        first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at)`.execute(transaction);
}

export const NotedMetricSchema = z
  .object({
    source: z.string(),
    metricName: z.string(),
    rowCount: CountSchema,
    firstAt: InstantSchema.openapi({ description: 'Ingestion time of the first of its rows.' }),
    lastAt: InstantSchema,
  })
  .openapi('NotedMetric');

/** As the API shows them. */
export function showNotedMetric(
  metric: NotedMetric & { source: string },
): z.output<typeof NotedMetricSchema> {
  return {
    source: metric.source,
    metricName: metric.metricName,
    rowCount: String(metric.rowCount),
    firstAt: metric.firstAt.toISOString(),
    lastAt: metric.lastAt.toISOString(),
  };
}

/** All that this version does not know, the latest seen first: what a later version knows is noted no more. */
export async function readNotedMetrics(
  database: LedgerDatabase,
): Promise<(NotedMetric & { source: string })[]> {
  const result = await sql<NotedMetric & { source: string }>`
    select source, metric_name as "metricName", row_count as "rowCount", first_seen_at as "firstAt", last_seen_at as "lastAt"
    from noted_metrics where metric_name <> all(${[...KNOWN_METRIC_NAMES]}::text[]) order by last_seen_at desc, source, metric_name`.execute(
    database,
  );
  return result.rows;
}
