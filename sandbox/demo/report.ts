import Table from 'cli-table3';
import type { CloseTotals } from '../../src/closing/totals.ts';
import type { TokenTotals } from '../../src/status/totals.ts';
import type { SandboxTotals } from '../control.ts';
import type { DemoSettings } from './settings.ts';

/** The demo's result, as `--json` prints it on the last line. Token counts are decimal text. */
export interface DemoReport {
  seed: number;
  days: number;
  customers: number;
  subjects: number;
  sourceTokens: string;
  meteredTokens: string;
  billedTokens: string;
  dueTokens: string;
  quarantinedTokens: string;
  writtenOffTokens: string;
  /** On later invoices as items, less what credit notes gave back. */
  lateTokens: string;
  driftTokens: string;
  closes: { closed: number; certificates: number; driftTokens: string };
  invoices: {
    customer: string;
    period: { start: string; end: string };
    currency: string;
    total: string;
    lines: { description: string; quantity: string; amount: string }[];
  }[];
  seconds: number;
}

/** Source, metered and billed come from the stand-ins' own counts; only due and quarantined from the ledger. */
export function buildReport(
  settings: DemoSettings,
  sandbox: SandboxTotals,
  ledger: TokenTotals,
  closes: CloseTotals,
  seconds: number,
): DemoReport {
  const driftTokens =
    BigInt(sandbox.sourceTokens) -
    BigInt(sandbox.billedTokens) -
    ledger.lateBilledTokenCount -
    ledger.dueTokenCount -
    ledger.quarantinedTokenCount -
    ledger.writtenOffTokenCount;
  return {
    seed: settings.seed,
    days: settings.dayCount,
    customers: settings.customerCount,
    subjects: sandbox.customers.reduce((sum, customer) => sum + customer.subjectCount, 0),
    sourceTokens: sandbox.sourceTokens,
    meteredTokens: sandbox.meteredTokens,
    billedTokens: sandbox.billedTokens,
    dueTokens: String(ledger.dueTokenCount),
    quarantinedTokens: String(ledger.quarantinedTokenCount),
    writtenOffTokens: String(ledger.writtenOffTokenCount),
    lateTokens: String(ledger.lateBilledTokenCount),
    driftTokens: String(driftTokens),
    closes: {
      closed: Number(closes.states.find(({ state }) => state === 'finalized')?.count ?? 0n),
      certificates: Number(closes.certificateCount),
      driftTokens: String(closes.driftTokenCount),
    },
    invoices: sandbox.invoices
      .filter((invoice) => invoice.status !== 'draft')
      .map(({ customer, period, currency, total, lines }) => ({ customer, period, currency, total, lines })),
    seconds: Math.round(seconds * 10) / 10,
  };
}

const number = (text: string | bigint) => BigInt(text).toLocaleString('en');

/** The table per customer, and the balance below it. */
export function renderReport(report: DemoReport, sandbox: SandboxTotals, ledger: TokenTotals): string {
  const table = new Table({
    head: ['customer', 'users', 'source tokens', 'metered', 'billed', 'invoiced'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const customer of sandbox.customers) {
    const invoices = report.invoices.filter((invoice) => invoice.customer === customer.customer);
    table.push([
      customer.name,
      customer.subjectCount,
      number(customer.sourceTokens),
      number(customer.meteredTokens),
      number(customer.billedTokens),
      invoices.map((invoice) => `${invoice.total} ${invoice.currency.toUpperCase()}`).join(' + '),
    ]);
  }
  table.push([
    '(no customer)',
    '',
    number(sandbox.unmapped.sourceTokens),
    number(sandbox.unmapped.meteredTokens),
    '',
    '',
  ]);
  table.push([
    'total',
    report.subjects,
    number(report.sourceTokens),
    number(report.meteredTokens),
    number(report.billedTokens),
    '',
  ]);
  const reasons = Object.entries(ledger.quarantinedByReason).map(
    ([reason, count]) => `${reason} ${number(count)}`,
  );
  return [
    table.toString(),
    '',
    `source       ${number(report.sourceTokens).padStart(16)}  counted by the traffic generator`,
    `metered      ${number(report.meteredTokens).padStart(16)}  counted by the OpenMeter stand-in`,
    `billed       ${number(report.billedTokens).padStart(16)}  counted by the Stripe stand-in`,
    `due          ${number(report.dueTokens).padStart(16)}  on its way, says the ledger`,
    `quarantined  ${number(report.quarantinedTokens).padStart(16)}  ${reasons.join(', ') || 'nothing'}`,
    ...(report.writtenOffTokens === '0'
      ? []
      : [
          `written off  ${number(report.writtenOffTokens).padStart(16)}  given up by a person, see the audit log`,
        ]),
    ...(report.lateTokens === '0'
      ? []
      : [`billed late  ${number(report.lateTokens).padStart(16)}  as items of later invoices, less credits`]),
    `drift        ${number(report.driftTokens).padStart(16)}  source - billed - due - quarantined - written off: ${report.driftTokens === '0' ? 'the halves match' : 'THE HALVES DO NOT MATCH'}`,
    `closes       ${report.closes.closed} invoices closed, ${report.closes.certificates} certificates, drift ${number(report.closes.driftTokens)}`,
  ].join('\n');
}
