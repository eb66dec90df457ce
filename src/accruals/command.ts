import type { Command } from 'commander';
import { type CommandFrame, toQuery } from '../platform/terminal/frame.ts';
import { groupDigits, print, printCsv, renderTable, SEPARATOR_OPTION } from '../platform/terminal/output.ts';
import {
  ACCRUAL_COLUMNS,
  type AccrualRowBody,
  type AccrualsBody,
  type AccrualTotalsBody,
} from './schemas.ts';
import { accrualCells } from './show.ts';

interface AccrualOptions {
  at?: string;
  from?: string;
  customer?: string;
  rows?: boolean;
  json?: boolean;
  csv?: boolean;
  separator?: string;
}

export function addAccrualsCommand(program: Command, frame: CommandFrame): void {
  program
    .command('accruals')
    .description(
      'what was earned and is not yet invoiced, by customer and currency, and what is on which invoice',
    )
    .option('--at <instant>', 'as of this hour; without it up to when all that was collected is settled')
    .option('--from <instant>', 'from when "earned" counts; without it the first of the month that --at ends')
    .option('--customer <customer>', 'of this customer only')
    .option('--rows', 'every row: by invoice, meter, period and reason')
    .option('--json', 'print as JSON')
    .option('--csv', 'print every row as CSV')
    .option(...SEPARATOR_OPTION)
    .addHelpText(
      'after',
      `
Currencies are never added. Fees and top-ups are no usage: they stand apart, under "fixed".

  tallystick accruals --at 2026-12-01
  tallystick accruals --at 2026-12-01 --csv --separator semicolon > november.csv`,
    )
    .action((options: AccrualOptions) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['at', 'from', ['customer', 'customerId']]);
        query.set('limit', '1000');
        const accruals = await ask<AccrualsBody>('GET', `/v1/accruals?${query}`);
        // Every page as of the instant of the first.
        query.set('at', accruals.at);
        query.set('from', accruals.from);
        for (let cursor = accruals.nextCursor; cursor !== null; ) {
          query.set('cursor', cursor);
          const page = await ask<AccrualsBody>('GET', `/v1/accruals?${query}`);
          accruals.customers.push(...page.customers);
          cursor = page.nextCursor;
        }
        const rows = accruals.customers.flatMap((customer) => customer.rows);
        if (options.csv === true) {
          return printCsv({ columns: ACCRUAL_COLUMNS, rows: rows.map(accrualCells) }, options);
        }
        print(options.json === true, { ...accruals, nextCursor: null }, () =>
          [renderTotals(accruals), ...(options.rows === true ? [renderRows(rows)] : [])].join('\n\n'),
        );
      }),
    );
}

function renderTotals({ at, from, openHourCount, customers }: AccrualsBody): string {
  const cells = (customerId: string | null, totals: AccrualTotalsBody) => [
    customerId ?? 'nobody',
    totals.currency?.toUpperCase() ?? '',
    groupDigits(totals.earnedTokenCount),
    totals.earned ?? 'unknown',
    totals.invoiced ?? '',
    totals.fixed ?? '',
    groupDigits(totals.accruedTokenCount),
    totals.accrued ?? 'unknown',
    totals.undecided ?? 'unknown',
    totals.unvaluedPercent ?? '',
    groupDigits(totals.quarantinedTokenCount),
  ];
  const head = [
    'customer',
    'currency',
    'tokens used',
    'earned',
    'invoiced',
    'fixed',
    'tokens accrued',
    'accrued',
    'undecided',
    'without amount %',
    'tokens in quarantine',
  ];
  const open = openHourCount === '0' ? [] : [`${openHourCount} hours before then are not settled yet.`];
  return [
    `used from ${from} to ${at}; accrued: used before then, and on no final invoice then`,
    renderTable(
      head,
      customers.flatMap((customer) => customer.totals.map((totals) => cells(customer.customerId, totals))),
      [2, 3, 4, 5, 6, 7, 8, 9, 10],
    ),
    ...open,
  ].join('\n');
}

function renderRows(rows: readonly AccrualRowBody[]): string {
  return renderTable(
    ['customer', 'place', 'invoice or reason', 'what', 'period from', 'tokens', 'amount', 'of it earned'],
    rows.map((row) => [
      row.customerId ?? 'nobody',
      row.place.replaceAll('_', ' '),
      row.invoiceNumber ?? row.invoiceId ?? row.reason?.replaceAll('_', ' ') ?? '',
      row.description,
      row.periodStart?.slice(0, 16) ?? '',
      groupDigits(row.tokenCount),
      row.amount === null
        ? (row.unvalued?.replaceAll('_', ' ') ?? '')
        : `${row.amount} ${row.currency?.toUpperCase()}`,
      row.earnedAmount ?? '',
    ]),
    [5, 6, 7],
  );
}
