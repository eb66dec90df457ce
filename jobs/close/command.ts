import type { Command } from 'commander';
import { getCustomer } from '../../src/catalog/customers.ts';
import { type CloseRow, type DueDraft, findDueDrafts, listCloses } from '../../src/closing/desk.ts';
import { readMonth, type TimeWindow } from '../../src/platform/clock.ts';
import { ValidationError } from '../../src/platform/errors.ts';
import { print, renderTable } from '../../src/platform/terminal/output.ts';
import type { PipelineFrame } from '../command-frame.ts';
import { runStep } from '../queue/steps.ts';

/** More closes than that are no table any more. */
const LISTED = 1_000;

/** `tallystick close <period>`: says what is to be closed and what it waits for, and takes it on. */
export function addCloseCommand(program: Command, frame: PipelineFrame): void {
  program
    .command('close <period>')
    .description('close the periods that end in a month such as 2026-10, as far as that can be done now')
    .option('--customer <id>', 'only show this customer')
    .option('--dry-run', 'only say what would be closed and what is missing')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
A running service does this by itself, every minute. What is missing is waited for: run it again, or let the service.
Exit status 1 while an invoice is held.

  tallystick close 2026-10 --dry-run`,
    )
    .action((period: string, options: { customer?: string; dryRun?: boolean; json?: boolean }) =>
      frame.withPipeline(async ({ deps }) => {
        const month = monthOf(period);
        if (options.customer !== undefined) await getCustomer(deps.database, options.customer);
        const filter = {
          periodEndsAfter: month.start,
          periodEndsUntil: month.end,
          customerId: options.customer,
        };
        const result = options.dryRun === true ? null : await runStep(deps, 'close-invoices');
        const closes = await listCloses(deps.database, filter, { after: null, limit: LISTED });
        const due = await findDueDrafts(deps.database, { ...filter, now: deps.clock.now() });
        if (closes.some((close) => close.state === 'held')) process.exitCode = 1;
        print(options.json === true, { result, closes, due }, () =>
          render(closes, due, result?.ran === false),
        );
      }),
    );
}

function monthOf(period: string): TimeWindow {
  const month = readMonth(period);
  if (month === null) throw new ValidationError('period', `is no month: "${period}"`, 'Write it as 2026-10.');
  return month;
}

/** What each state waits for, as a person asks. */
const WAITS_FOR: Record<string, string> = {
  found: 'being claimed',
  claimed: 'the source to be collected past the period',
  collected: 'one more look at the source',
  rescanned: 'every hour of the period to be settled',
  settled: 'its last usage to be pushed',
  pushed: 'Stripe to add it up',
  compared: 'being described',
  annotated: 'being finalized',
  released: 'being finalized',
  held: 'a person, or for the difference to go away',
  overtaken: 'being examined: Stripe finalized it',
};

function render(closes: readonly CloseRow[], due: readonly DueDraft[], isElsewhere: boolean): string {
  if (closes.length === 0 && due.length === 0) return 'No invoice of that month is due to be closed.';
  return [
    ...(isElsewhere ? ['A running service is closing; this is what it has done so far.'] : []),
    renderTable(
      ['invoice', 'customer', 'period ends', 'state', 'waits for'],
      [
        ...due.map((draft) => [
          draft.invoiceId,
          draft.customerId,
          draft.periodEnd.toISOString(),
          'draft',
          'being taken up',
        ]),
        ...closes.map((close) => [
          close.invoiceId,
          close.customerId,
          close.periodEnd.toISOString(),
          close.state,
          WAITS_FOR[close.state] ?? '',
        ]),
      ],
    ),
  ].join('\n');
}
