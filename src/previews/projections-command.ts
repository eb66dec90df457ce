import type { Command } from 'commander';
import { formatDecimal } from '../../pricing/money.ts';
import { type Calibration, isCalibrated } from '../../pricing/previews/calibration.ts';
import { ValidationError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../platform/terminal/output.ts';
import { type Backtest, backtestProjections } from './backtest.ts';

/** Of fewer projections chance says more than they do. */
const LEAST_CASES = 30;
const MOST_MONTHS = 24;

export function addProjectionsCommand(program: Command, frame: CommandFrame): void {
  const projections = program
    .command('projections')
    .description('how the projected ends of periods mean what they say');
  projections
    .command('backtest')
    .description('months that are over, projected again from what was used until then, and what came of it')
    .option('--months <count>', `so many months that are over, at most ${MOST_MONTHS}`, '3')
    .option('--customer <customer>', 'of this customer only')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
A line is a model and a token type; totals are a customer's tokens. Kept means: what was expected to come within 5 % of
what came, 40 to 60 of 100 above p50, 75 to 85 from p10 to p90. A customer of a few weeks has too little history.

  tallystick projections backtest --months 6`,
    )
    .action((options: { months: string; customer?: string; json?: boolean }) =>
      frame.withStores(async ({ stores, clock }) => {
        const backtest = await backtestProjections(stores.database, {
          now: clock.now(),
          monthCount: readMonthCount(options.months),
          customerId: options.customer,
        });
        print(options.json === true, toBody(backtest), () => renderBacktest(backtest));
      }),
    );
}

function readMonthCount(text: string): number {
  const count = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MOST_MONTHS) {
    throw new ValidationError('--months', `must be a number from 1 to ${MOST_MONTHS}`);
  }
  return count;
}

function toBody({ months, customerCount, rows }: Backtest) {
  return {
    months: months.map(({ start }) => start.toISOString().slice(0, 7)),
    customerCount,
    rows: rows.map(({ atDay, lines, totals, refusedCount }) => ({
      atDay,
      lines: showCalibration(lines),
      totals: showCalibration(totals),
      refusedCount,
    })),
  };
}

function showCalibration(calibration: Calibration) {
  const percent = (permille: bigint | null) => (permille === null ? null : formatDecimal(permille, 1));
  return {
    caseCount: calibration.caseCount,
    biasPercent: percent(calibration.biasPermille),
    abovePercent: percent(calibration.abovePermille),
    heldPercent: percent(calibration.heldPermille),
    verdict: verdictOf(calibration),
  };
}

function verdictOf(calibration: Calibration): 'kept' | 'not_kept' | 'too_few_cases' {
  if (calibration.caseCount < LEAST_CASES) return 'too_few_cases';
  return isCalibrated(calibration) ? 'kept' : 'not_kept';
}

function renderBacktest(backtest: Backtest): string {
  const { months, customerCount, rows } = toBody(backtest);
  const cells = (shown: ReturnType<typeof showCalibration>) => [
    groupDigits(shown.caseCount),
    ...[shown.biasPercent, shown.abovePercent, shown.heldPercent].map((percent) => percent ?? '-'),
    shown.verdict.replaceAll('_', ' '),
  ];
  return [
    renderTable(
      ['day', 'of', 'cases', 'bias %', 'above p50 %', 'p10 to p90 %', ''],
      rows.flatMap(({ atDay, lines, totals }) => [
        [String(atDay), 'lines', ...cells(lines)],
        ['', 'totals', ...cells(totals)],
      ]),
      [0, 2, 3, 4, 5],
    ),
    `${months[0]} to ${months.at(-1)}, ${groupDigits(customerCount)} customers with usage; not projected for too little history: ${rows.map(({ atDay, refusedCount }) => `${refusedCount} at day ${atDay}`).join(', ')}`,
  ].join('\n');
}
