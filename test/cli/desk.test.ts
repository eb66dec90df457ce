import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertInvoice, storeLines } from '../api/statement-world.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { runCommand } from '../e2e/command.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  await insertUsage(ledger.database, [
    {
      hour: '2026-11-20T09:00:00Z',
      tokens: 1_234n,
      subject: 'stray',
      customer: null,
      quarantine: 'no_customer',
    },
    { hour: '2026-11-20T11:00:00Z', tokens: 7n, model: 'mystery', quarantine: 'no_binding' },
    { hour: '2026-11-20T12:00:00Z', tokens: 8n, model: 'mystery', quarantine: 'no_binding' },
  ]);
});
afterAll(() => ledger.close());

const run = (...argv: string[]) =>
  runCommand(argv, {
    DATABASE_URL: ledger.databaseUrl,
    AZURE_LOGS_WORKSPACE_ID: '11111111-2222-3333-4444-555555555555',
    OPENMETER_URL: 'http://127.0.0.1:9',
    STRIPE_API_KEY: 'sk_test_1',
  });

async function idsOf(reason: string): Promise<string[]> {
  const listed = await run('quarantine', 'list', '--reason', reason, '--json');
  return (listed.json().items as { id: string }[]).map((item) => item.id);
}

describe('tallystick quarantine', () => {
  it('lists what waits, assigns it, tries it again and writes it off', async () => {
    const table = await run('quarantine', 'list');
    expect(table.stdout).toContain('no_customer');
    expect(table.stdout).toContain('1,234');
    const [stray = ''] = await idsOf('no_customer');
    const assigned = await run('quarantine', 'assign', stray, '--customer', 'adatum');
    expect(assigned.stdout).toContain('stray belongs to adatum; 1,234 settled tokens');
    const unbound = await idsOf('no_binding');
    const writtenOff = await run('quarantine', 'write-off', ...unbound, '--reason', 'load test');
    expect(writtenOff.stdout).toBe('15 tokens written off.\n');
    const again = await run('quarantine', 'retry', unbound[0] ?? '', '--json');
    expect([again.exitCode, again.json()]).toMatchObject([1, { error: { code: 'CONFLICT' } }]);
    expect((await run('quarantine', 'list')).stdout).toBe('Nothing waits.\n');
    const inPart = await run('quarantine', 'list', '--reason', 'no_binding');
    expect(inPart.stdout).toBe('Nothing that matches waits.\n');
  });

  it('refuses in words what cannot be done', async () => {
    const noReason = await run('quarantine', 'write-off', 'usage-1');
    expect([noReason.exitCode, noReason.stderr]).toEqual([1, expect.stringContaining('--reason')]);
    const blank = await run('quarantine', 'write-off', 'usage-1', '--reason', ' ');
    expect([blank.exitCode, blank.stderr]).toEqual([1, expect.stringContaining('is missing')]);
    const unknown = await run('quarantine', 'assign', 'usage-99', '--customer', 'adatum');
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining('NOT_FOUND')]);
  });
});

describe('tallystick statement', () => {
  it('tells the base amount, the allowance and the tiers of one price apart', async () => {
    await insertInvoice(ledger.database, { id: 'in_words', totalMinor: 1_730n });
    const line = { subscriptionItemId: 'si_northwind_prompt', priceId: 'price_tiered' };
    const stored = [
      { ...line, lineId: 'il_1', quantity: 0n, amountMinor: 500n },
      { ...line, lineId: 'il_2', quantity: 1_000_000n, unitAmountDecimal: '0', amountMinor: 0n },
      { ...line, lineId: 'il_3', quantity: 4_100_000n, unitAmountDecimal: '0.0003', amountMinor: 1_230n },
    ];
    await storeLines(ledger.database, { id: 'in_words', lines: stored });
    const { stdout } = await run('statement', 'in_words');
    const rows = stdout.split('\n').map((row) => row.split('│').map((cell) => cell.trim()));
    const cells = rows.filter((row) => row.length === 6).map((row) => row.slice(2, 5));
    expect(cells.slice(1)).toEqual([
      ['', 'base amount', '5.00'],
      ['1,000,000', 'included', '0.00'],
      ['4,100,000', '$3.00 per million', '12.30'],
      ['', '', '0.00'],
      ['5,100,000', '', '17.30'],
    ]);
  });
});

describe('an empty list', () => {
  it.each([
    [['closes', 'list'], 'No period was closed yet.'],
    [['closes', 'list', '--state', 'held'], 'No close matches.'],
    [['credits', 'list'], 'Nothing is to be given back.'],
    [['credits', 'list', '--customer', 'adatum'], 'No credit matches.'],
    [['prices', 'review', 'list', '--status', 'rejected'], 'Nothing matches.'],
  ])('says whether all of it or the asked part is empty: %s', async (argv, words) => {
    const listed = await run(...argv);
    expect(listed.stdout).toContain(words);
  });
});

describe('tallystick rescan', () => {
  it.each([
    ['in the future', ['--from', '2999-01-01'], 'future'],
    ['longer than the source keeps', ['--from', '2020-01-01'], '90 days'],
    ['of no instants', ['--from', 'yesterday'], 'not an instant'],
  ])('refuses a window %s', async (_, argv, message) => {
    const refused = await run('rescan', ...argv);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining(message)]);
    expect(refused.stderr).toContain('VALIDATION');
    expect(await ledger.database.selectFrom('rescans').selectAll().execute()).toEqual([]);
  });
});
