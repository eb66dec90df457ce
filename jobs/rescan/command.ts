import { Presets, SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { commandLineActor } from '../../src/identity/command-line-caller.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { readInstant } from '../../src/platform/terminal/instant.ts';
import { groupDigits, print } from '../../src/platform/terminal/output.ts';
import { checkRescanWindow, type Rescan, requestRescan } from '../../src/usage/collection/rescans.ts';
import type { PipelineFrame } from '../command-frame.ts';
import type { JobDependencies } from '../dependencies.ts';
import { runRescan } from './rescan-usage.ts';

export function addRescanCommand(program: Command, frame: PipelineFrame): void {
  program
    .command('rescan')
    .description('look at a window of event time again, and add what the ledger does not know')
    .requiredOption('--from <instant>', 'first instant, e.g. 2026-11-01 or 2026-11-01T06:00:00Z (UTC)')
    .option('--to <instant>', 'end, not included; now when left out')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Every night the last 72 hours are looked at again anyway, by ingestion time. Rows that the ledger holds are left
alone; rows that waited in quarantine and are sound now are taken up. May be interrupted: what is left of it is done
by the running service, or by the next "rescan".

  tallystick rescan --from 2026-11-01 --to 2026-11-03`,
    )
    .action(async (options: { from: string; to?: string; json?: boolean }) => {
      const start = readInstant('--from', options.from);
      const end = options.to === undefined ? null : readInstant('--to', options.to);
      await frame.withPipeline(async ({ config, deps }) => {
        const now = deps.clock.now();
        const window = { start, end: end ?? now };
        checkRescanWindow(window, { now, sourceRetentionDays: config.SOURCE_RETENTION_DAYS });
        const asked = await requestRescan(deps.database, { window, requestedBy: commandLineActor(), now });
        const done = await withStepLease(deps.database, 'rescan-usage', (lost) =>
          rescanWithBar(deps, asked, lost),
        );
        const rescan = done ?? asked;
        print(options.json === true, rescan, () => renderRescan(rescan));
        if (rescan.status === 'failed') {
          throw new TallystickError(`The source refused: ${rescan.lastError}.`, {
            code: 'UPSTREAM_REJECTED',
            retry: false,
            fix: 'See "tallystick doctor".',
          });
        }
      });
    });
}

function renderRescan(rescan: Rescan): string {
  if (rescan.status === 'queued') {
    return `Queued as ${rescan.rescanId}: a running service is rescanning and will do this one, too.`;
  }
  return [
    `rows read         ${groupDigits(rescan.rowCount)}`,
    `new               ${groupDigits(rescan.newRowCount)}`,
    `usage events      ${groupDigits(rescan.usageEventCount)}`,
    `rows quarantined  ${groupDigits(rescan.quarantinedRowCount)}`,
  ].join('\n');
}

async function rescanWithBar(deps: JobDependencies, rescan: Rescan, signal: AbortSignal): Promise<Rescan> {
  const { start, end } = rescan.window;
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: '{bar} {until}  {rows} rows, {fresh} new, {eta_formatted} left',
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  if (process.stderr.isTTY) {
    bar.start(end.getTime() - start.getTime(), 0, { until: start.toISOString(), rows: '0', fresh: '0' });
  }
  try {
    const done = await runRescan(deps, rescan, {
      signal,
      onProgress: (doneUntil, counts) =>
        bar.update(doneUntil.getTime() - start.getTime(), {
          until: doneUntil.toISOString(),
          rows: groupDigits(counts.rowCount),
          fresh: groupDigits(counts.newRowCount),
        }),
    });
    return done.rescan;
  } finally {
    bar.stop();
  }
}
