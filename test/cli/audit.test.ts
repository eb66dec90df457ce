import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/command-line/program.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { insertAuditWorld } from '../api/audit-world.ts';
import { UNNAMED_METER } from '../api/listed-prices.ts';
import { type AuditWatch, isAudited, watchAudit } from '../setup/audit-watch.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
let watch: AuditWatch;
let reader: ChildProcess;
let writer: ChildProcess;
const ids: Record<string, string> = {};
const directory = makeTemporaryDirectory('audit-files');
/** Roles are of the whole server; of the second the right is taken away. */
const [READER, READER_OF_BEFORE] = ['reader', 'before'].map(
  (word) => `${word}_${randomBytes(4).toString('hex')}`,
) as [string, string];
const scenarios = path.join(directory, 'scenarios.json');
const prices = path.join(directory, 'prices.yaml');
writeFileSync(
  scenarios,
  JSON.stringify({
    from: '2026-11-20T00:00:00Z',
    to: '2026-11-21T00:00:00Z',
    scenarios: [{ name: 'markup', markupPercent: '100' }],
  }),
);
writeFileSync(
  prices,
  'prices:\n  - { model: o3, tokenType: prompt, amount: 1.70, effectiveFrom: 2027-01-01 }\n',
);
const exchangeRates = path.join(directory, 'rates.csv');
writeFileSync(exchangeRates, 'Date,USD\n2026-11-20,1.08\n');
beforeAll(async () => {
  ledger = await createTestLedger();
  const now = new Date();
  Object.assign(ids, await insertAuditWorld(ledger.database, now));
  const { key } = await createApiKey(ledger.database, {
    name: 'old',
    scopes: ['sales'],
    actor: 'test',
    now,
  });
  ids.key = key.apiKeyId;
  reader = start({});
  writer = start({
    AZURE_LOGS_WORKSPACE_ID: '11111111-2222-3333-4444-555555555555',
    OPENMETER_URL: 'http://127.0.0.1:9',
    STRIPE_API_KEY: 'sk_test_1',
    STRIPE_API_BASE: 'http://127.0.0.1:9',
  });
  expect(await run(writer, ['reporting', 'grant', '--role', READER_OF_BEFORE])).toBeNull();
  watch = await watchAudit(ledger.database);
});
afterAll(async () => {
  reader.disconnect();
  writer.disconnect();
  await Promise.all([once(reader, 'exit'), once(writer, 'exit')]);
  for (const role of [READER, READER_OF_BEFORE]) {
    await sql`drop owned by ${sql.id(role)}`.execute(ledger.database);
    await sql`drop role ${sql.id(role)}`.execute(ledger.database);
  }
  await ledger.close();
  rmSync(directory, { recursive: true, force: true });
});

