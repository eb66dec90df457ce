import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NewAlert, raiseAlerts } from '../../src/alerts/raise.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
});
afterAll(() => ledger.close());

const NOW = new Date('2026-11-20T14:20:00Z');
const drift = (key: string, topic?: string): NewAlert => ({
  kind: 'drift',
  key,
  ...(topic === undefined ? {} : { topic }),
  customerId: 'northwind',
  audience: 'operator',
  severity: 'warning',
  facts: { boundary: 'stripe', hourCount: 2, tokenCount: '1200', firstSeenAt: '2026-11-20T13:00:00Z' },
});
const raise = async (...alerts: NewAlert[]) =>
  await ledger.database
    .transaction()
    .execute(async (transaction) => await raiseAlerts(transaction, alerts, NOW));

describe('raiseAlerts', () => {
  it('keeps a fact once, and one alert for what stands', async () => {
    expect(await raise()).toBe(0);
    expect(await raise(drift('once-1'), drift('once-1'), drift('once-2'))).toBe(2);
    expect(await raise(drift('once-2'))).toBe(0);
    expect(await raise(drift('standing-1', 'standing'))).toBe(1);
    expect(await raise(drift('standing-2', 'standing'))).toBe(0);
    await sql`update alerts set ended_at = ${NOW} where topic = 'standing'`.execute(ledger.database);
    expect(await raise(drift('standing-1', 'standing'))).toBe(0);
    expect(await raise(drift('standing-2', 'standing'))).toBe(1);
  });

  it('refuses facts of another kind, and takes the transaction with it', async () => {
    const wrong = { ...drift('wrong'), facts: { askedBy: 'somebody' } } as unknown as NewAlert;
    await expect(raise(drift('beside'), wrong)).rejects.toThrow(/boundary/);
    const kept = await sql<{ key: string }>`select key from alerts where key in ('wrong', 'beside')`.execute(
      ledger.database,
    );
    expect(kept.rows).toEqual([]);
  });
});
