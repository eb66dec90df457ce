import type { Command } from 'commander';
import type { FindingState } from '../anomalies/finding-state.ts';
import type { SummaryWaits } from '../billing/summary-waits.ts';
import type { CloseTotals } from '../closing/totals.ts';
import { listDemoDirectories } from '../platform/embedded/demo-note.ts';
import { ageInWords, durationInWords } from '../platform/terminal/duration.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../platform/terminal/output.ts';
import type { PriceBookAge } from '../prices/age.ts';
import type { PriceSyncState } from '../prices/sync/runs.ts';
import { isAlarming } from '../quarantine/entries.ts';
import type { SinkState } from '../usage/events/sink-state.ts';
import { describeNewInstallation } from './new-installation.ts';
import type { QueueState } from './queue-states.ts';
import { readStatusReport, type StatusReport } from './status.ts';
import type { TokenTotals } from './totals.ts';

function renderPriceSync({ lastDoneAt, waiting }: PriceSyncState, now: Date): string {
  if (lastDoneAt === null) return 'prices        never synchronized';
  const count = waiting.reduce((sum, { itemCount }) => sum + itemCount, 0n);
  const hint = count > 0n ? ' ("tallystick prices review")' : '';
  return `prices        synchronized ${ageInWords(lastDoneAt, now)} ago, ${groupDigits(count)} wait for a person${hint}`;
}

function renderPriceBook({ version, asOf, ageDays }: PriceBookAge, warnDays: number): string {
  if (asOf === null || ageDays === null) return `price book    ${version}, of no day that its prices name`;
  const old = ageDays > warnDays ? `, OLDER than ${warnDays} days: docs/pricing.md says how to renew it` : '';
  return `price book    ${version}, prices as of ${asOf} (${ageDays} days)${old}`;
}

/** Where every token stands, each term of the sum. */
function describeTotals(totals: TokenTotals): string[] {
  const reasons = Object.entries(totals.uninvoicedByReason).map(
    ([reason, count]) => `${reason} ${groupDigits(count)}`,
  );
  const terms = [
    ['invoiced', totals.invoicedTokenCount],
    ['awaiting their invoice', totals.awaitingInvoiceTokenCount],
    ['due', totals.dueTokenCount],
    ['quarantined', totals.quarantinedTokenCount],
    ['uninvoiced', totals.uninvoicedTokenCount],
    ['written off', totals.writtenOffTokenCount],
  ] as const;
  return [
    `tokens        ${groupDigits(totals.collectedTokenCount)} collected = ${terms.map(([word, count]) => `${groupDigits(count)} ${word}`).join(' + ')}`,
    ...(totals.differenceTokenCount === 0n
      ? []
      : [`DRIFT         ${groupDigits(totals.differenceTokenCount)} tokens are in none of these`]),
    ...(reasons.length === 0 ? [] : [`uninvoiced    ${reasons.join(', ')} ("tallystick uninvoiced")`]),
  ];
}

function describeCloses({ states, certificateCount, credits }: CloseTotals): string {
  const countOf = (rows: readonly { state: string; count: bigint }[], state: string) =>
    rows.find((row) => row.state === state)?.count ?? 0n;
  const held = countOf(states, 'held');
  const proposed = countOf(credits, 'proposed');
  return [
    `${certificateCount} invoices certified`,
    ...(held === 0n ? [] : [`${held} HELD ("tallystick closes list --state held")`]),
    ...(proposed === 0n ? [] : [`${proposed} credits proposed ("tallystick credits")`]),
  ].join(', ');
}

