import Table from 'cli-table3';
import { HELD_REASONS } from '../../../pricing/usage/minutes.ts';
import type { ClosedMonth } from '../../../src/closing/months.ts';
import type { TokenTotals } from '../../../src/status/totals.ts';
import type { SandboxTotals } from '../../control.ts';
import type { SystemName } from '../../fault-switches.ts';
import type { DemoSettings } from '../settings.ts';
import type { Outage } from './calendar.ts';
import type { MonthsOutcome } from './drive.ts';

/** The result of unattended months, as `--json` prints it on the last line. Token counts are decimal text. */
export interface MonthsReport {
  seed: number;
  months: (Omit<ClosedMonth, 'lateTokenCount'> & { lateTokens: string; invoicedTotals: string })[];
  customers: number;
  invoices: number;
  sourceTokens: string;
  meteredTokens: string;
  /** On the lines of meters, by the Stripe stand-in's own count. */
  billedTokens: string;
  /** As items on the invoice after the one it missed. */
  billedLateTokens: string;
  dueTokens: string;
  quarantinedTokens: string;
  driftTokens: string;
  outages: { system: SystemName; from: string; to: string; failedRuns: number }[];
  /** Everything that is not as it should be; empty: all is well. */
  problems: string[];
  seconds: number;
}

export interface MonthsFindings {
  settings: DemoSettings;
  months: readonly ClosedMonth[];
  sandbox: SandboxTotals;
  ledger: TokenTotals;
  outcome: MonthsOutcome;
  outages: readonly Outage[];
  seconds: number;
}

/** Source, metered and billed are counted by the stand-ins; closes, late, due and quarantined by the ledger. */
export function buildMonthsReport(findings: MonthsFindings): MonthsReport {
  const { settings, sandbox, ledger, outcome } = findings;
  const billedLate = findings.months.reduce((sum, month) => sum + month.lateTokenCount, 0n);
  const drift =
    BigInt(sandbox.sourceTokens) -
    BigInt(sandbox.invoicedTokens) -
    ledger.awaitingInvoiceTokenCount -
    ledger.dueTokenCount -
    ledger.quarantinedTokenCount -
    ledger.uninvoicedTokenCount -
    ledger.writtenOffTokenCount;
  return {
    seed: settings.seed,
    months: findings.months.map(({ lateTokenCount, ...month }) => ({
      ...month,
      lateTokens: String(lateTokenCount),
      invoicedTotals: sumInvoices(sandbox, month.month),
    })),
    customers: settings.customerCount,
    invoices: sandbox.invoices.filter(({ status }) => status !== 'draft').length,
    sourceTokens: sandbox.sourceTokens,
    meteredTokens: sandbox.meteredTokens,
    billedTokens: sandbox.billedTokens,
    billedLateTokens: String(billedLate),
    dueTokens: String(ledger.dueTokenCount),
    quarantinedTokens: String(ledger.quarantinedTokenCount),
    driftTokens: String(drift),
    outages: findings.outages.map(({ system, startMs, endMs }) => ({
      system,
      from: new Date(startMs).toISOString(),
      to: new Date(endMs).toISOString(),
      failedRuns: outcome.failedRuns[system],
    })),
    problems: findProblems(findings, drift),
    seconds: Math.round(findings.seconds * 10) / 10,
  };
}

function findProblems(findings: MonthsFindings, drift: bigint): string[] {
  const { settings, months, sandbox, ledger } = findings;
  const problems: string[] = [];
  const expect = (what: string, found: bigint | number, wanted: bigint | number) => {
    if (found !== wanted) problems.push(`${what}: ${found}, expected ${wanted}`);
  };
  expect('months closed', months.length, (settings.monthCount ?? 0) + 1);
  for (const month of months) {
    const name = month.month;
    expect(`${name}: invoices`, month.invoiceCount, settings.customerCount);
    expect(`${name}: finalized by us and in time`, month.inTimeCount, month.invoiceCount);
    expect(`${name}: clean certificates`, month.cleanCount, month.invoiceCount);
    expect(`${name}: released by a person`, month.releasedCount, 0);
    expect(`${name}: late items that are misplaced`, month.misplacedLateItemCount, 0);
  }
  // A minute of which a row is still to come is not metered yet: it waits whole.
  const held = HELD_REASONS.reduce((sum, reason) => sum + (ledger.quarantinedByReason[reason] ?? 0n), 0n);
  expect('tokens metered', BigInt(sandbox.meteredTokens) + held, BigInt(sandbox.sourceTokens));
  expect('tokens due', ledger.dueTokenCount, 0n);
  expect('tokens neither billed nor accounted for', drift, 0n);
  expect('drafts left', sandbox.invoices.filter(({ status }) => status === 'draft').length, 0);
  if (!months.some((month) => month.lateItemCount > 0)) problems.push('nothing came late');
  for (const { system, startMs } of findings.outages) {
    const wasSeen = startMs >= findings.outcome.startMs;
    if (wasSeen && findings.outcome.failedRuns[system] === 0)
      problems.push(`nothing noticed the outage of ${system}`);
  }
  return problems;
}

/** Sums of the invoices whose period ended in a month, by currency. */
function sumInvoices(sandbox: SandboxTotals, month: string): string {
  const sums = new Map<string, bigint>();
  for (const { period, currency, total, status } of sandbox.invoices) {
    if (status === 'draft' || !period.end.startsWith(month)) continue;
    sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(total.replace('.', '')));
  }
  return [...sums]
    .sort(([one], [other]) => (one < other ? 1 : -1))
    .map(
      ([currency, cents]) =>
        `${cents / 100n}.${String(cents % 100n).padStart(2, '0')} ${currency.toUpperCase()}`,
    )
    .join(' + ');
}

const number = (text: string | bigint | number) => BigInt(text).toLocaleString('en');

/** The table by month, what was down, and the balance. */
export function renderMonths(report: MonthsReport): string {
  const table = new Table({
    head: [
      'month',
      'invoices',
      'in time',
      'longest',
      'held',
      'clean',
      'late items',
      'late tokens',
      'invoiced',
    ],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const month of report.months) {
    table.push([
      month.month,
      month.invoiceCount,
      month.inTimeCount,
      month.longestMinutes === null ? '' : `${(month.longestMinutes / 60).toFixed(1)} h`,
      month.heldCount,
      month.cleanCount,
      month.lateItemCount,
      number(month.lateTokens),
      month.invoicedTotals,
    ]);
  }
  const down = report.outages.map(
    ({ system, from, to, failedRuns }) =>
      `${system.padEnd(12)} down ${from.slice(0, 16)} to ${to.slice(0, 16)}, ${failedRuns} runs of steps failed`,
  );
  return [
    table.toString(),
    '',
    ...down,
    '',
    `source       ${number(report.sourceTokens).padStart(14)}  counted by the traffic generator`,
    `metered      ${number(report.meteredTokens).padStart(14)}  counted by the OpenMeter stand-in`,
    `billed       ${number(report.billedTokens).padStart(14)}  on meters, counted by the Stripe stand-in`,
    `billed late  ${number(report.billedLateTokens).padStart(14)}  as items on the next invoice`,
    `quarantined  ${number(report.quarantinedTokens).padStart(14)}  of nobody we know`,
    `due          ${number(report.dueTokens).padStart(14)}`,
    '',
    ...(report.problems.length === 0
      ? ['Every invoice was finalized in time with a clean certificate, and nobody did anything.']
      : report.problems.map((problem) => `PROBLEM: ${problem}`)),
  ].join('\n');
}
