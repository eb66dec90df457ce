import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { CountSchema, InstantSchema } from '../platform/http/schemas.ts';
import { ATTRIBUTION_REASONS, type AttributionReason } from './attributions.ts';

/** Customers whose users OpenMeter does not all have as subject keys, by reason. */
export interface AttributionSummary {
  reason: AttributionReason;
  customerCount: bigint;
  /** The first ten. */
  customerIds: string[];
  oldestAt: Date;
}

export async function readAttributionSummary(snapshot: LedgerSnapshot): Promise<AttributionSummary[]> {
  const rows = await sql<AttributionSummary>`
    select a.reason, count(*) as "customerCount", min(a.since) as "oldestAt",
      (array_agg(a.customer_id order by a.customer_id))[1:10] as "customerIds"
    from customer_attributions a join customers c using (customer_id)
    where a.reason is not null and c.deleted_at is null
    group by a.reason order by a.reason`.execute(snapshot);
  return rows.rows;
}

export const AttributionSummarySchema = z
  .object({
    reason: z.enum(ATTRIBUTION_REASONS),
    customerCount: CountSchema,
    customerIds: z.array(z.string()).openapi({ description: 'The first ten.' }),
    oldestAt: InstantSchema,
  })
  .openapi('AttributionSummary');

export function showAttributionSummary({ customerCount, oldestAt, ...summary }: AttributionSummary) {
  return { ...summary, customerCount: String(customerCount), oldestAt: oldestAt.toISOString() };
}