function start(environment: Record<string, string>): ChildProcess {
  return fork(new URL('./command-runner.ts', import.meta.url), {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, DATABASE_URL: ledger.databaseUrl, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

async function run(runner: ChildProcess, argv: readonly string[]): Promise<string | null> {
  const heard = new Promise<string | null>((resolve) => {
    const onExit = () => resolve('the process ended');
    runner.once('exit', onExit);
    runner.once('message', (answer: { error: string | null }) => {
      runner.off('exit', onExit);
      resolve(answer.error);
    });
  });
  runner.send(argv);
  return await heard;
}

/** Commands that only look, or only store a quote or a simulation. */
const READS: Record<string, string[]> = {
  status: [],
  'quarantine list': [],
  coverage: ['--from', '2026-11-20', '--to', '2026-11-21'],
  'recounts list': ['2026-10'],
  'exchange list': [],
  'keys list': [],
  'links list': [],
  'plans list': [],
  'plans show': ['standard'],
  'plans check': [new URL('../../pricing/plans/standard.yaml', import.meta.url).pathname],
  'prices list': [],
  'prices export': [],
  'prices diff': ['--from', '2026-11-01', '--to', '2026-12-01'],
  'prices review list': [],
  'deployments list': [],
  preview: ['northwind'],
  'projections backtest': ['--months', '2'],
  statement: ['northwind', '--so-far'],
  'costs list': ['--from', '2026-11-20', '--to', '2026-11-21'],
  'costs changes list': [],
  'alerts list': [],
  'alerts routes': [],
  'anomalies list': [],
  'enforcement steps': [],
  'enforcement dry-run': ['bud_lifted'],
  'enforcement caller': ['northwind', 'user-1'],
  'enforcement hard-caps': [],
  'enforcement secret': [],
  'budgets list': [],
  'budgets show': ['bud_changed'],
  'anomalies repeats': ['--period', '2026-11'],
  'anomalies loads': ['--period', '2026-11'],
  'exports focus': ['--from', '2026-11-20', '--to', '2026-11-21'],
  'exports warehouse': ['--url', pathToFileURL(path.join(directory, 'warehouse')).href],
  'provisioned list': [],
  'second-person list': [],
  'second-person show': ['1'],
  'closes list': [],
  'closes show': ['in_1'],
  'credits list': [],
  'uninvoiced list': [],
  accruals: ['--rows'],
  quote: ['--usage', 'gpt-4o:1000:10'],
  simulate: ['--file', scenarios],
};

/** Commands that change something, with the actions that the audit log then tells, by transaction. */
const CHANGES: Record<string, { argv: () => string[]; actions: string[][] }> = {
  'quarantine assign': {
    argv: () => [ids.assigned ?? '', '--customer', 'adatum'],
    actions: [['subject.assign', 'quarantine.assign'], ['quarantine.release']],
  },
  'quarantine retry': { argv: () => [ids.retried ?? ''], actions: [['quarantine.retry']] },
  'quarantine accept': {
    argv: () => [ids.accepted ?? '', '--reason', 'test'],
    actions: [['quarantine.accept']],
  },
  'quarantine write-off': {
    argv: () => [ids.writtenOff ?? '', '--reason', 'test'],
    actions: [['quarantine.write_off']],
  },
  'alerts acknowledge': { argv: () => [ids.seenAlert ?? ''], actions: [['alerts.acknowledge']] },
  'alerts resend': {
    argv: () => [ids.givenUpAlert ?? '', '--route', 'route_tested0000000000'],
    actions: [['alerts.resend']],
  },
  'alerts add-route': {
    argv: () => ['--name', 'new', '--channel', 'email', '--to', 'a@example.com', '--quiet', '22:00-07:00'],
    actions: [['alert_routes.create']],
  },
  'alerts test': { argv: () => ['route_tested0000000000'], actions: [['alert_routes.test']] },
  'alerts end-route': { argv: () => ['route_ended00000000000'], actions: [['alert_routes.end']] },
  'budgets create': {
    argv: () => ['--template', 'internal-experimentation', '--contact', 'ops@example.com'],
    actions: [['customer.put'], ['budgets.create']],
  },
  'budgets change': {
    argv: () => ['bud_changed', '--limit', '60', '--step', '90%:slow:20000', '--step', 'forecast:100%:tell'],
    actions: [['budgets.change']],
  },
  'budgets grace': {
    argv: () => ['bud_graced', '--extra', '5', '--reason', 'test'],
    actions: [['budgets.grace']],
  },
  'budgets end': { argv: () => ['bud_ended'], actions: [['budgets.end']] },
  'costs changes record': {
    argv: () => ['cap', '--feature', 'chat', '--user', 'user-1', '--day-limit', '2.5', '--on', '2026-11-11'],
    actions: [['changes.record']],
  },
  'anomalies acknowledge': {
    argv: () => [ids.realFinding ?? ''],
    actions: [['anomalies.acknowledge']],
  },
  'anomalies dismiss': {
    argv: () => [ids.vainFinding ?? '', '--reason', 'test'],
    actions: [['anomalies.dismiss']],
  },
  'anomalies snooze': {
    argv: () => [ids.laterFinding ?? '', '--until', new Date(Date.now() + 86_400_000).toISOString()],
    actions: [['anomalies.snooze']],
  },
  'enforcement lift': {
    argv: () => [ids.liftedStep ?? '', '--until', new Date(Date.now() + 86_400_000).toISOString()],
    actions: [['enforcement.lift']],
  },
  'enforcement restore': { argv: () => [ids.restoredStep ?? ''], actions: [['enforcement.restore']] },
  'recounts approve': {
    argv: () => ['2026-09', 'northwind', 'told_apart'],
    actions: [['recount.approve']],
  },
  'recounts reject': {
    argv: () => ['2026-10', 'northwind', 'told_apart', '--reason', 'test'],
    actions: [['recount.reject']],
  },
  'keys create': { argv: () => ['--name', 'crm', '--scope', 'sales'], actions: [['key.create']] },
  'links portal': { argv: () => ['northwind', '--valid-days', '3'], actions: [['link.make']] },
  'links withdraw': { argv: () => ['--customer', 'adatum'], actions: [['links.withdraw']] },
  'keys revoke': { argv: () => [ids.key ?? ''], actions: [['key.revoke']] },
  'prices add': {
    argv: () => [
      ...[
        '--model',
        'o3',
        '--kind',
        'prompt',
        '--amount',
        '1.80',
        '--from',
        '2026-12-01',
        '--reason',
        'test',
      ],
    ],
    actions: [['price_book.add']],
  },
  'prices import': { argv: () => [prices], actions: [['price_book.import']] },
  'exchange import': { argv: () => [exchangeRates], actions: [['exchange_rates.import']] },
  'prices review accept': {
    argv: () => [ids.largeChange ?? '', '--reason', 'test'],
    actions: [['price_book.sync', 'price_sync.accept']],
  },
  'prices review reject': {
    argv: () => [ids.unmapped ?? '', '--reason', 'test'],
    actions: [['price_sync.reject']],
  },
  'prices map': {
    argv: () => [UNNAMED_METER, '--nothing', '--note', 'test'],
    actions: [['retail_meter.map']],
  },
  'deployments map': {
    argv: () => ['chat-*', '--model', 'o3', '--reason', 'test'],
    actions: [['price_book.deployment']],
  },
  'provisioned add': {
    argv: () => [
      ...['--deployment', 'ptu-1', '--from', '2026-11-20T05:00:00Z', '--units', '10', '--hourly', '1'],
      ...['--throughput', '1000', '--completion-weight', '4'],
    ],
    actions: [['provisioned.add']],
  },
  'reporting grant': { argv: () => ['--role', READER], actions: [['reporting.grant']] },
  'reporting revoke': { argv: () => ['--role', READER_OF_BEFORE], actions: [['reporting.revoke']] },
  'closes release': { argv: () => ['in_1', '--reason', 'test'], actions: [['close.release']] },
  'credits approve': { argv: () => [ids.approved ?? ''], actions: [['credit.approve']] },
  'credits reject': { argv: () => [ids.rejected ?? '', '--reason', 'test'], actions: [['credit.reject']] },
  'uninvoiced write-off': {
    argv: () => [ids.givenUp ?? '', '--reason', 'test'],
    actions: [['uninvoiced.write_off']],
  },
  'uninvoiced due-again': {
    argv: () => [ids.dueAgain ?? '', '--reason', 'test'],
    actions: [['uninvoiced.due_again']],
  },
  'uninvoiced invoice': {
    argv: () => ['in_void', '--choice', 'written_off', '--reason', 'test'],
    actions: [['invoice.choose', 'uninvoiced.write_off']],
  },
  'second-person decline': {
    argv: () => [ids.declined ?? '', '--reason', 'test'],
    actions: [['second_person.decline']],
  },
  // Their steps are held by another here, so that they only ask.
  rescan: {
    argv: () => ['--from', new Date(Date.now() - 7_200_000).toISOString()],
    actions: [['rescan.request']],
  },
  'prices sync': { argv: () => [], actions: [['price_sync.request']] },
};

/** They serve, or do the work of steps and of Stripe, which their own tests watch. */
const ELSEWHERE = [
  ...['demo', 'up', 'serve', 'work', 'migrate', 'collect', 'reconcile', 'close', 'doctor'],
  // The last two are no command line's to do: test/api/second-person.test.ts.
  ...['plans diff', 'plans apply', 'closes verify', 'second-person agree', 'keys exchange'],
];

function leavesOf(command: Command, name: string): string[] {
  if (command.commands.length === 0) return [name];
  return command.commands.flatMap((child) => leavesOf(child, `${name} ${child.name()}`.trim()));
}

describe('the command line', { timeout: 180_000 }, () => {
  it('has no command that is not tried here', () => {
    const known = [...Object.keys(READS), ...Object.keys(CHANGES), ...ELSEWHERE];
    expect(known.sort()).toEqual(leavesOf(createProgram(), '').sort());
  });

  it('makes no key and no audit row when it only reads', async () => {
    const count = async () =>
      (
        await sql`select (select count(*) from audit_log) as audits, (select count(*) from api_keys) as keys`.execute(
          ledger.database,
        )
      ).rows;
    const before = await count();
    for (const [name, argv] of Object.entries(READS)) {
      expect([name, await run(reader, [...name.split(' '), ...argv])]).toEqual([name, null]);
      expect([name, await watch.take()]).toEqual([name, []]);
    }
    expect(await count()).toEqual(before);
  });

  it.each(Object.keys(CHANGES))('%s tells the audit log who typed it', async (name) => {
    const { argv, actions } = CHANGES[name] as { argv: () => string[]; actions: string[][] };
    let error: string | null = 'not run';
    await withStepLease(ledger.database, 'rescan-usage', () =>
      withStepLease(ledger.database, 'sync-prices', async () => {
        error = await run(writer, [...name.split(' '), ...argv()]);
      }),
    );
    expect(error).toBeNull();
    const transactions = await watch.take();
    expect(transactions.filter((transaction) => !isAudited(transaction))).toEqual([]);
    expect(transactions.map((transaction) => transaction.actions)).toEqual(actions);
    const actors = transactions.flatMap((transaction) => transaction.actors);
    expect(actors.filter((actor) => !/^command line \(\S+@\S+\)$/.test(actor))).toEqual([]);
  });

  it('names the link that it makes of a statement', async () => {
    expect(await run(reader, ['statement', 'in_1', '--link'])).toBeNull();
    expect(await watch.take()).toMatchObject([{ actions: ['statement.link'] }]);
  });
});
