import { formatMinor, groupDigits, minorUnitDigits, parseDecimal } from '../../pricing/money.ts';
import type { CloseTotals } from '../../src/closing/totals.ts';
import { renderTable } from '../../src/platform/terminal/output.ts';
import type { TokenTotals } from '../../src/status/totals.ts';
import type { SandboxTotals } from '../control.ts';
import type { DemoSettings } from './settings.ts';
import { paintsFor } from './terminal-text.ts';

/** The demo's result, as `--json` prints it on the last line. Token counts are decimal text. */
export interface DemoReport {
  seed: number;
  days: number;
  customers: number;
  subjects: number;
  sourceTokens: string;
  meteredTokens: string;
  /** On Stripe's meters, whatever became of it. */
  deliveredTokens: string;
  /** On final invoices, less what credit notes gave back. */
  invoicedTokens: string;
  /** Delivered, and its invoice is a draft or yet to come. */
  awaitingInvoiceTokens: string;
  dueTokens: string;
  quarantinedTokens: string;
  uninvoicedTokens: string;
  writtenOffTokens: string;
  driftTokens: string;
  closes: { closed: number; certificates: number; driftTokens: string };
  invoices: {
    customer: string;
    period: { start: string; end: string };
    currency: string;
    total: string;
    lines: { description: string; quantity: string; amount: string }[];
  }[];
  /** Calls of the house's experiments that the gateway let through, and stopped; null: nobody experiments. */
  experiments: { passedCallCount: number; stoppedCallCount: number } | null;
  /** What of the story came out otherwise; empty is well. */
  problems: string[];
  seconds: number;
}

/** Source, metered, delivered and invoiced come from the stand-ins' own counts; what waits comes from the ledger. */
export function buildReport(
  settings: DemoSettings,
  sandbox: SandboxTotals,
  ledger: TokenTotals,
  closes: CloseTotals,
  story: Pick<DemoReport, 'experiments' | 'problems' | 'seconds'>,
): DemoReport {
  const driftTokens =
    BigInt(sandbox.sourceTokens) -
    BigInt(sandbox.invoicedTokens) -
    ledger.awaitingInvoiceTokenCount -
    ledger.dueTokenCount -
    ledger.quarantinedTokenCount -
    ledger.uninvoicedTokenCount -
    ledger.writtenOffTokenCount +
    // What Stripe took and lost is awaited in vain.
    (ledger.deliveredTokenCount - BigInt(sandbox.billedTokens));
  return {
    seed: settings.seed,
    days: settings.dayCount,
    customers: settings.customerCount,
    subjects: sandbox.customers.reduce((sum, customer) => sum + customer.subjectCount, 0),
    sourceTokens: sandbox.sourceTokens,
    meteredTokens: sandbox.meteredTokens,
    deliveredTokens: sandbox.billedTokens,
    invoicedTokens: sandbox.invoicedTokens,
    awaitingInvoiceTokens: String(ledger.awaitingInvoiceTokenCount),
    dueTokens: String(ledger.dueTokenCount),
    quarantinedTokens: String(ledger.quarantinedTokenCount),
    uninvoicedTokens: String(ledger.uninvoicedTokenCount),
    writtenOffTokens: String(ledger.writtenOffTokenCount),
    driftTokens: String(driftTokens),
    closes: {
      closed: Number(closes.states.find(({ state }) => state === 'finalized')?.count ?? 0n),
      certificates: Number(closes.certificateCount),
      driftTokens: String(closes.driftTokenCount),
    },
    invoices: sandbox.invoices
      .filter((invoice) => invoice.status !== 'draft')
      .map(({ customer, period, currency, total, lines }) => ({ customer, period, currency, total, lines })),
    ...story,
    seconds: Math.round(story.seconds * 10) / 10,
  };
}

const number = (text: string | bigint) => BigInt(text).toLocaleString('en');

