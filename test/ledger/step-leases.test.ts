import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearAbandonedClaims, withStepLease } from '../../src/platform/database/leases.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
beforeEach(async () => {
  ledger = await createTestLedger();
});
afterEach(() => ledger.close());

const lease = <Result>(work: (signal: AbortSignal) => Promise<Result>, step = 'push-usage') =>
  withStepLease(ledger.database, step, work);

describe('a step’s lease', () => {
  it('is one runner’s at a time, and free again when the work ends or fails', async () => {
    const inner = await lease(async () => [
      await lease(async () => 'never'),
      await lease(async () => 'another step', 'collect-usage'),
    ]);
    expect(inner).toEqual([null, 'another step']);
    await expect(
      lease(async () => {
        throw new Error('broken');
      }),
    ).rejects.toThrow('broken');
    expect(await lease(async () => 'again')).toBe('again');
  });

  it('of a runner that died is taken over when it has run out', async () => {
    const row = { step: 'push-usage', lease_token: 'of the dead' };
    await ledger.database
      .insertInto('step_leases')
      .values({ ...row, expires_at: new Date(Date.now() + 60_000) })
      .execute();
    expect(await lease(async () => 'too early')).toBeNull();
    await ledger.database
      .updateTable('step_leases')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .execute();
    expect(await lease(async () => 'taken over')).toBe('taken over');
  });

  it('once lost is never taken back: the work is told to stop', async () => {
    const reasons = await Promise.all(
      ['deleted', 'taken'].map((how) =>
        lease(async (signal) => {
          if (how === 'deleted') {
            await ledger.database.deleteFrom('step_leases').where('step', '=', how).execute();
          } else {
            await ledger.database
              .updateTable('step_leases')
              .set({ lease_token: 'of another' })
              .where('step', '=', how)
              .execute();
          }
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          return signal.reason;
        }, how),
      ),
    );
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'STALE_LEASE', retry: true });
    const left = await ledger.database.selectFrom('step_leases').select(['step', 'lease_token']).execute();
    expect(left).toEqual([{ step: 'taken', lease_token: 'of another' }]);
  });

  it('and the claims of the dead are forgotten at the start of an embedded ledger', async () => {
    await ledger.database
      .insertInto('step_leases')
      .values({ step: 'push-usage', lease_token: 'of the dead', expires_at: new Date(Date.now() + 60_000) })
      .execute();
    await clearAbandonedClaims(ledger.database);
    expect(await lease(async () => 'at once')).toBe('at once');
  });
});
