import { type Command, Option } from 'commander';
import { type CommandFrame, toQuery } from '../../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../../platform/terminal/output.ts';
import { sayAsked } from '../second-person/terminal.ts';

interface Shown {
  id: string;
  customerId: string;
  invoiceId: string | null;
  reason: string;
  period: { start: string; end: string };
  tokenCount: string;
  state: string;
}

/** `tallystick uninvoiced`. */
export function addUninvoicedCommand(program: Command, frame: CommandFrame): void {
  const uninvoiced = program
    .command('uninvoiced')
    .description(
      'usage that was delivered to Stripe and that no invoice has; give it up, or to the next invoice',
    );
  uninvoiced
    .command('list', { isDefault: true })
    .description('the oldest first')
    .option('--state <state>', 'open, due_again, taken_up, written_off or invoiced')
    .option('--reason <reason>', 'e.g. subscription_cancelled')
    .option('--customer <id>', 'only of this customer')
    .option('--invoice <id>', 'only of this invoice')
    .option('--limit <count>', 'most to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, [
          'state',
          'reason',
          'limit',
          'cursor',
          ['customer', 'customerId'],
          ['invoice', 'invoiceId'],
        ]);
        const answer = await ask<{ uninvoiced: Shown[]; nextCursor: string | null }>(
          'GET',
          `/v1/uninvoiced?${query}`,
        );
        print(options.json === true, answer, () => renderList(answer.uninvoiced, answer.nextCursor));
      }),
    );
  for (const [verb, description] of [
    ['write-off', 'give it up for good'],
    ['due-again', "put it on the customer's next invoice, as an item"],
  ] as const) {
    uninvoiced
      .command(`${verb} <id>`)
      .description(description)
      .requiredOption('--reason <text>', 'why; kept with it and in the audit log')
      .option('--json', 'print as JSON')
      .action((id: string, options: { reason: string; json?: boolean }) =>
        frame.askApi(async (ask) => {
          const answer = await ask<Shown>('POST', `/v1/uninvoiced/${encodeURIComponent(id)}/${verb}`, {
            reason: options.reason,
          });
          print(
            options.json === true,
            answer,
            () =>
              sayAsked(answer) ??
              `${groupDigits(answer.tokenCount)} tokens of ${answer.customerId}: ${answer.state}.`,
          );
        }),
      );
  }
  uninvoiced
    .command('invoice <id>')
    .description(
      'say once what becomes of the usage of an invoice that was voided, credited in full or uncollectible',
    )
    .addOption(
      new Option('--choice <choice>', 'billed as it was, another way; on the next invoice; or given up')
        .choices(['invoiced', 'due_again', 'written_off'])
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'why; kept with it and in the audit log')
    .option('--json', 'print as JSON')
    .action((id: string, options: { choice: string; reason: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const { choice, reason } = options;
        const path = `/v1/invoices/${encodeURIComponent(id)}/usage`;
        const answer = await ask<{ invoiceId: string; choice: string }>('POST', path, { choice, reason });
        print(
          options.json === true,
          answer,
          () => sayAsked(answer) ?? `The usage of ${answer.invoiceId} is ${answer.choice}.`,
        );
      }),
    );
}

function renderList(rows: readonly Shown[], nextCursor: string | null): string {
  if (rows.length === 0) return 'Nothing: every delivered token is on an invoice, or waits for one.';
  const table = renderTable(
    ['id', 'customer', 'reason', 'used from', 'until', 'tokens', 'state'],
    rows.map((row) => [
      row.id,
      row.customerId,
      row.reason,
      row.period.start.slice(0, 16),
      row.period.end.slice(0, 16),
      groupDigits(row.tokenCount),
      row.state,
    ]),
    [5],
  );
  return nextCursor === null ? table : `${table}\nmore: --cursor ${nextCursor}`;
}
