import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { createTestLedger } from '../setup/ledger.ts';
import { hasPgBouncer, startTestPgBouncer } from '../setup/pgbouncer.ts';
import { openPipeline } from '../setup/pipeline.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.runIf(hasPgBouncer())('behind PgBouncer in transaction mode', () => {
  it('the whole pipeline runs and its totals agree', async () => {
    const pipeline = await openPipeline({ scenario: { dayCount: 1 } });
    cleanups.push(() => pipeline.close());
    const pooler = await startTestPgBouncer(pipeline.ledger.databaseUrl, 2);
    cleanups.push(() => pooler.stop());
    const database = openLedger({ databaseUrl: pooler.databaseUrl, maxConnectionCount: 10 });
    cleanups.push(() => database.destroy());
    pipeline.deps.database = database;
    await migrateLedger(pooler.databaseUrl);
    for (let tick = 0; tick < 10; tick += 1) await pipeline.tick(6);
    const totals = await readTokenTotals(database);
    expect(totals.collectedTokenCount).toBe(pipeline.traffic.tokenTotal());
    expect(totals.dueTokenCount).toBe(0n);
    expect(pipeline.stripe.tokenTotal()).toBe(totals.deliveredTokenCount);
    expect(totals.deliveredTokenCount).toBeGreaterThan(0n);
  });

  it('work waits for a connection instead of failing when all are taken', async () => {
    const ledger = await createTestLedger();
    cleanups.push(() => ledger.close());
    const pooler = await startTestPgBouncer(ledger.databaseUrl, 2);
    cleanups.push(() => pooler.stop());
    const database = openLedger({ databaseUrl: pooler.databaseUrl, maxConnectionCount: 5 });
    cleanups.push(() => database.destroy());
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        database
          .transaction()
          .execute(
            async (transaction) =>
              (
                await sql<{ index: number }>`select ${index}::int as index, pg_sleep(0.02)`.execute(
                  transaction,
                )
              ).rows[0]?.index,
          ),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });
});
