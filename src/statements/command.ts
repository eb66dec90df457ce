import type { Command } from 'commander';
import { ValidationError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { groupDigits, print, printCsv, renderTable, SEPARATOR_OPTION } from '../platform/terminal/output.ts';
import { statementTable } from './csv.ts';
import { lineCount, linePrice } from './page/line-words.ts';
import type { StatementBody, StatementPreviewBody } from './schemas.ts';

interface StatementOptions {
  csv?: boolean;
  separator?: string;
  json?: boolean;
  link?: boolean;
  validDays?: string;
  soFar?: boolean;
}

export function addStatementCommand(program: Command, frame: CommandFrame): void {
  program
    .command('statement <invoice>')
    .description("an invoice's usage as its customer reads it: by day, model, feature and user")
    .option('--so-far', "instead: a customer's next invoices as they would be now; names the customer")
    .option('--csv', 'print as CSV, every user included')
    .option(...SEPARATOR_OPTION)
    .option('--json', 'print as JSON')
    .option('--link', 'print a signed link to its page, for whoever has it')
    .option('--valid-days <days>', 'how long the link lives (120)')
    .addHelpText(
      'after',
      '\n  tallystick statement in_1A2b3C\n  tallystick statement in_1A2b3C --link --valid-days 30\n  tallystick statement northwind --so-far --csv',
    )
    .action((name: string, options: StatementOptions) =>
      frame.askApi(async (ask) => {
        const path = `/v1/statements/${options.soFar === true ? 'preview/' : ''}${encodeURIComponent(name)}`;
        if (options.link === true) {
          const body = options.validDays === undefined ? {} : { validDays: readDays(options.validDays) };
          const link = await ask<{ url: string; expiresAt: string }>('POST', `${path}/links`, body);
          return print(options.json === true, link, () => link.url);
        }
        const answer = await ask<StatementBody | StatementPreviewBody>('GET', path);
        const statements = 'statements' in answer ? answer.statements : [answer];
        if (options.csv === true) return printCsv(statementTable(statements), options);
        print(options.json === true, answer, () =>
          statements.length === 0
            ? `${name} has no active subscription item.`
            : statements.map(renderStatement).join('\n\n'),
        );
      }),
    );
}

function readDays(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new ValidationError('--valid-days', `"${text}" is not a number of days`, 'Write --valid-days 30.');
}

function renderStatement(statement: StatementBody): string {
  const currency = statement.currency.toUpperCase();
  const { totals } = statement;
  const title =
    statement.invoiceId === null
      ? 'so far'
      : `${statement.number ?? statement.invoiceId} (${statement.status})`;
  const table = (head: string, breakdown: StatementBody['byDay']) =>
    renderTable(
      [head, 'tokens', currency],
      [
        ...breakdown.rows.map((row) => [row.name || '(none)', groupDigits(row.tokenCount), row.amount]),
        ...(breakdown.rest === null
          ? []
          : [['not divided', groupDigits(breakdown.rest.tokenCount), breakdown.rest.amount]]),
        ['usage lines', groupDigits(breakdown.total.tokenCount), breakdown.total.amount],
      ],
      [1, 2],
    );
  return [
    `${statement.customerName}, ${title}: ${statement.periodStart} to ${statement.periodEnd}, data as of ${statement.dataAsOf}`,
    renderTable(
      ['line', 'tokens', 'price', currency],
      [
        ...statement.lines.map((line) => [
          line.kind === 'late' ? `${line.name} (late)` : line.name,
          lineCount(line),
          line.isIncluded ? 'included' : linePrice(line, statement.currency),
          line.amount ?? 'not known yet',
        ]),
        ['discounts, credits, taxes', '', '', totals.adjustmentAmount ?? 'not known yet'],
        ['total', groupDigits(totals.usageTokenCount), '', totals.amount ?? 'not known yet'],
      ],
      [1, 2, 3],
    ),
    table('model', statement.byModel),
    table('feature', statement.byFeature),
    table('day', statement.byDay),
    table('user', statement.byUser),
    ...(statement.certificate === null ? [] : [`certificate ${statement.certificate.sha256}`]),
  ].join('\n');
}
