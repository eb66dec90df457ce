import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { CountSchema, InstantSchema } from '../platform/http/schemas.ts';

/** Sums of Stripe that do not show yet what was sent: nothing is concluded from them. */
export interface SummaryWaits {
  /** Customers and meters that wait, each pair once. */
  pairCount: bigint;
  /** When the first push was sent that they do not show; null: nothing waits. */
  oldestAt: Date | null;
}

export async function readSummaryWaits(database: LedgerDatabase): Promise<SummaryWaits> {
  const rows = await sql<SummaryWaits>`
    select count(*) as "pairCount", min(since) as "oldestAt" from summary_waits`.execute(database);
  return rows.rows[0] ?? { pairCount: 0n, oldestAt: null };
}

export const SummaryWaitsSchema = z
  .object({ pairCount: CountSchema, oldestAt: InstantSchema.nullable() })
  .openapi({
    description:
      "Customers and meters of which Stripe's event summaries do not show yet what was sent at or after that instant.",
  });

/** As the API shows them. */
export function showSummaryWaits({ pairCount, oldestAt }: SummaryWaits): z.output<typeof SummaryWaitsSchema> {
  return { pairCount: String(pairCount), oldestAt: oldestAt?.toISOString() ?? null };
}
