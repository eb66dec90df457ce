import type { Command } from 'commander';
import { readDayWindow } from '../../costs/window.ts';
import { withStepLease } from '../../platform/database/leases.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { readApiSettings } from '../../platform/http/dependencies.ts';
import type { CommandFrame } from '../../platform/terminal/frame.ts';
import { print } from '../../platform/terminal/output.ts';
import { exportWarehouse, WAREHOUSE_LEASE } from './export-warehouse.ts';
import { openStore } from './open-store.ts';

interface WarehouseOptions {
  url?: string;
  from?: string;
  to?: string;
  period?: string;
  again?: boolean;
  json?: boolean;
}

/** Adds `tallystick exports warehouse`. */
export function addWarehouseCommand(exportsCommand: Command, frame: CommandFrame): void {
  exportsCommand
    .command('warehouse')
    .description(
      'daily costs and FOCUS charges as Parquet, an object a day: what is missing or was rated again',
    )
    .option(
      '--url <address>',
      'file:///folder, s3://bucket/prefix or a blob container; WAREHOUSE_URL otherwise',
    )
    .option('--from <day>', 'first UTC day, e.g. 2026-11-01; all days otherwise')
    .option('--to <day>', 'end, not included')
    .option('--period <month>', 'instead: a calendar month, e.g. 2026-11')
    .option('--again', 'also days that lie there as they are')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\n  tallystick exports warehouse --url file:///var/lib/warehouse --period 2026-11')
    .action((options: WarehouseOptions) =>
      frame.withStores(async ({ stores: { database }, config, clock }) => {
        const address = options.url ?? config.WAREHOUSE_URL;
        if (address === undefined) {
          throw new ValidationError('url', 'is missing', 'Give it, or set WAREHOUSE_URL.');
        }
        const isNarrowed = [options.from, options.to, options.period].some((given) => given !== undefined);
        const request = {
          store: await openStore(address, config),
          account: readApiSettings(config).billingAccount,
          window: isNarrowed ? readDayWindow(options) : null,
          isForced: options.again === true,
        };
        const outcome = await withStepLease(database, WAREHOUSE_LEASE, (lost) =>
          exportWarehouse({ database, clock }, request, lost),
        );
        if (outcome === null) {
          throw new TallystickError('A warehouse is being written already', {
            code: 'CONFLICT',
            retry: true,
            fix: 'Wait for it, or ask again later.',
          });
        }
        const { writtenDayCount, unchangedDayCount } = outcome;
        print(
          options.json === true,
          { url: request.store.description, ...outcome },
          () =>
            `${writtenDayCount} days written to ${request.store.description}; ${unchangedDayCount} lie there as they are.`,
        );
      }),
    );
}
