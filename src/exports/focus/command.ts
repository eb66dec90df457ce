import type { Command } from 'commander';
import { readDayWindow } from '../../costs/window.ts';
import { ValidationError } from '../../platform/errors.ts';
import { readApiSettings } from '../../platform/http/dependencies.ts';
import type { CommandFrame } from '../../platform/terminal/frame.ts';
import { groupDigits } from '../../platform/terminal/output.ts';
import { writeWholeFile } from '../../platform/whole-file.ts';
import { DEFAULT_FOCUS_VERSION, FOCUS_VERSIONS } from './columns.ts';
import { beginFocusExport, EXPORT_FORMATS, FOCUS_PERSPECTIVES, type FocusSummary } from './export.ts';

interface FocusOptions {
  from?: string;
  to?: string;
  period?: string;
  focusVersion: string;
  format: string;
  perspective: string;
  customer?: string;
  output?: string;
}

/** Adds `tallystick exports focus`. */
export function addFocusCommand(exportsCommand: Command, frame: CommandFrame): void {
  exportsCommand
    .command('focus')
    .description('cost and usage by day and customer in the FinOps Open Cost and Usage Specification (FOCUS)')
    .option('--from <day>', 'first UTC day, e.g. 2026-11-01')
    .option('--to <day>', 'end, not included')
    .option('--period <month>', 'instead: a calendar month, e.g. 2026-11')
    .option(
      '--focus-version <version>',
      `of the specification: ${FOCUS_VERSIONS.join(', ')}`,
      DEFAULT_FOCUS_VERSION,
    )
    .option('--format <format>', EXPORT_FORMATS.join(' or '), 'csv')
    .option(
      '--perspective <perspective>',
      'costs, what the cloud costs us, or invoices, what we invoiced',
      'costs',
    )
    .option('--customer <customer>', 'of this customer only')
    .option('--output <file>', 'written whole or not at all; standard output otherwise')
    .addHelpText(
      'after',
      `
Tokens without a known cost are charges of 0 that say so; what is missing is told on standard error.

  tallystick exports focus --period 2026-11 --format parquet --output focus.parquet`,
    )
    .action((options: FocusOptions) =>
      frame.withStores(async ({ stores, config, clock }) => {
        const settings = readApiSettings(config);
        const { summary, parts } = await beginFocusExport(stores.database, {
          window: readDayWindow(options),
          version: oneOf(FOCUS_VERSIONS, options.focusVersion, 'focus-version'),
          format: oneOf(EXPORT_FORMATS, options.format, 'format'),
          perspective: oneOf(FOCUS_PERSPECTIVES, options.perspective, 'perspective'),
          customerId: options.customer,
          account: settings.billingAccount,
          sellerName: settings.focusSellerName,
          now: clock.now(),
        });
        try {
          if (options.output === undefined) await printParts(parts);
          else await writeWholeFile(options.output, parts);
        } finally {
          await parts.return(undefined);
        }
        for (const line of warnings(summary)) process.stderr.write(`${line}\n`);
      }),
    );
}

async function printParts(parts: AsyncGenerator<Uint8Array>): Promise<void> {
  for await (const part of parts) {
    if (!process.stdout.write(part)) {
      await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
  }
}

function warnings({ dueDayCount, unknownCostTokenCount, unreadInvoiceCount }: FocusSummary): string[] {
  return [
    ...(dueDayCount === 0n ? [] : [`${dueDayCount} days wait to be rated (again).`]),
    ...(unknownCostTokenCount === 0n
      ? []
      : [`${groupDigits(unknownCostTokenCount)} tokens have no known cost: see x_CostUnknownReason.`]),
    ...(unreadInvoiceCount === 0
      ? []
      : [`${unreadInvoiceCount} invoices are left out: their lines were not read yet.`]),
  ];
}

function oneOf<Value extends string>(values: readonly Value[], given: string, field: string): Value {
  const found = values.find((value) => value === given);
  if (found === undefined)
    throw new ValidationError(field, `"${given}" is none`, `One of ${values.join(', ')}.`);
  return found;
}