/** Final invoices of one customer in each of their currencies. */
function sumInvoices(invoices: DemoReport['invoices']): string {
  const sums = [...Map.groupBy(invoices, ({ currency }) => currency)].map(([currency, ofCurrency]) => {
    const digits = minorUnitDigits(currency);
    const sum = ofCurrency.reduce((total, invoice) => total + parseDecimal(invoice.total, digits), 0n);
    return `${groupDigits(formatMinor(sum, currency))} ${currency.toUpperCase()}`;
  });
  return sums.join(' + ');
}

/** The table per customer, and the balance below it. */
export function renderReport(report: DemoReport, sandbox: SandboxTotals, ledger: TokenTotals): string {
  const { alarm } = paintsFor(process.stdout);
  const isEqual = [...sandbox.customers, sandbox.unmapped].every(
    ({ meteredTokens, sourceTokens }) => meteredTokens === sourceTokens,
  );
  // What is said of every customer needs no column.
  const shown = (cells: (string | number)[]) => (isEqual ? cells.toSpliced(3, 1) : cells);
  const rows = [
    ...sandbox.customers.map((customer) => [
      customer.name,
      customer.subjectCount,
      number(customer.sourceTokens),
      number(customer.meteredTokens),
      number(customer.billedTokens),
      sumInvoices(report.invoices.filter((invoice) => invoice.customer === customer.customer)),
    ]),
    [
      '(no customer)',
      '',
      number(sandbox.unmapped.sourceTokens),
      number(sandbox.unmapped.meteredTokens),
      '',
      '',
    ],
    [
      'total',
      report.subjects,
      number(report.sourceTokens),
      number(report.meteredTokens),
      number(report.deliveredTokens),
      '',
    ],
  ];
  const table = renderTable(
    shown(['customer', 'users', 'source tokens', 'metered', 'delivered', 'invoiced']) as string[],
    rows.map(shown),
    isEqual ? [1, 2, 3, 4] : [1, 2, 3, 4, 5],
  );
  const reasons = Object.entries(ledger.quarantinedByReason).map(
    ([reason, count]) => `${reason} ${number(count)}`,
  );
  return [
    table,
    ...(isEqual ? ['OpenMeter metered of each customer what its source has.'] : []),
    '',
    `source       ${number(report.sourceTokens).padStart(16)}  counted by the traffic generator`,
    `metered      ${number(report.meteredTokens).padStart(16)}  counted by the OpenMeter stand-in`,
    `delivered    ${number(report.deliveredTokens).padStart(16)}  on meters, counted by the Stripe stand-in`,
    `invoiced     ${number(report.invoicedTokens).padStart(16)}  on final invoices, counted by the Stripe stand-in`,
    `awaiting     ${number(report.awaitingInvoiceTokens).padStart(16)}  delivered, and its invoice is yet to come`,
    `due          ${number(report.dueTokens).padStart(16)}  on its way, says the ledger`,
    `quarantined  ${number(report.quarantinedTokens).padStart(16)}  ${reasons.join(', ') || 'nothing'}`,
    ...(report.uninvoicedTokens === '0'
      ? []
      : [
          `uninvoiced   ${number(report.uninvoicedTokens).padStart(16)}  ${Object.keys(ledger.uninvoicedByReason).join(', ')}`,
        ]),
    ...(report.writtenOffTokens === '0'
      ? []
      : [
          `written off  ${number(report.writtenOffTokens).padStart(16)}  given up by a person, see the audit log`,
        ]),
    `drift        ${number(report.driftTokens).padStart(16)}  of the source is in none of these: ${report.driftTokens === '0' ? 'the halves match' : alarm('THE HALVES DO NOT MATCH')}`,
    `closes       ${report.closes.closed} invoices closed, ${report.closes.certificates} certificates, drift ${number(report.closes.driftTokens)}`,
    ...report.problems.map((problem) => `story        ${alarm(problem)}`),
  ].join('\n');
}
