import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { readPipelineStatus } from '../ledger/status.ts';
import { groupDigits, print, renderTable } from './output.ts';
import { withStores } from './setup.ts';

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('how far each step is, and what waits in quarantine')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nReads the ledger only, so it works while an outside system is down. The API has the same at /v1/status.',
    )
    .action((options: { json?: boolean }) =>
      withStores(async ({ stores }) => {
        const status = await readPipelineStatus(stores.database);
        const now = systemClock.now();
        print(options.json === true, { asOf: now.toISOString(), ...status }, () => {
          const watermarks = status.watermarks.map((mark) => {
            const ageMinutes = Math.floor((now.getTime() - mark.position.getTime()) / 60_000);
            return `collected     ${mark.source} up to ${mark.position.toISOString()} (${groupDigits(ageMinutes)} min ago)`;
          });
          const { usageEvents: events, hours, meterPushes: pushes } = status;
          const lines = [
            ...(watermarks.length > 0 ? watermarks : ['collected     nothing yet']),
            `usage events  ${events.pending} pending, ${events.sent} sent, ${events.confirmed} confirmed, ${events.quarantined} quarantined`,
            `hours         ${hours.settledCount} settled, ${hours.openCount} open${hours.oldestOpenHour === null ? '' : `, the oldest ${hours.oldestOpenHour.toISOString()}`}`,
            `pushes        ${pushes.delivered} delivered, ${pushes.pending} pending, ${pushes.refused} refused`,
            `unassigned    ${groupDigits(status.unassignedTokenCount)} tokens wait for the next push`,
            `drifts        ${status.openDriftCount} open`,
          ];
          const waiting = status.quarantine.map((entry) => [
            entry.stage,
            entry.reason,
            String(entry.rowCount),
            groupDigits(entry.tokenCount),
          ]);
          if (waiting.length === 0) return [...lines, 'quarantine    empty'].join('\n');
          return [
            ...lines,
            '',
            renderTable(['in quarantine', 'reason', 'rows', 'tokens'], waiting, [2, 3]),
          ].join('\n');
        });
      }),
    );
}
