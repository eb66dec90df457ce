import { afterEach, expect, it } from 'vitest';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
afterEach(() => ledger.close());

const NOW = new Date('2026-11-01T00:00:00Z');

it('a snapshot sees one instant, whatever is committed while it reads, and writes nothing', async () => {
  ledger = await createTestLedger();
  const { database } = ledger;
  const insert = (name: string) => ({ name, value: 'x', created_at: NOW });
  const countOf = async (on: typeof database) =>
    (await on.selectFrom('service_secrets').select('name').execute()).length;
  const seen = await readSnapshot(database, async (snapshot) => {
    const first = await countOf(snapshot);
    await database.insertInto('service_secrets').values(insert('while-it-reads')).execute();
    return [first, await countOf(snapshot)];
  });
  expect(seen).toEqual([0, 0]);
  expect(await countOf(database)).toBe(1);
  await expect(
    readSnapshot(database, async (snapshot) => {
      await snapshot.insertInto('service_secrets').values(insert('refused')).execute();
    }),
  ).rejects.toMatchObject({ code: '25006' });
});
