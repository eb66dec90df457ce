import type { Command } from 'commander';
import { askEveryPage, type CommandFrame, toQuery } from '../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../platform/terminal/output.ts';
import type { CostsBody } from './routes.ts';

interface CostOptions {
  from?: string;
  to?: string;
  period?: string;
  groupBy: string;
  customer?: string;
  json?: boolean;
}

/** `tallystick costs`. @returns it, for what others add below it */
export function addCostsCommand(program: Command, frame: CommandFrame): Command {
  const costs = program.command('costs').description('what usage cost us, and what changes really saved');
  costs
    .command('list', { isDefault: true })
    .description('what usage cost us, by day, month, customer, model, feature, deployment or user')
    .option('--from <day>', 'first UTC day, e.g. 2026-11-01')
    .option('--to <day>', 'end, not included')
    .option('--period <month>', 'instead: a calendar month, e.g. 2026-11')
    .option('--group-by <names>', 'some of day,month,customer,model,feature,deployment,user', 'day')
    .option('--customer <customer>', 'of this customer only')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Tokens without a known price have no cost, and say why. Capacity that nobody used is a line of its own.

  tallystick costs --period 2026-11 --group-by customer,feature`,
    )
    .action((options: CostOptions) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['groupBy', 'from', 'to', 'period', ['customer', 'customerId']]);
        query.set('limit', '1000');
        const found = await askEveryPage<CostsBody>(ask, '/v1/costs', query);
        print(options.json === true, found, () => renderCosts(found, options.groupBy.split(',')));
      }),
    );
  return costs;
}

function renderCosts(costs: CostsBody, groupBy: readonly string[]): string {
  const cells = (row: CostsBody['totals'] | CostsBody['rows'][number]) => [
    groupDigits(row.tokenCount),
    // Of tokens that all have no price nobody knows the cost: not zero.
    row.unpricedTokenCount !== '0' && row.unpricedTokenCount === row.tokenCount ? 'unknown' : row.knownCost,
    row.provisionedCost,
    row.unknown.map(({ reason, tokenCount }) => `${reason} ${groupDigits(tokenCount)}`).join(', '),
  ];
  const rows = costs.rows.map((row) => [
    ...groupBy.map((name) =>
      name === 'customer' ? (row.customerId ?? 'nobody') : (row[name as 'model'] ?? ''),
    ),
    ...cells(row),
  ]);
  const labels = ['total', ...groupBy.slice(1).map(() => '')];
  const first = groupBy.length;
  const waiting = costs.dueDayCount === '0' ? [] : [`${costs.dueDayCount} days wait to be rated (again).`];
  return [
    renderTable(
      [...groupBy, 'tokens', 'known cost USD', 'of it capacity', 'cost unknown (tokens)'],
      [...rows, [...labels, ...cells(costs.totals)]],
      [first, first + 1, first + 2],
    ),
    ...costs.overhead.map(
      ({ deployment, cost }) => `overhead: ${cost} USD of ${deployment} that nobody is charged for`,
    ),
    ...waiting,
  ].join('\n');
}
