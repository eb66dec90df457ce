import type { Command } from 'commander';
import type { CloseUnknownMetric } from '../../pricing/closing/certificate.ts';
import { sayAsked } from '../billing/second-person/terminal.ts';
import { type CommandFrame, isNarrowed, toQuery } from '../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../platform/terminal/output.ts';

interface ShownClose {
  invoiceId: string;
  customerId: string;
  period: { start: string; end: string };
  state: string;
  stateAt: string;
  deadline: string | null;
  total: string | null;
  currency: string;
  difference: { kind: string; subject: string; expected: string; found: string }[] | null;
  lastError: string | null;
}
interface ShownCredit {
  id: string;
  customerId: string;
  invoiceId: string;
  productName: string;
  tokenCount: string;
  amount: string;
  currency: string;
  state: string;
  cause: string;
  lastError: string | null;
}
interface ShownCertificate {
  sha256: string;
  isSound: boolean;
  driftTokenCount: string;
}
interface ShownProof {
  verdict: 'intact' | 'altered' | 'dropped';
  certifiedWindowCount: string;
  provenWindowCount: string;
}

/** `tallystick closes` and `tallystick credits`. */
export function addClosesCommand(program: Command, frame: CommandFrame): void {
  const closes = program
    .command('closes')
    .description('invoices whose period is being closed, or was; release one, or verify its certificate');
  closes
    .command('list', { isDefault: true })
    .description('the latest period first')
    .option('--period <month>', 'periods that end in this month, e.g. 2026-10')
    .option('--customer <id>', 'only this customer')
    .option('--state <state>', 'e.g. held')
    .option('--limit <count>', 'most to list', '100')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['period', 'state', 'limit', 'cursor', ['customer', 'customerId']]);
        const answer = await ask<{ closes: ShownClose[]; nextCursor: string | null }>(
          'GET',
          `/v1/closes?${query}`,
        );
        print(options.json === true, answer, () =>
          renderCloses(answer.closes, answer.nextCursor, isNarrowed(query)),
        );
      }),
    );
  closes
    .command('show <invoice>')
    .description('steps, and what differs')
    .option('--json', 'print as JSON')
    .action((invoice: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answer = await ask<{
          close: ShownClose;
          steps: { state: string; at: string; note: string | null }[];
          comparison: { unknownMetrics?: CloseUnknownMetric[] } | null;
        }>('GET', `/v1/closes/${encodeURIComponent(invoice)}`);
        print(options.json === true, answer, () =>
          renderClose(answer.close, answer.steps, answer.comparison?.unknownMetrics ?? []),
        );
      }),
    );
  closes
    .command('verify <invoice>')
    .description(
      'compute the hashes of a certificate and its windows again; exit status 1 when one is another',
    )
    .option('--json', 'print as JSON')
    .action((invoice: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const path = `/v1/closes/${encodeURIComponent(invoice)}`;
        const certificate = await ask<ShownCertificate>('GET', `${path}/certificate`);
        const windows = await ask<ShownProof>('GET', `${path}/windows/proof`);
        if (!certificate.isSound || windows.verdict === 'altered') process.exitCode = 1;
        print(options.json === true, { ...certificate, windows }, () => renderProof(certificate, windows));
      }),
    );
  closes
    .command('release <invoice>')
    .description('let a held invoice go in spite of what differs')
    .requiredOption('--reason <text>', 'why; kept in the certificate and the audit log')
    .option('--json', 'print as JSON')
    .action((invoice: string, options: { reason: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const { reason } = options;
        const answer = await ask<{ close: ShownClose }>(
          'POST',
          `/v1/closes/${encodeURIComponent(invoice)}/release`,
          { reason },
        );
        print(
          options.json === true,
          answer,
          () => sayAsked(answer) ?? `${invoice} is released; the jobs finalize it.`,
        );
      }),
    );

  const credits = program
    .command('credits')
    .description('invoices that billed more than was used: approve or reject giving it back');
  credits
    .command('list', { isDefault: true })
    .description('the oldest first')
    .option('--state <state>', 'proposed, approved, created or rejected')
    .option('--customer <id>', 'only this customer')
    .option('--limit <count>', 'most to list', '100')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['state', 'limit', ['customer', 'customerId']]);
        const answer = await ask<{ creditProposals: ShownCredit[] }>('GET', `/v1/credit-proposals?${query}`);
        print(options.json === true, answer, () => renderCredits(answer.creditProposals, isNarrowed(query)));
      }),
    );
  for (const [name, act, said] of [
    ['approve', 'approve', 'the jobs create the credit note'],
    ['reject', 'reject', 'nothing is given back'],
  ] as const) {
    const command = credits.command(`${name} <id>`).option('--json', 'print as JSON');
    if (name === 'reject') command.requiredOption('--reason <text>', 'why nothing is given back');
    else {
      command
        .option('--reason <text>', 'why')
        .option(
          '--paid-part <where>',
          'where what was paid goes: customer_balance, refund or outside_stripe',
        );
    }
    command.action((id: string, options: { reason?: string; paidPart?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const { reason, paidPart } = options;
        const body = {
          ...(reason === undefined ? {} : { reason }),
          ...(paidPart === undefined ? {} : { paidPart }),
        };
        const route = `/v1/credit-proposals/${encodeURIComponent(id)}/${act}`;
        const answer = await ask<ShownCredit>('POST', route, body);
        print(options.json === true, answer, () => sayAsked(answer) ?? `Credit ${id}: ${said}.`);
      }),
    );
  }
}

