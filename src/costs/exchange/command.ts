import type { Command } from 'commander';
import { commandLineActor } from '../../identity/command-line-caller.ts';
import { type CommandFrame, isNarrowed, toQuery } from '../../platform/terminal/frame.ts';
import { print, renderTable } from '../../platform/terminal/output.ts';
import { readTextFile } from '../../platform/terminal/text-file.ts';
import { importExchangeRates } from './rates.ts';

interface Listing {
  rates: { day: string; base: string; currency: string; rate: string; source: string }[];
  nextCursor: string | null;
}

/** Adds `tallystick exchange list` and `import`. */
export function addExchangeCommand(program: Command, frame: CommandFrame): void {
  const exchange = program
    .command('exchange')
    .description('exchange rates: what costs in US dollars are converted by for other currencies');
  exchange
    .command('list', { isDefault: true })
    .description('the newest first')
    .option('--currency <code>', 'only of this one')
    .option('--limit <count>', 'most to list', '100')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['currency', 'limit', 'cursor']);
        const listing = await ask<Listing>('GET', `/v1/exchange-rates?${query}`);
        print(options.json === true, listing, () => renderListing(listing, isNarrowed(query)));
      }),
    );
  exchange
    .command('import <file>')
    .description(
      'CSV with day,base,currency,rate and source, or the file of the European Central Bank as it is',
    )
    .option('--supersede', 'rates may correct those of the same day')
    .option('--allow-absurd', 'more than twice, or less than half, of the day before is right')
    .option('--dry-run', 'only say what it would do')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\n  tallystick exchange import eurofxref-hist.csv --dry-run')
    .action((file: string, options: Record<string, boolean | undefined>) =>
      frame.withStores(async ({ stores, clock }) => {
        const dryRun = options.dryRun === true;
        const result = await importExchangeRates(stores.database, {
          text: await readTextFile(file, 'file'),
          supersede: options.supersede === true,
          allowAbsurd: options.allowAbsurd === true,
          dryRun,
          actor: commandLineActor(),
          now: clock.now(),
        });
        const { addedCount, supersededCount, unchangedCount } = result;
        const would = dryRun ? ' would be' : '';
        print(
          options.json === true,
          { dryRun, ...result },
          () =>
            `${addedCount} rates${would} added, ${supersededCount}${would} corrected; ${unchangedCount} are stored already.`,
        );
      }),
    );
}

function renderListing({ rates, nextCursor }: Listing, isInPart: boolean): string {
  if (rates.length === 0) return isInPart ? 'No rate matches.' : 'No exchange rate is stored.';
  const table = renderTable(
    ['day', '1', 'is', 'of', 'source'],
    rates.map(({ day, base, currency, rate, source }) => [
      day,
      base.toUpperCase(),
      rate,
      currency.toUpperCase(),
      source,
    ]),
  );
  return nextCursor === null ? table : `${table}\nMore: --cursor ${nextCursor}`;
}