export function addStatusCommand(program: Command, frame: CommandFrame): void {
  program
    .command('status')
    .description('how far each step is, and what waits in quarantine')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nReads the ledger only, so it works while an outside system is down. The API has the same at /v1/status.',
    )
    .action((options: { json?: boolean }) =>
      frame.withStores(async ({ config, stores, clock }) => {
        const now = clock.now();
        const status = await readStatusReport(stores.database, now);
        const { webhooks, doubleBindings, attributions } = status;
        print(options.json === true, { asOf: now.toISOString(), ...status }, () => {
          if (isNew(status)) {
            return describeNewInstallation(config, listDemoDirectories(config.TALLYSTICK_DATA_DIR));
          }
          const watermarks = status.watermarks.map((mark) => {
            return `collected     ${mark.source} up to ${mark.position.toISOString()} (${ageInWords(mark.position, now)} ago)`;
          });
          const { usageEvents: events, hours, meterPushes: pushes } = status;
          const lines = [
            ...(watermarks.length > 0 ? watermarks : ['collected     nothing yet']),
            `usage events  ${events.pending} pending, ${events.sent} sent, ${events.confirmed} confirmed, ${events.quarantined} quarantined`,
            `hours         ${hours.settledCount} settled, ${hours.openCount} open${hours.oldestOpenHour === null ? '' : `, the oldest ${hours.oldestOpenHour.toISOString()}`}`,
            `pushes        ${pushes.delivered} delivered, ${pushes.pending} pending, ${pushes.refused} refused`,
            `unassigned    ${groupDigits(status.unassignedTokenCount)} tokens wait for the next push`,
            ...describeTotals(status.totals),
            `drifts        ${status.openDriftCount} open`,
            ...describeSummaryWaits(status.summaryWaits),
            ...describeSink(status.openMeterSink),
            ...status.quarantine.map(
              ({ reason, metricName, tokenCount, rowCount }) =>
                `waits         ${groupDigits(tokenCount)} tokens in ${groupDigits(rowCount)} rows: ${reason}${metricName === null ? '' : ` (${metricName})`}`,
            ),
            ...status.notedMetrics.map(
              ({ metricName, rowCount }) =>
                `noted         ${metricName}: ${groupDigits(rowCount)} rows of a metric that nobody knows, all of them 0`,
            ),
            `closes        ${describeCloses(status.closes)}`,
            ...status.costs.unknown.map(
              ({ model, reason, tokenCount }) =>
                `cost unknown  ${groupDigits(tokenCount)} tokens of ${model}: ${reason}`,
            ),
            renderPriceBook(status.priceBook, config.PRICE_BOOK_WARN_DAYS),
            renderPriceSync(status.priceSync, now),
            ...describeAnomalies(status.anomalies, now),
            ...(webhooks.dueCount > 0n ? [`webhooks      ${webhooks.dueCount} events are due`] : []),
            ...doubleBindings.map(
              (double) =>
                `BILLED TWICE  ${double.customerId}, meter ${double.eventName}: items ${double.subscriptionItemIds.join(', ')}; ${groupDigits(double.heldTokenCount)} tokens are held until one is gone`,
            ),
            ...attributions.map(
              ({ reason, customerCount, customerIds }) =>
                `by ledger     ${customerCount} customers (${reason}): ${customerIds.join(', ')}${customerCount > 10n ? ', …' : ''}`,
            ),
            ...status.queues.map((queue) => describeQueue(queue, now)),
            ...status.leases.map(
              (lease) =>
                `running       ${lease.step} for ${durationInWords(lease.ageSeconds)} by ${lease.holder}${lease.isAbandoned ? ' (abandoned: the next run takes it over)' : ''}`,
            ),
            ...status.steps
              .filter((step) => step.lastError !== null)
              .map(
                (step) =>
                  `failing       ${step.step}: ${step.lastError}, last succeeded ${step.lastSucceededAt?.toISOString() ?? 'never'}`,
              ),
          ];
          const waiting = status.quarantine.map((entry) => [
            entry.stage,
            entry.reason,
            String(entry.rowCount),
            groupDigits(entry.tokenCount),
            ageInWords(entry.oldestAt, now),
          ]);
          const alarmHours = config.QUARANTINE_ALARM_HOURS;
          const isLate = status.quarantine.some((entry) => isAlarming(entry, now, alarmHours * 3_600_000));
          if (waiting.length === 0) return [...lines, 'quarantine    empty'].join('\n');
          return [
            ...lines,
            '',
            renderTable(['in quarantine', 'reason', 'rows', 'tokens', 'oldest'], waiting, [2, 3, 4]),
            ...(isLate
              ? [`ALARM: some of it waits longer than ${alarmHours} hours ("tallystick quarantine list").`]
              : []),
          ].join('\n');
        });
      }),
    );
}

function describeAnomalies({ figures, lastEvaluatedHour }: FindingState, now: Date): string[] {
  if (lastEvaluatedHour === null) return [];
  const { needsYouCount, precisionPermille } = figures;
  const precision =
    precisionPermille === null ? '' : `, ${Number(precisionPermille) / 10} % of those decided were real`;
  const hint = needsYouCount > 0n ? ' ("tallystick anomalies")' : '';
  return [
    `anomalies     judged up to ${lastEvaluatedHour.toISOString()} (${ageInWords(lastEvaluatedHour, now)} ago), ${groupDigits(needsYouCount)} need somebody${precision}${hint}`,
  ];
}

/** Whether nothing was collected or rated and no step has ever run: then there is nothing to tell of but what is missing. */
function isNew({ watermarks, steps, totals, costs }: StatusReport): boolean {
  const hasUsage = totals.collectedTokenCount > 0n || costs.dueDayCount > 0n || costs.unknown.length > 0;
  return watermarks.length === 0 && steps.length === 0 && !hasUsage;
}

function describeSummaryWaits({ pairCount, oldestAt }: SummaryWaits): string[] {
  if (oldestAt === null) return [];
  return [
    `sums late     Stripe's of ${groupDigits(pairCount)} customers and meters do not show what was sent since ${oldestAt.toISOString()}; nothing is concluded until they do`,
  ];
}

/** Each alarm of OpenMeter's sink; none while all is well. */
function describeSink({ outage, stuckSubjectCount, stuckSince }: SinkState): string[] {
  return [
    ...(outage === null
      ? []
      : [
          `ALARM: OpenMeter takes events and shows none since ${outage.since.toISOString()}: its sink stands still. They wait; restart it ("docs/operations.md").`,
        ]),
    ...(stuckSince === null
      ? []
      : [
          `ALARM: events of ${groupDigits(stuckSubjectCount)} users do not show in OpenMeter since ${stuckSince.toISOString()}, those of others do.`,
        ]),
  ];
}

function describeQueue(queue: QueueState, now: Date): string {
  const { oldestWaitingAt, error, failingSince } = queue;
  const oldest = oldestWaitingAt === null ? '' : ` (the oldest for ${ageInWords(oldestWaitingAt, now)})`;
  const state = `${queue.waitingCount} waiting${oldest}, ${queue.activeCount} active, ${queue.failedCount} failed`;
  const failing =
    error === null || failingSince === null
      ? ''
      : `; takes no work since ${failingSince.toISOString()}: ${error}`;
  const seen = queue.observedAt === null ? 'never seen' : `seen ${ageInWords(queue.observedAt, now)} ago`;
  return `queue         ${queue.backend}: ${state}, ${seen}${failing}`;
}
