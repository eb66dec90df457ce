import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { type CommandResult, runCommand, startCommand } from './command.ts';

const SMALL = ['demo', '--once', '--json', '--days', '4', '--customers', '4', '--users', '10'];
let directory: string;
const environment = () => ({ TALLYSTICK_DATA_DIR: directory });

beforeAll(() => {
  directory = makeTemporaryDirectory('e2e');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** All that must come out the same however often the run was interrupted. */
function comparable(result: CommandResult) {
  const { seconds: _seconds, ...rest } = result.json();
  return rest;
}

/** Postgres servers whose cluster lies below the test's directory. */
function findOrphans(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
      } catch {
        return false;
      }
    });
}

describe('the demo', () => {
  test.each(['1', '7', '42'])('its three totals agree for seed %s', async (seed) => {
    const result = await runCommand([...SMALL, '--seed', seed], environment());
    const report = result.json() as Record<string, string> & { invoices: unknown[] };
    expect(result.exitCode, result.stderr).toBe(0);
    expect(report.driftTokens).toBe('0');
    expect(report.dueTokens).toBe('0');
    expect(report.meteredTokens).toBe(report.sourceTokens);
    const invoiced = BigInt(report.invoicedTokens ?? '') + BigInt(report.awaitingInvoiceTokens ?? '');
    expect(invoiced).toBe(BigInt(report.deliveredTokens ?? ''));
    expect(BigInt(report.deliveredTokens ?? '') + BigInt(report.quarantinedTokens ?? '')).toBe(
      BigInt(report.sourceTokens ?? ''),
    );
    expect(BigInt(report.deliveredTokens ?? '')).toBeGreaterThan(0n);
    // Experiments of the house reach their cap, and are stopped at the gateway.
    expect(report).toMatchObject({ problems: [], experiments: { stoppedCallCount: 48 } });
    expect(findOrphans()).toEqual([]);
  });

  test('a push lost inside the stand-in shows as drift and as exit status 1', async () => {
    const result = await runCommand([...SMALL, '--drop-pushes', '1'], environment());
    const report = result.json() as Record<string, string>;
    expect(result.exitCode).toBe(1);
    expect(BigInt(report.driftTokens ?? '0')).toBeGreaterThan(0n);
  });

  test('killed half-way, the second start ends in the same totals and invoices', async () => {
    const world = [...SMALL, '--seed', '11'];
    const undisturbed = await runCommand(world, { TALLYSTICK_DATA_DIR: path.join(directory, 'undisturbed') });
    for (const moment of [/virtual days 0\.\d, rows collected [1-9]/, /virtual days 2/]) {
      const running = startCommand(world, environment());
      onTestFinished(() => void running.child.kill('SIGKILL'));
      await running.untilSaid(moment);
      running.child.kill('SIGKILL');
      expect((await running.done).signal).toBe('SIGKILL');
    }
    const resumed = await runCommand(world, environment());
    expect(resumed.exitCode, resumed.stderr).toBe(0);
    expect(comparable(resumed)).toEqual(comparable(undisturbed));
    expect(findOrphans()).toEqual([]);
  });

  test('what other stand-ins left behind is played anew instead of being misread', async () => {
    const world = [...SMALL, '--seed', '13'];
    const first = await runCommand(world, environment());
    const state = path.join(directory, 'demo-13-4d-4c-10u/sandbox');
    const again = await runCommand(world, environment());
    expect(again.stderr).not.toContain('played anew');
    expect(comparable(again)).toEqual(comparable(first));
    // As an earlier version wrote it: the field that says what was lost had another name.
    const journal = path.join(state, 'stripe.jsonl');
    writeFileSync(journal, readFileSync(journal, 'utf8').replaceAll('"loss":null', '"drop":false'));
    writeFileSync(path.join(state, 'made-by'), 'an earlier version');
    const anew = await runCommand(world, environment());
    expect(anew.stderr).toContain('played anew');
    expect(comparable(anew)).toEqual(comparable(first));
    expect(findOrphans()).toEqual([]);
  });

  test('a second start on one data directory is refused, and says by whom', async () => {
    const world = [...SMALL, '--seed', '12'];
    const first = startCommand(world, environment());
    onTestFinished(() => void first.child.kill('SIGKILL'));
    await first.untilSaid(/virtual days/);
    for (const more of [[], ['--fresh']]) {
      const second = await runCommand([...world, ...more], environment());
      expect(second.exitCode).toBe(1);
      expect(second.stderr).toContain(`in use by Tallystick process ${first.child.pid}`);
    }
    first.child.kill('SIGTERM');
    expect((await first.done).exitCode).toBe(130);
    expect(findOrphans()).toEqual([]);
    expect(existsSync(path.join(directory, 'demo-12-4d-4c-10u/tallystick.lock'))).toBe(false);
  });

  test('commands beside it are about it, at its time; once it is killed, they are not', async () => {
    const ask = async (...argv: string[]) => await runCommand(argv, environment());
    const world = SMALL.filter((word) => word !== '--once' && word !== '--json');
    const demo = startCommand([...world, '--seed', '14'], { ...environment(), PORT: '0' });
    onTestFinished(() => void demo.child.kill('SIGKILL'));
    const link = await demo.untilSaid(/http:\S+\/console\/sign-in\/link\?once=\S+/);
    const open = async () => await fetch(link, { redirect: 'manual' });
    const opened = await open();
    expect([opened.status, opened.headers.get('location')]).toEqual([303, '/console']);
    expect(opened.headers.get('set-cookie')).toContain('HttpOnly');
    expect((await open()).status).toBe(410);
    const log = path.join(directory, 'demo-14-4d-4c-10u/demo.log');
    expect(await demo.untilSaid(/Log: \S+/)).toBe(`Log: ${log}`);
    const statement = await demo.untilSaid(/http:\S+\/statements\/\S+/);
    expect((await fetch(statement)).status).toBe(200);
    const mail = await demo.untilSaid(/(?<=mail +)http:\S+/);
    expect(await (await fetch(mail)).text()).toContain('Mail of the demo');
    const status = await ask('status', '--json');
    expect(status.exitCode, status.stderr).toBe(0);
    expect(status.json()).toMatchObject({ asOf: expect.stringMatching(/^2026-10-02T/) });
    expect(existsSync(path.join(directory, 'postgres'))).toBe(false);
    const { budgets } = (await ask('budgets', '--json')).json() as {
      budgets: { name: string; standing: object | null }[];
    };
    expect(budgets.map(({ name }) => name).sort()).toEqual([
      'Internal experimentation',
      'Northwind, each month',
      'Thread summaries of an active user',
    ]);
    expect(budgets.every(({ standing }) => standing !== null)).toBe(true);
    const preview = await ask('preview', 'fabrikam');
    expect(preview.stdout).toContain('Stripe: as of 2026-10-02T');
    demo.child.kill('SIGKILL');
    await demo.done;
    const after = await ask('status');
    expect(after.stdout).toContain('This installation is new');
    expect(after.stdout).toContain('demo-14-4d-4c-10u');
    // The next start ends the server that the killed one left behind.
    expect((await ask(...SMALL, '--seed', '14')).exitCode).toBe(0);
    expect(findOrphans()).toEqual([]);
  });

  test('wrong numbers are refused with the option named', async () => {
    const result = await runCommand(['demo', '--once', '--days', '0'], environment());
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/VALIDATION: --days: must be a whole number from 1 to 400/);
  });
});