function renderCloses(closes: readonly ShownClose[], nextCursor: string | null, isInPart: boolean): string {
  if (closes.length === 0) return isInPart ? 'No close matches.' : 'No period was closed yet.';
  const table = renderTable(
    ['invoice', 'customer', 'period', 'state', 'since', 'total'],
    closes.map((close) => [
      close.invoiceId,
      close.customerId,
      `${close.period.start.slice(0, 10)} - ${close.period.end.slice(0, 10)}`,
      close.state,
      close.stateAt.slice(0, 16),
      close.total === null ? '' : `${close.total} ${close.currency.toUpperCase()}`,
    ]),
    [5],
  );
  return nextCursor === null ? table : `${table}\nMore: --cursor ${nextCursor}`;
}

function renderClose(
  close: ShownClose,
  steps: readonly { state: string; at: string; note: string | null }[],
  unknownMetrics: readonly CloseUnknownMetric[],
): string {
  const differences = (close.difference ?? []).map(
    (one) => `differs: ${one.kind} of ${one.subject} is ${one.found}, expected ${one.expected}`,
  );
  return [
    `${close.invoiceId}  ${close.customerId}  ${close.state}`,
    ...(close.deadline === null ? [] : [`Stripe finalizes it at ${close.deadline} if nobody does`]),
    ...(close.lastError === null ? [] : [`last met: ${close.lastError}`]),
    ...differences,
    ...unknownMetrics.map(
      ({ metricName, tokenCount, rowCount }) =>
        `waits: ${metricName}, ${groupDigits(tokenCount)} tokens in ${groupDigits(rowCount)} rows of a metric that nobody knows`,
    ),
    renderTable(
      ['step', 'at', 'note'],
      steps.map((step) => [step.state, step.at, step.note ?? '']),
    ),
  ].join('\n');
}

function renderProof(certificate: ShownCertificate, windows: ShownProof): string {
  const { sha256, isSound, driftTokenCount } = certificate;
  const { verdict, certifiedWindowCount, provenWindowCount } = windows;
  return [
    isSound
      ? `${sha256}  the certificate is what was written, drift ${groupDigits(driftTokenCount)} tokens`
      : `THE CERTIFICATE IS NOT WHAT WAS WRITTEN: its content does not have the hash ${sha256}`,
    {
      intact: `${provenWindowCount} windows of the source are what was certified`,
      altered: 'THE WINDOWS OF THE SOURCE ARE NOT WHAT WAS CERTIFIED',
      dropped: `${provenWindowCount} of ${certifiedWindowCount} windows of the source are kept and proven; the others were older than the retention`,
    }[verdict],
  ].join('\n');
}

function renderCredits(credits: readonly ShownCredit[], isInPart: boolean): string {
  if (credits.length === 0) return isInPart ? 'No credit matches.' : 'Nothing is to be given back.';
  return renderTable(
    ['id', 'customer', 'invoice', 'product', 'tokens', 'amount', 'state', 'cause', 'note'],
    credits.map((credit) => [
      credit.id,
      credit.customerId,
      credit.invoiceId,
      credit.productName,
      groupDigits(credit.tokenCount),
      `${credit.amount} ${credit.currency.toUpperCase()}`,
      credit.state,
      credit.cause,
      credit.lastError ?? '',
    ]),
    [4, 5],
  );
}
