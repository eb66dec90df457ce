import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { MonthsReport } from '../../sandbox/demo/months/report.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { type CommandResult, runCommand, startCommand } from './command.ts';

/** Small ones: `.ci/run` plays the half year with 50 customers. */
const months = (monthCount: number, customerCount: number, userCount = customerCount + 2) => [
  ...['demo', '--once', '--json', '--months', String(monthCount)],
  ...['--customers', String(customerCount), '--users', String(userCount)],
];
let directory: string;
const environment = () => ({ TALLYSTICK_DATA_DIR: directory });
const reportOf = (result: CommandResult) => result.json() as unknown as MonthsReport;

beforeAll(() => {
  directory = makeTemporaryDirectory('months');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('unattended months', () => {
  test('close every invoice in time with a clean certificate, through outages of all three systems', async () => {
    // The smallest that once failed: a close that the outage of Stripe held was not taken up again.
    const result = await runCommand(months(2, 10, 60), environment());
    const report = reportOf(result);
    expect(report.problems, result.stderr).toEqual([]);
    expect(result.exitCode, result.stderr).toBe(0);
    // Two months of traffic, and the one on whose invoices the last late usage is.
    expect(report.months.map(({ month }) => month)).toEqual(['2027-12', '2028-01', '2028-02']);
    for (const month of report.months) {
      expect(month).toMatchObject({ invoiceCount: 10, inTimeCount: 10, cleanCount: 10, openCount: 0 });
      // The hold is over a day after the period.
      expect(month.longestMinutes).toBeLessThan(24 * 60);
      expect(month.longestMinutes).toBeGreaterThan(2 * 60);
    }
    expect(report.outages.map(({ system }) => system)).toEqual(['azure', 'openMeter', 'stripe']);
    for (const outage of report.outages) expect(outage.failedRuns).toBeGreaterThan(0);
    expect(BigInt(report.billedLateTokens)).toBeGreaterThan(0n);
    expect(report).toMatchObject({ dueTokens: '0', driftTokens: '0', meteredTokens: report.sourceTokens });
    const billed = BigInt(report.billedTokens) + BigInt(report.billedLateTokens);
    expect(billed + BigInt(report.quarantinedTokens)).toBe(BigInt(report.sourceTokens));
  });

  test('killed in the middle of a close, end alike', async () => {
    const running = startCommand(months(1, 4), environment());
    onTestFinished(() => void running.child.kill('SIGKILL'));
    await running.untilSaid(/2028-01/);
    running.child.kill('SIGKILL');
    expect((await running.done).signal).toBe('SIGKILL');
    const resumed = await runCommand(months(1, 4), environment());
    expect(reportOf(resumed).problems, resumed.stderr).toEqual([]);
    expect(resumed.exitCode, resumed.stderr).toBe(0);
  });

  test('refuse a count of months that is none, with the option named', async () => {
    const result = await runCommand(['demo', '--once', '--months', '0'], environment());
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/VALIDATION: --months: must be a whole number from 1 to 24/);
  });
});
