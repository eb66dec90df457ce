import { sql } from 'kysely';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readStoredFigures } from './figures.ts';
import { FIGURES } from './oracle/oracle.ts';
import type { World } from './world.ts';

/** Canaries beyond their share of few events: a delay that lasts is asked about again, however little was used. */
const FEW_CANARIES = 12;

/**
 * Where the sink's outage only delays: no token is visible twice, nothing was sent again or offset, and what asks about the
 * outage is a twentieth of the events at most.
 */
export async function checkOnlyDelayed({ witness, openMeter }: World, ledger: LedgerDatabase): Promise<void> {
  for (const [key, figures] of readStoredFigures(openMeter)) {
    const cell = witness.oracle.cells.get(key);
    for (const figure of FIGURES) {
      if (figures[figure] > (cell?.[figure] ?? 0n))
        witness.report(
          `OpenMeter shows ${figures[figure]} ${figure} of ${key}, and ${cell?.[figure] ?? 0n} were used`,
        );
    }
  }
  const again = await sql<{ count: bigint }>`
    select coalesce(sum(resend_count), 0)::bigint + count(*) filter (where kind <> 'usage') as count
    from usage_events`.execute(ledger);
  if (again.rows[0]?.count !== 0n)
    witness.report(`${again.rows[0]?.count} events were sent again, and none was lost`);
  if (witness.canaryCount > witness.usageIds.size / 20 + FEW_CANARIES)
    witness.report(`${witness.canaryCount} canaries were sent for ${witness.usageIds.size} events`);
}
