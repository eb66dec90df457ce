import type { Command } from 'commander';
import type { RetailDiff, RetailFinding } from '../../pricing/retail/diff.ts';
import { commandLineActor } from '../../src/identity/command-line-caller.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import type { CommandContext } from '../../src/platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../../src/platform/terminal/output.ts';
import { renderChange, showPrice } from '../../src/prices/sync/change-text.ts';
import { type PriceSyncRun, requestPriceSync, startNextPriceSync } from '../../src/prices/sync/runs.ts';
import type { PipelineFrame } from '../command-frame.ts';
import { DEFAULT_SETTINGS } from '../dependencies.ts';
import { previewPriceSync, runPriceSync } from './sync-prices.ts';

/** Adds `prices sync`: holds Azure's retail price list against the book now. */
export function addPricesSyncCommand(prices: Command, frame: PipelineFrame): void {
  prices
    .command('sync')
    .description("hold Azure's retail price list against the price book")
    .option('--dry-run', 'show what it would do, and write nothing')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Small changes (up to PRICE_CHANGE_PERCENT) become new rows of the book, from the list's own date or the next whole
hour, whichever is later. Large ones, new ones, and meters that nobody has named wait: "tallystick prices review".
The service does the same once a day.`,
    )
    .action((options: { dryRun?: boolean; json?: boolean }) =>
      frame.withStores(async (context) => {
        const deps = {
          database: context.stores.database,
          clock: context.clock,
          log: context.log,
          settings: { ...DEFAULT_SETTINGS, priceChangePercent: context.config.PRICE_CHANGE_PERCENT },
          ...frame.openRetailPrices(context.config),
        };
        if (options.dryRun === true) {
          const diff = await previewPriceSync(deps);
          print(options.json === true, showDiff(diff), () => renderDiff(diff));
          return;
        }
        const run = await syncNow(deps, context);
        print(options.json === true, run, () => renderRun(run));
      }),
    );
}

async function syncNow(
  deps: Parameters<typeof runPriceSync>[0],
  { config }: CommandContext,
): Promise<PriceSyncRun> {
  if (config.AZURE_RETAIL_PRICES_URL === 'off') {
    throw new TallystickError('The retail price list is switched off.', {
      code: 'CONFIG',
      retry: false,
      fix: 'Unset AZURE_RETAIL_PRICES_URL, or set it to https://prices.azure.com.',
    });
  }
  const asked = await requestPriceSync(deps.database, {
    requestedBy: commandLineActor(),
    now: deps.clock.now(),
  });
  const done = await withStepLease(deps.database, 'sync-prices', async (lost) => {
    for (;;) {
      // One that was left unfinished goes first.
      const run = await startNextPriceSync(deps.database, deps.clock.now());
      if (run === null) return null;
      const ended = await runPriceSync(deps, run, lost);
      if (run.priceSyncRunId === asked.priceSyncRunId) return ended;
    }
  });
  return done ?? asked;
}

function renderRun(run: PriceSyncRun): string {
  const { counts } = run;
  if (counts === null) {
    return `Queued as ${run.priceSyncRunId}: a running service is synchronizing and will do this one, too.`;
  }
  return [
    `prices listed   ${groupDigits(counts.itemCount)} on ${counts.pageCount} pages, ${groupDigits(counts.ignoredCount)} of no interest`,
    `unchanged       ${groupDigits(counts.unchangedCount)}`,
    `taken           ${groupDigits(counts.appliedCount)}`,
    `waiting         ${groupDigits(counts.waitingCount)}${counts.waitingCount > 0 ? ' ("tallystick prices review")' : ''}`,
    `book            ${run.bookVersionBefore === run.bookVersionAfter ? run.bookVersionAfter : `${run.bookVersionBefore} -> ${run.bookVersionAfter}`}`,
  ].join('\n');
}

const isNews = (finding: RetailFinding) => finding.verdict !== 'unchanged';

function showDiff(diff: RetailDiff): object {
  return {
    itemCount: diff.itemCount,
    ignoredCount: diff.ignoredCount,
    unchangedCount: diff.findings.length - diff.findings.filter(isNews).length,
    findings: diff.findings.filter(isNews).map((finding) => ({
      ...finding,
      oldPicoPerUnit: undefined,
      newPicoPerUnit: undefined,
      oldPrice: showPrice(finding.oldPicoPerUnit),
      newPrice: showPrice(finding.newPicoPerUnit),
    })),
  };
}

function renderDiff(diff: RetailDiff): string {
  const news = diff.findings.filter(isNews);
  const unchanged = `${groupDigits(diff.findings.length - news.length)} prices are as the book has them.`;
  if (news.length === 0) return unchanged;
  const rows = news.map((finding) => [
    finding.reason ?? finding.verdict,
    finding.target === null ? finding.meterId : finding.subject,
    finding.meterName,
    `${finding.retailPrice} ${finding.currency} / ${finding.unitOfMeasure}`,
    renderChange(finding.oldPicoPerUnit, finding.newPicoPerUnit),
    finding.effectiveFrom === null ? '' : finding.effectiveFrom.toISOString().replace('.000Z', 'Z'),
  ]);
  const retroactive = news.filter((finding) => finding.isRetroactive && finding.verdict === 'small_change');
  return [
    renderTable(['', 'price', 'meter', 'listed', 'change', 'from'], rows, [4]),
    unchanged,
    ...(retroactive.length === 0
      ? []
      : [
          `${retroactive.length} of them are listed from an earlier date. What is past keeps its price; correct it with "tallystick prices add" if it must not.`,
        ]),
  ].join('\n');
}
