import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sandboxMeterId } from '../../sandbox/azure/retail-catalog.ts';
import { createRetailStandIn, type RetailStandIn } from '../../sandbox/azure/retail-stand-in.ts';
import { listen } from '../../sandbox/sandbox.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { readPriceBook } from '../../src/prices/book.ts';
import { runCommand } from '../e2e/command.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

// The command line has the machine's clock, and so has the stand-in: all its usual changes are long past then.
let ledger: TestLedger;
let standIn: RetailStandIn;
let server: { url: string; close(): Promise<void> };
beforeEach(async () => {
  ledger = await createTestLedger();
  const clock = new VirtualClock(Date.now());
  const context = { clock, seed: 1, stateDirectory: null, latencyMs: 0 };
  standIn = createRetailStandIn(context, { startMs: Date.UTC(2020, 0, 1) });
  server = await listen(standIn.app.fetch);
});
afterEach(async () => {
  await server.close();
  standIn.close();
  await ledger.close();
});

const run = (...argv: string[]) =>
  runCommand(['prices', ...argv], {
    DATABASE_URL: ledger.databaseUrl,
    AZURE_RETAIL_PRICES_URL: server.url,
  });

interface Item {
  id: string;
  verdict: string;
  meterId: string;
}
async function itemsOf(verdict: string): Promise<Item[]> {
  const listed = await run('review', '--verdict', verdict, '--limit', '1000', '--json');
  return listed.json().items as Item[];
}

describe('tallystick prices', () => {
  it('sync --dry-run shows the difference and writes nothing', async () => {
    const before = (await readPriceBook(ledger.database)).version;
    const shown = await run('sync', '--dry-run');
    expect(shown.stdout).toContain('gpt-4o-mini global * completion');
    expect(shown.stdout).toContain('+6.7 %');
    expect(shown.stdout).toContain('large_change');
    expect(shown.stdout).toContain('unmapped');
    expect(shown.stdout).toContain('listed from an earlier date');
    expect((await readPriceBook(ledger.database)).version).toBe(before);
    expect(await ledger.database.selectFrom('price_sync_runs').selectAll().execute()).toEqual([]);
  });

  it('sync takes what is small, review lists what waits, accept and reject decide it', async () => {
    const done = await run('sync', '--json');
    expect(done.json()).toMatchObject({ status: 'done', counts: { appliedCount: 1, pageCount: 2 } });
    const [change] = await itemsOf('large_change');
    const table = await run('review');
    expect(table.stdout).toContain('gpt-4.1 global * completion');
    expect(table.stdout).toContain('+50.0 %');
    const noReason = await run('review', 'accept', change?.id ?? '');
    expect([noReason.exitCode, noReason.stderr]).toEqual([1, expect.stringContaining('--reason')]);
    const accepted = await run('review', 'accept', change?.id ?? '', '--reason', 'announced');
    expect(accepted.stdout).toMatch(/accepted: gpt-4.1 global \* completion from 20\d\d-/);
    const unnamed = (await itemsOf('unmapped')).slice(0, 2).map(({ id }) => id);
    const rejected = await run('review', 'reject', ...unnamed, '--reason', 'not ours');
    expect(rejected.stdout.trim().split('\n')).toHaveLength(2);
    const again = await run('review', 'reject', change?.id ?? '', '--reason', 'no', '--json');
    expect([again.exitCode, again.json()]).toMatchObject([1, { error: { code: 'CONFLICT' } }]);
  });

  it('map names a meter, and the next sync asks about its first price', async () => {
    await run('sync');
    const meterId = sandboxMeterId(26);
    const wrong = await run('map', meterId, '--model', 'gpt4o', '--kind', 'prompt', '--note', 'x');
    expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining('gpt-4o')]);
    const mapped = await run(
      ...['map', meterId, '--model', 'gpt-4o', '--type', 'regional', '--region', 'swedencentral'],
      ...['--kind', 'prompt', '--note', 'pricing page'],
    );
    expect(mapped.stdout).toContain('is kept');
    await run('sync');
    expect((await itemsOf('new_price')).map((item) => item.meterId)).toContain(meterId);
  });

  it('sync leaves it to a service that is at it', async () => {
    await withStepLease(ledger.database, 'sync-prices', async () => {
      expect((await run('sync')).stdout).toContain('Queued as price_sync_');
    });
  });

  it('sync says when the list is switched off, or does not come whole', async () => {
    const off = await runCommand(['prices', 'sync'], {
      DATABASE_URL: ledger.databaseUrl,
      AZURE_RETAIL_PRICES_URL: 'off',
    });
    expect([off.exitCode, off.stderr]).toEqual([1, expect.stringContaining('switched off')]);
    standIn.setFaults({ next: ['no_next_link'] });
    const half = await run('sync', '--json');
    expect([half.exitCode, half.json()]).toMatchObject([1, { error: { code: 'PARTIAL_RESULT' } }]);
  });
});
