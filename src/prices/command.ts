import path from 'node:path';
import { type Command, Option } from 'commander';
import { IMPORT_FORMATS, type ImportFormat } from '../../pricing/feeds/import.ts';
import { priceTable } from '../../pricing/prices/csv.ts';
import type { PriceFileFormat } from '../../pricing/prices/file.ts';
import { formatPriceYaml } from '../../pricing/prices/yaml.ts';
import type { RetailMeterRow } from '../../pricing/retail/meter-map.ts';
import { TOKEN_TYPES } from '../../pricing/usage/tokens.ts';
import { commandLineActor } from '../identity/command-line-caller.ts';
import { type CommandFrame, type Options, toQuery } from '../platform/terminal/frame.ts';
import { print, printCsv, SEPARATOR_OPTION } from '../platform/terminal/output.ts';
import { readTextFile } from '../platform/terminal/text-file.ts';
import { readPriceBook } from './book.ts';
import { importPriceFile } from './file-import.ts';
import { showPriceImport } from './import-schemas.ts';
import { renderPriceImport } from './import-text.ts';
import type { PriceChangeBody } from './schemas.ts';
import { addPricesReviewCommands } from './sync/review-command.ts';
import {
  renderPriceChange,
  renderPriceDiff,
  renderPriceList,
  type ShownPriceDiff,
  type ShownPriceList,
  withEveryLine,
} from './text.ts';

/**
 * Adds `prices list|add|import|export|diff|review|map`, and gives the group to those who add more.
 * @param readMeterRows the reviewed file of what meters are
 */
export function addPricesCommand(
  program: Command,
  frame: CommandFrame,
  readMeterRows: () => Promise<readonly RetailMeterRow[]>,
): Command {
  const prices = program.command('prices').description('the price book: what Azure charges, by date');
  addListCommand(prices, frame);
  addAddCommand(prices, frame);
  addImportCommand(prices, frame, readMeterRows);
  addExportCommand(prices, frame);
  addDiffCommand(prices, frame);
  addPricesReviewCommands(prices, frame);
  return prices;
}

function addListCommand(prices: Command, frame: CommandFrame): void {
  prices
    .command('list')
    .description('prices in force')
    .option('--model <model>', 'only of this model')
    .option('--at <instant>', 'at this instant instead of now; "all" for every row')
    .option('--as-of-version <version>', 'as the book was after an earlier change')
    .option('--limit <count>', 'most prices to list', '1000')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['model', 'at', 'limit', 'cursor', ['asOfVersion', 'version']]);
        const list = await ask<ShownPriceList>('GET', `/v1/prices?${query}`);
        print(options.json === true, list, () => renderPriceList(list));
      }),
    );
}

function addAddCommand(prices: Command, frame: CommandFrame): void {
  prices
    .command('add')
    .description('add a price from a date on, or correct one')
    .requiredOption('--model <model>', 'the model')
    .requiredOption('--kind <kind>', `${[...TOKEN_TYPES, 'embedding'].join(', ')}, ...`)
    .requiredOption('--amount <amount>', 'exact decimal, or "retired"')
    .requiredOption('--reason <text>', 'why; kept with the change')
    .option('--unit <unit>', 'million_tokens unless said')
    .option('--deployment-type <type>', 'global unless said')
    .option('--region <region>', 'any unless said')
    .option('--variant <text>', 'which of what is not counted in tokens, e.g. "1024x1024 high"')
    .option('--service-tier <tier>', 'standard, priority or flex; standard unless said')
    .option('--above-input-tokens <count>', 'of requests with more input tokens than this; any unless said')
    .option('--from <instant>', 'first second it holds for; since ever unless said')
    .option('--source <source>', 'where it was read')
    .option('--note <text>', 'what to know about it')
    .option('--supersede', 'correct the row of the same key and instant; both stay on record')
    .option('--new-model', 'the model is new to the book')
    .option('--allow-absurd <text>', 'why a step of more than 100 times is right')
    .option('--dry-run', 'show what it would do')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const price = Object.fromEntries(
          [
            ['model', options.model],
            ['tokenType', options.kind],
            ['amount', options.amount],
            ['unit', options.unit],
            ['deploymentType', options.deploymentType],
            ['region', options.region],
            ['variant', options.variant],
            ['serviceTier', options.serviceTier],
            ['aboveInputTokenCount', countOf(options.aboveInputTokens)],
            ['effectiveFrom', options.from],
            ['source', options.source],
            ['note', options.note],
            ['allowAbsurd', options.allowAbsurd],
          ].filter(([, value]) => value !== undefined),
        );
        const change = await ask<PriceChangeBody>('POST', '/v1/prices', {
          reason: options.reason,
          supersede: options.supersede === true,
          dryRun: options.dryRun === true,
          models: options.newModel === true ? [{ model: options.model, aliases: [] }] : [],
          prices: [price],
        });
        print(options.json === true, change, () => renderPriceChange(change));
      }),
    );
}

