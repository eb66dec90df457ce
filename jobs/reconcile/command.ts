import type { Command } from 'commander';
import { getCustomer } from '../../src/catalog/customers.ts';
import { addMs, DAY_MS, floorToHour, type TimeWindow } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { readInstant } from '../../src/platform/terminal/instant.ts';
import { groupDigits, print, renderTable } from '../../src/platform/terminal/output.ts';
import { type DriftRow, readDriftReport } from '../../src/reconciliation/drift-report.ts';
import { checkReconciliationWindow } from '../../src/reconciliation/drift-window.ts';
import { readHeldMetrics } from '../../src/usage/collection/held-metrics.ts';
import type { PipelineFrame } from '../command-frame.ts';
import { reconcileWindow } from './reconcile.ts';

const DEFAULT_BACK_MS = 7 * DAY_MS;
const REPORT_PART_MS = 31 * DAY_MS;
const PAGE_ROWS = 1_000;
/** More rows are no table any more; `--json` and the API have them all. */
const SHOWN_ROWS = 50;

interface ReconcileOptions {
  from?: string;
  to?: string;
  customer?: string;
  json?: boolean;
}

export function addReconcileCommand(program: Command, frame: PipelineFrame): void {
  program
    .command('reconcile')
    .description('hold source, meter and invoices against each other; exit status 1 on unexplained drift')
    .option('--from <instant>', 'first instant, e.g. 2026-11-01 (UTC); seven days ago when left out')
    .option('--to <instant>', 'end, not included; now when left out')
    .option('--customer <customer>', 'only this customer')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Reads the settled hours of the window from OpenMeter once more, and Stripe's sums of every customer and meter in it
as far as the day's reads go (STRIPE_DOUBT_READ_BUDGET_PER_DAY). What has a known cause is repaired by the jobs.

  tallystick reconcile --from 2026-11-01 --to 2026-12-01 --customer northwind`,
    )
    .action((options: ReconcileOptions) =>
      frame.withPipeline(async ({ deps }) => {
        const now = deps.clock.now();
        const window = {
          start:
            options.from === undefined
              ? floorToHour(addMs(now, -DEFAULT_BACK_MS))
              : readInstant('--from', options.from),
          end: options.to === undefined ? now : readInstant('--to', options.to),
        };
        checkReconciliationWindow(window, now);
        const customerId = options.customer ?? null;
        if (customerId !== null) await getCustomer(deps.database, customerId);
        const checked = await withStepLease(deps.database, 'reconcile', (lost) =>
          reconcileWindow(deps, { window, customerId }, lost),
        );
        const rows = await readWholeReport(deps.database, window, customerId);
        const unexplained = rows.filter((row) => row.driftClass === 'unexplained');
        const sourceDifferenceCount = checked?.sourceDifferenceCount ?? 0;
        const unknownMetrics = await readHeldMetrics(deps.database, { window, customerId });
        print(options.json === true, { window, checked, rows, unknownMetrics }, () =>
          [
            checked === null
              ? 'A running service is reconciling; this is what the ledger knows so far.'
              : renderChecked(checked),
            renderRows(rows),
            ...unknownMetrics.map(
              ({ metricName, tokenCount, rowCount }) =>
                `${metricName}: ${groupDigits(tokenCount)} tokens in ${groupDigits(rowCount)} rows of a metric that nobody knows wait, beside these`,
            ),
          ].join('\n'),
        );
        if (unexplained.length > 0 || sourceDifferenceCount > 0) process.exitCode = 1;
      }),
    );
}

async function readWholeReport(
  database: LedgerDatabase,
  window: TimeWindow,
  customerId: string | null,
): Promise<DriftRow[]> {
  const rows: DriftRow[] = [];
  for (let start = floorToHour(window.start); start < window.end; start = addMs(start, REPORT_PART_MS)) {
    const end = new Date(Math.min(addMs(start, REPORT_PART_MS).getTime(), window.end.getTime()));
    let after: DriftRow | null = null;
    for (;;) {
      const page: DriftRow[] = await readDriftReport(database, {
        window: { start, end },
        customerId,
        withAgreeing: false,
        after,
        limit: PAGE_ROWS,
      });
      rows.push(...page);
      if (page.length < PAGE_ROWS) break;
      after = page.at(-1) ?? null;
    }
  }
  return rows;
}

function renderChecked(checked: Awaited<ReturnType<typeof reconcileWindow>>): string {
  return [
    `OpenMeter  ${checked.hourCount} settled hours read again, ${checked.reopenedHourCount} differ`,
    `source     ${checked.sourceDifferenceCount} keys differ from the events made of them`,
    `Stripe     ${checked.pairCount} customers and meters held against it in ${checked.stripeReadCount} reads, ` +
      `${checked.billingDriftCount} hours differ, ${checked.unreadPairCount} pairs wait for tomorrow's reads`,
  ].join('\n');
}

function renderRows(rows: readonly DriftRow[]): string {
  if (rows.length === 0) return 'Source, meter and invoices agree.';
  const table = renderTable(
    [
      'hour',
      'customer',
      'token type',
      'source',
      'metered',
      'invoiced',
      'awaiting',
      'due',
      'quarantined',
      'uninvoiced',
      'written off',
      'difference',
      'class',
    ],
    rows
      .slice(0, SHOWN_ROWS)
      .map((row) => [
        row.windowStart.toISOString().slice(0, 16),
        row.customerId === '' ? '-' : row.customerId,
        row.tokenType,
        ...[
          row.source,
          row.metered,
          row.invoiced,
          row.awaitingInvoice,
          row.due,
          row.quarantined,
          row.uninvoiced,
          row.writtenOff,
          row.difference,
        ].map(groupDigits),
        row.driftClass ?? '',
      ]),
    [3, 4, 5, 6, 7, 8, 9, 10, 11],
  );
  return rows.length > SHOWN_ROWS ? `${table}\n${rows.length - SHOWN_ROWS} more; see --json` : table;
}
