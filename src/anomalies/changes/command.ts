import type { Command } from 'commander';
import type { CommandFrame } from '../../platform/terminal/frame.ts';
import { print, renderTable } from '../../platform/terminal/output.ts';
import type { ChangeBodyOut, ChangesBody } from './schemas.ts';

interface RecordOptions {
  feature: string;
  from?: string;
  to?: string;
  user?: string;
  dayLimit?: string;
  on: string;
  note?: string;
  json?: boolean;
}

/** `tallystick costs changes`. */
export function addCostChangesCommand(costs: Command, frame: CommandFrame): void {
  const changes = costs
    .command('changes')
    .description('swaps, caches and caps that were made: what was forecast, and what they really saved');
  changes
    .command('list', { isDefault: true })
    .description('the newest first')
    .option('--json', 'print as JSON')
    .action((options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const found = await ask<ChangesBody>('GET', '/v1/costs/changes');
        print(options.json === true, found, () => renderChanges(found));
      }),
    );
  changes
    .command('record <kind>')
    .description('say that a swap, a cache or a cap was made; what it should save is kept with it')
    .requiredOption('--feature <feature>', 'of which feature')
    .option('--from <model>', 'of a swap: the model that it was')
    .option('--to <model>', 'of a swap: the model that it is')
    .option('--user <user>', 'of a cache or a cap: of which user')
    .option('--day-limit <usd>', 'of a cap: what a day may cost, e.g. 2.50')
    .requiredOption('--on <day>', 'the UTC day on which it was made, e.g. 2026-11-01')
    .option('--note <text>', 'kept with it')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
  tallystick costs changes record swap --feature chat --from gpt-4o --to gpt-4o-mini --on 2026-11-11
  tallystick costs changes record cache --feature sync --user integration-7 --on 2026-11-11`,
    )
    .action((kind: string, { from, to, user, on, json, ...options }: RecordOptions) =>
      frame.askApi(async (ask) => {
        const body = { kind, ...options, fromModel: from, toModel: to, subject: user, madeOn: on };
        const recorded = await ask<ChangeBodyOut>('POST', '/v1/costs/changes', body);
        print(
          json === true,
          recorded,
          () =>
            `Recorded as ${recorded.id}: ${recorded.forecastDay === null ? 'what a day of it saves is not known' : `a day of it should save ${recorded.forecastDay} USD`}.`,
        );
      }),
    );
}

function renderChanges({ changes }: ChangesBody): string {
  const rows = changes.map((each) => [
    each.id,
    each.kind,
    each.feature,
    each.kind === 'swap' ? `${each.fromModel} to ${each.toModel}` : (each.subject ?? ''),
    each.dayLimit ?? '',
    each.madeOn,
    String(each.dayCount),
    each.forecast ?? 'unknown',
    each.saved ?? 'unknown',
  ]);
  return renderTable(
    ['id', 'kind', 'feature', 'change', 'a day USD', 'made on', 'days since', 'forecast USD', 'saved USD'],
    rows,
    [4, 6, 7, 8],
  );
}
