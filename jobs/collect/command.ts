import { Presets, SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { ValidationError } from '../../src/platform/errors.ts';
import { readInstant } from '../../src/platform/terminal/instant.ts';
import { groupDigits, print } from '../../src/platform/terminal/output.ts';
import type { PipelineFrame } from '../command-frame.ts';
import { backfillUsage, collectUsage } from './collect-usage.ts';

export function addCollectCommand(program: Command, frame: PipelineFrame): void {
  program
    .command('collect')
    .description('collect token metrics now; with --from and --to, everything whose event time lies there')
    .option('--from <instant>', 'first instant, e.g. 2026-11-01 or 2026-11-01T06:00:00Z (UTC)')
    .option('--to <instant>', 'end, not included; now when left out')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Rows that the ledger holds already are left alone, so a backfill may be repeated and may overlap. What is new
is metered, settled and pushed by the jobs like any other usage.

  tallystick collect --from 2026-10-01 --to 2026-11-01`,
    )
    .action(async (options: { from?: string; to?: string; json?: boolean }) => {
      if (options.from === undefined && options.to !== undefined) {
        throw new ValidationError('--from', 'is missing', 'A backfill needs its first instant.');
      }
      const start = options.from === undefined ? null : readInstant('--from', options.from);
      const end = options.to === undefined ? null : readInstant('--to', options.to);
      await frame.withPipeline(async ({ deps }) => {
        const outcome =
          start === null
            ? await collectUsage(deps)
            : await backfillWithBar(deps, start, end ?? deps.clock.now());
        print(options.json === true, outcome, () =>
          [
            `rows read         ${groupDigits(outcome.rowCount)}`,
            `new               ${groupDigits(outcome.newRowCount)}`,
            `usage events      ${groupDigits(outcome.usageEventCount)}`,
            `rows quarantined  ${groupDigits(outcome.quarantinedRowCount)}`,
          ].join('\n'),
        );
      });
    });
}

async function backfillWithBar(deps: Parameters<typeof backfillUsage>[0], start: Date, end: Date) {
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: '{bar} {until}  {rows} rows, {fresh} new, {eta_formatted} left',
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  const totalMs = Math.max(1, end.getTime() - start.getTime());
  if (process.stderr.isTTY) bar.start(totalMs, 0, { until: start.toISOString(), rows: '0', fresh: '0' });
  try {
    return await backfillUsage(
      deps,
      { start, end },
      {
        onProgress: (doneUntil, outcome) =>
          bar.update(doneUntil.getTime() - start.getTime(), {
            until: doneUntil.toISOString(),
            rows: groupDigits(outcome.rowCount),
            fresh: groupDigits(outcome.newRowCount),
          }),
      },
    );
  } finally {
    bar.stop();
  }
}
