import type { Command } from 'commander';
import { askEveryPage, type CommandFrame } from '../../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../../platform/terminal/output.ts';
import type { CoverageBody } from './routes.ts';

export function addCoverageCommand(program: Command, frame: CommandFrame): void {
  program
    .command('coverage')
    .description('what the source that bills and the control saw, by hour and model, and why they differ')
    .requiredOption('--from <instant>', 'first hour, e.g. 2026-11-01 or 2026-11-01T06:00:00Z (UTC)')
    .requiredOption('--to <instant>', 'end, not included; at most 35 days later')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Needs a control: CONTROL_SOURCE=llm-log beside USAGE_SOURCE=metrics, or the other way round. Without one it shows
what the source that bills says of itself. docs/coverage.md explains the reasons.

  tallystick coverage --from 2026-11-01 --to 2026-11-02`,
    )
    .action((options: { from: string; to: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const query = new URLSearchParams({ from: options.from, to: options.to, limit: '1000' });
        const coverage = await askEveryPage<CoverageBody>(ask, '/v1/coverage', query);
        print(options.json === true, coverage, () => renderCoverage(coverage));
      }),
    );
}

function renderCoverage(coverage: CoverageBody): string {
  const { billingSource, controlSource, totals } = coverage;
  const digits = (count: string | null | undefined) => (count == null ? '' : groupDigits(count));
  const cells = (row: CoverageBody['totals']) => [
    digits(row.billing.tokenCount),
    digits(row.control?.tokenCount),
    digits(row.differenceTokenCount),
    row.differences.map(describeDifference).join(', '),
  ];
  const head = [
    'hour',
    'model',
    billingSource?.source ?? 'bills',
    controlSource?.source ?? 'no control',
    'difference',
    'reasons (requests)',
  ];
  const rows = [
    ...coverage.rows.map((row) => [`${row.windowStart.slice(0, 16)}Z`, row.model, ...cells(row)]),
    ['total', '', ...cells(totals)],
  ];
  return [
    renderTable(head, rows, [2, 3, 4]),
    ...coverage.untold.map(describeUntold),
    ...coverage.unknownMetrics.map(
      ({ metricName, tokenCount, rowCount }) =>
        `waits: ${metricName}, ${groupDigits(tokenCount)} tokens in ${groupDigits(rowCount)} rows of a metric that nobody knows`,
    ),
    ...coverage.notedMetrics.map(
      ({ metricName, rowCount }) =>
        `noted: ${metricName}, ${groupDigits(rowCount)} rows of a metric that nobody knows, all of them 0`,
    ),
  ].join('\n');
}

function describeUntold({ model, deployment, from, to, parts }: CoverageBody['untold'][number]): string {
  const hours = `${from.slice(0, 16)}Z to ${to.slice(0, 16)}Z`;
  const place = deployment === '' ? model : `${model} on ${deployment}`;
  const types = parts.map(({ tokenType }) => tokenType).join(', ');
  return `${place}, ${hours}: the source did not tell ${types}; what they cost is unknown`;
}

function describeDifference({
  reason,
  requestCount,
  tokenCount,
}: CoverageBody['totals']['differences'][number]) {
  const words = reason.replaceAll('_', ' ');
  if (requestCount !== null) return `${words} ${groupDigits(requestCount)}`;
  return tokenCount === null ? words : `${words} ${groupDigits(tokenCount)} tokens`;
}
