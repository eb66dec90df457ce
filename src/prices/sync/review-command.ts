import type { Command } from 'commander';
import { PICO_DIGITS, parseDecimal } from '../../../pricing/money.ts';
import { TOKEN_TYPES } from '../../../pricing/usage/tokens.ts';
import { type CommandFrame, toQuery } from '../../platform/terminal/frame.ts';
import { print, renderTable } from '../../platform/terminal/output.ts';
import { renderChange } from './change-text.ts';

interface Item {
  id: string;
  verdict: string;
  reason: string | null;
  meterId: string;
  meterName: string;
  productName: string;
  retailPrice: string;
  unitOfMeasure: string;
  currency: string;
  model: string | null;
  deploymentType: string | null;
  region: string | null;
  tokenType: string | null;
  oldPrice: string | null;
  newPrice: string | null;
  listedFrom: string | null;
  effectiveFrom: string | null;
  status: string;
}
interface Listing {
  runs: { status: string; finishedAt: string | null; lastError: string | null }[];
  items: Item[];
  nextCursor: string | null;
}

/** Adds `prices review` (what waits, accept, reject) and `prices map` (what a meter is). */
export function addPricesReviewCommands(prices: Command, frame: CommandFrame): void {
  const review = prices
    .command('review')
    .description('what the price list says that waits for a person; accept or reject it');
  review
    .command('list', { isDefault: true })
    .description('what waits, the oldest first')
    .option('--status <status>', 'applied, pending, accepted, rejected or withdrawn', 'pending')
    .option('--verdict <verdict>', 'large_change, new_price, unmapped, unusable, disappeared or small_change')
    .option('--limit <count>', 'most to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['status', 'verdict', 'limit', 'cursor']);
        const listing = await ask<Listing>('GET', `/v1/prices/sync?${query}`);
        print(options.json === true, listing, () =>
          renderListing(listing, String(options.status), options.verdict !== undefined),
        );
      }),
    );
  for (const [act, description, done] of [
    ['accept', 'take listed prices into the book, from now on', 'accepted'],
    ['reject', 'leave the book as it is; the same is not asked again', 'rejected'],
  ] as const) {
    review
      .command(`${act} <id...>`)
      .description(description)
      .requiredOption('--reason <text>', 'why; kept in the audit log')
      .option('--json', 'print as JSON')
      .action((ids: string[], options: { reason: string; json?: boolean }) =>
        frame.askApi(async (ask) => {
          const items: Item[] = [];
          for (const id of ids) {
            const route = `/v1/prices/sync/items/${encodeURIComponent(id)}/${act}`;
            items.push(await ask<Item>('POST', route, { reason: options.reason }));
          }
          print(options.json === true, { [done]: items }, () =>
            items.map((item) => `${item.id} ${done}: ${nameOf(item)}${renderFrom(item)}`).join('\n'),
          );
        }),
      );
  }
  prices
    .command('map <meterId>')
    .description('say what a meter of the price list is')
    .option('--model <model>', 'the model, by its name in the price book')
    .option('--type <type>', 'global, data_zone, regional, batch, developer or provisioned', 'global')
    .option('--region <region>', 'an Azure region, a data zone, or *', '*')
    .option('--kind <kind>', `${[...TOKEN_TYPES, 'embedding'].join(', ')}, ...`)
    .option('--nothing', 'it means nothing, whatever the mapping file says')
    .requiredOption('--note <text>', 'where you read what it is; kept')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Compare the meter with Microsoft's pricing page before you map it: name, deployment type, price and unit. Nothing
changes in the book by this alone; the next synchronization compares it, and a first price waits for review.

  tallystick prices map 5a17b0c5-0000-4000-8000-000000000026 --model gpt-4o --type regional \\
    --region swedencentral --kind prompt --note "pricing page of 2026-11-01"`,
    )
    .action((meterId: string, options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const target =
          options.nothing === true
            ? null
            : {
                model: options.model ?? '',
                deploymentType: options.type,
                region: options.region,
                tokenType: options.kind ?? '',
              };
        const route = `/v1/prices/meters/${encodeURIComponent(meterId)}`;
        const meter = await ask<{ meterId: string }>('PUT', route, { target, note: options.note });
        print(
          options.json === true,
          meter,
          () => `${meter.meterId} is kept; "tallystick prices sync" uses it.`,
        );
      }),
    );
}

function renderListing(listing: Listing, status: string, isInPart: boolean): string {
  const [last] = listing.runs;
  const head =
    last === undefined
      ? 'No synchronization yet.'
      : `Last synchronization: ${last.status}${last.finishedAt === null ? '' : ` at ${last.finishedAt}`}${last.lastError === null ? '' : ` (${last.lastError})`}.`;
  if (listing.items.length === 0) {
    return `${head}\n${status === 'pending' && !isInPart ? 'Nothing waits.' : 'Nothing matches.'}`;
  }
  const rows = listing.items.map((item) => [
    item.id,
    item.reason ?? item.verdict,
    item.model === null ? item.meterId : nameOf(item),
    `${item.productName}: ${item.meterName}`,
    `${item.retailPrice} ${item.currency} / ${item.unitOfMeasure}`,
    renderChange(toPico(item.oldPrice), toPico(item.newPrice)),
  ]);
  return [
    head,
    renderTable(['id', '', 'price', 'meter', 'listed', 'change'], rows, [5]),
    ...(listing.nextCursor === null ? [] : [`More: --cursor ${listing.nextCursor}`]),
  ].join('\n');
}

function nameOf(item: Item): string {
  return item.model === null
    ? item.meterName
    : `${item.model} ${item.deploymentType} ${item.region} ${item.tokenType}`;
}

function renderFrom(item: Item): string {
  if (item.status !== 'accepted') return '';
  return item.effectiveFrom === null ? ' (the book is as it was)' : ` from ${item.effectiveFrom}`;
}

function toPico(price: string | null): bigint | null {
  return price === null ? null : parseDecimal(price, PICO_DIGITS);
}