function addImportCommand(
  prices: Command,
  frame: CommandFrame,
  readMeterRows: () => Promise<readonly RetailMeterRow[]>,
): void {
  prices
    .command('import <file>')
    .description('import prices from a file of the book, or from what others have: all of it, or nothing')
    .addOption(new Option('--format <format>', 'by the content unless said').choices(IMPORT_FORMATS))
    .option('--from <instant>', 'from when on rows hold that name no date; since ever unless said')
    .option('--listed-at <day>', 'the day of the list, for rows that name none')
    .option('--reason <text>', 'why; kept with the change')
    .option('--supersede', 'rows may correct rows of the same key and instant')
    .option('--new-models', 'rows may bring in models that the book does not know')
    .option('--dry-run', 'show what it would do')
    .option('--json', 'print as JSON')
    .action((file: string, options: Options) =>
      frame.withStores(async ({ stores, clock }) => {
        const text = await readTextFile(file, 'file');
        const result = await importPriceFile(stores.database, {
          text,
          ...(options.format === undefined ? {} : { format: options.format as ImportFormat }),
          ...(typeof options.from === 'string' ? { from: options.from } : {}),
          ...(typeof options.listedAt === 'string' ? { listedAt: options.listedAt } : {}),
          meterRows: await readMeterRows(),
          supersede: options.supersede === true,
          addModels: options.newModels === true,
          dryRun: options.dryRun === true,
          reason: typeof options.reason === 'string' ? options.reason : `Import of ${path.basename(file)}.`,
          actor: commandLineActor(),
          now: clock.now(),
        }).catch((error: unknown) => {
          throw withEveryLine(error);
        });
        const change = showPriceImport(result);
        print(options.json === true, change, () => renderPriceImport(change));
      }),
    );
}

function addExportCommand(prices: Command, frame: CommandFrame): void {
  prices
    .command('export')
    .description('write the price book to standard output')
    .addOption(new Option('--format <format>', 'what to write').choices(['yaml', 'csv']).default('yaml'))
    .option('--as-of-version <version>', 'as the book was after an earlier change')
    .option(...SEPARATOR_OPTION)
    .action((options: { format: PriceFileFormat; asOfVersion?: string; separator?: string }) =>
      frame.withStores(async ({ stores }) => {
        const asked = options.asOfVersion === undefined ? {} : { version: options.asOfVersion };
        const { data } = await readPriceBook(stores.database, asked);
        if (options.format === 'csv') printCsv(priceTable(data.prices), options);
        else process.stdout.write(formatPriceYaml(data));
      }),
    );
}

function addDiffCommand(prices: Command, frame: CommandFrame): void {
  prices
    .command('diff')
    .description('prices that differ between two dates, or between two versions of the book')
    .requiredOption('--from <state>', 'an instant, or a version')
    .requiredOption('--to <state>', 'of the same sort')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['from', 'to']);
        const diff = await ask<ShownPriceDiff>('GET', `/v1/prices/diff?${query}`);
        print(options.json === true, diff, () => renderPriceDiff(diff));
      }),
    );
}

/** What is no number goes on as it is, for the API to refuse by name. */
function countOf(option: unknown): unknown {
  return typeof option === 'string' && /^\d+$/.test(option) ? Number(option) : option;
}
