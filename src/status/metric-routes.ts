import { closeMetrics } from '../closing/metrics.ts';
import { requireScope } from '../identity/require-scope.ts';
import {
  type Api,
  type ApiDependencies,
  alarmAfterMsOf,
  DEFAULT_API_SETTINGS,
} from '../platform/http/dependencies.ts';
import { isAlarming, type QuarantineSummary } from '../quarantine/entries.ts';
import { anomalyMetrics } from './anomaly-state.ts';
import { readStatusMetrics, type StatusMetrics } from './status.ts';
import { totalsMetrics } from './totals-metrics.ts';
import { webhookMetrics } from './webhook-metrics.ts';

/** The text format of Prometheus, version 0.0.4. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Metric {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  samples: { labels?: Record<string, string>; value: number | bigint }[];
}

/**
 * Adds `GET /metrics`: the pipeline's state in Prometheus' text format, read from the ledger, so that any one process
 * tells it for all. Needs a key with finance or admin, unless the configuration makes it public.
 */
export function addMetricsRoute(api: Api, dependencies: ApiDependencies): void {
  const { metricsPublic } = dependencies.settings ?? DEFAULT_API_SETTINGS;
  if (!metricsPublic) api.use('/metrics', requireScope(dependencies, 'finance'));
  api.get('/metrics', async (context) => {
    const now = dependencies.clock.now();
    const read = await readStatusMetrics(dependencies.database, now);
    const metrics = [
      ...pipelineMetrics(read, now, alarmAfterMsOf(dependencies)),
      ...closeMetrics(read.report.closes, now),
      ...webhookMetrics(read, now),
      ...anomalyMetrics(read.report.anomalies, now),
    ];
    context.header('Content-Type', CONTENT_TYPE);
    context.header('Cache-Control', 'no-store');
    return context.body(renderMetrics(metrics));
  });
}

function pipelineMetrics(
  { report: status, rescans, undividedPushCount, reconciliation }: StatusMetrics,
  now: Date,
  alarmAfterMs: number,
): Metric[] {
  const ageOf = (instant: Date) => Math.max(0, (now.getTime() - instant.getTime()) / 1_000);
  const gauge = (name: string, help: string, samples: Metric['samples']): Metric => ({
    name: `tallystick_${name}`,
    help,
    type: 'gauge',
    samples,
  });
  const counter = (name: string, help: string, samples: Metric['samples']): Metric => ({
    ...gauge(name, help, samples),
    type: 'counter',
  });
  const byStatus = (counts: Record<string, bigint>) =>
    Object.entries(counts).map(([name, value]) => ({ labels: { status: name }, value }));
  const perStep = (pick: (step: (typeof status.steps)[number]) => number | bigint | null) =>
    status.steps.flatMap((step) => {
      const value = pick(step);
      return value === null ? [] : [{ labels: { step: step.step }, value }];
    });
  const seconds = (instant: Date | null) => (instant === null ? null : instant.getTime() / 1_000);
  const { oldestOpenHour } = status.hours;
  return [
    gauge(
      'watermark_age_seconds',
      'How far collecting is behind now, by source.',
      status.watermarks.map(({ source, position }) => ({ labels: { source }, value: ageOf(position) })),
    ),
    gauge(
      'rescan_age_seconds',
      'Since the last night that was rescanned, by source.',
      rescans.map(({ source, position }) => ({ labels: { source }, value: ageOf(position) })),
    ),
    gauge('open_hours', 'Hours that are not settled.', [{ value: status.hours.openCount }]),
    gauge(
      'oldest_open_hour_age_seconds',
      'Since the start of the oldest hour that is not settled; 0 when none.',
      [{ value: oldestOpenHour === null ? 0 : ageOf(oldestOpenHour) }],
    ),
    gauge('usage_events', 'Usage events, by status.', byStatus(status.usageEvents)),
    gauge('meter_pushes', 'Pushes to Stripe, by status.', byStatus(status.meterPushes)),
    gauge(
      'undivided_pushes',
      'Pushes of hours that a period boundary cuts and whose meter cannot be told parts.',
      [{ value: undividedPushCount }],
    ),
    gauge('unassigned_tokens', 'Settled tokens that no push carries yet.', [
      { value: status.unassignedTokenCount },
    ]),
    ...totalsMetrics(status.totals),
    gauge(
      'quarantined_tokens',
      'Tokens that wait, by stage and reason; of metrics that nobody knows by their names.',
      status.quarantine.map(({ tokenCount, ...waiting }) => ({
        labels: labelsOf(waiting),
        value: tokenCount,
      })),
    ),
    gauge(
      'quarantine_oldest_age_seconds',
      'How long the oldest of them waits.',
      status.quarantine.map(({ oldestAt, ...waiting }) => ({
        labels: labelsOf(waiting),
        value: ageOf(oldestAt),
      })),
    ),
    gauge('quarantine_alarming', '1 when something waits longer than QUARANTINE_ALARM_HOURS.', [
      { value: status.quarantine.some((entry) => isAlarming(entry, now, alarmAfterMs)) ? 1 : 0 },
    ]),
    gauge('cost_days_due', 'Days whose cost waits to be rated (again).', [
      { value: status.costs.dueDayCount },
    ]),
    gauge(
      'unknown_cost_tokens',
      'Tokens that no price is known for, by model and reason.',
      status.costs.unknown.map(({ model, reason, tokenCount }) => ({
        labels: { model, reason },
        value: tokenCount,
      })),
    ),
    gauge(
      'customers_by_ledger',
      'Customers whose users OpenMeter does not all have, by reason.',
      status.attributions.map(({ reason, customerCount }) => ({ labels: { reason }, value: customerCount })),
    ),
    gauge('open_drifts', 'Differences between the ledger and OpenMeter that are not resolved.', [
      { value: status.openDriftCount },
    ]),
    gauge(
      'summary_waits',
      "Customers and meters of which Stripe's event summaries do not show yet what was sent.",
      [{ value: status.summaryWaits.pairCount }],
    ),
    gauge('openmeter_sink_outage', '1 while OpenMeter takes events and shows none of them.', [
      { value: status.openMeterSink.outage === null ? 0 : 1 },
    ]),
    gauge('openmeter_sink_outage_age_seconds', 'Since the first event was sent that does not show.', [
      { value: status.openMeterSink.outage === null ? 0 : ageOf(status.openMeterSink.outage.since) },
    ]),
    gauge(
      'openmeter_stuck_subjects',
      'Subjects whose events do not show in OpenMeter while those of others do.',
      [{ value: status.openMeterSink.stuckSubjectCount }],
    ),
    gauge(
      'drifts',
      'Differences that are not resolved, by the system that differs and by class.',
      reconciliation.drifts.map(({ boundary, driftClass, count }) => ({
        labels: { boundary, class: driftClass },
        value: count,
      })),
    ),
    gauge(
      'drift_oldest_age_seconds',
      'How long the oldest of them is known.',
      reconciliation.drifts.map(({ boundary, driftClass, oldestAt }) => ({
        labels: { boundary, class: driftClass },
        value: ageOf(oldestAt),
      })),
    ),
    gauge('doubted_pairs', 'Customers and meters whose sums at Stripe are to be looked at again.', [
      { value: reconciliation.doubtedPairCount },
    ]),
    gauge('invoice_differences', 'Invoice quantities that are not what the delivered pushes say.', [
      { value: reconciliation.invoiceDifferenceCount },
    ]),
    gauge(
      'stripe_reads_today',
      'Event summaries read in this UTC day, by purpose.',
      Object.entries(reconciliation.stripeReads).map(([purpose, value]) => ({ labels: { purpose }, value })),
    ),
    gauge(
      'price_book_age_seconds',
      'Since the day of the lists that the prices in force are of.',
      status.priceBook.asOf === null ? [] : [{ value: ageOf(new Date(status.priceBook.asOf)) }],
    ),
    gauge(
      'price_sync_age_seconds',
      "Since Azure's price list was last held against the price book.",
      status.priceSync.lastDoneAt === null ? [] : [{ value: ageOf(status.priceSync.lastDoneAt) }],
    ),
    gauge(
      'price_sync_waiting_items',
      'Listed prices that wait for a person, by what is the matter.',
      status.priceSync.waiting.map(({ verdict, itemCount }) => ({ labels: { verdict }, value: itemCount })),
    ),
    counter(
      'step_runs_total',
      'Runs of each step.',
      perStep((step) => step.runCount),
    ),
    counter(
      'step_failures_total',
      'Runs of each step that failed.',
      perStep((step) => step.failedCount),
    ),
    gauge(
      'step_last_started_timestamp_seconds',
      'When each step last began.',
      perStep((step) => seconds(step.lastStartedAt)),
    ),
    gauge(
      'step_last_success_timestamp_seconds',
      'When each step last succeeded.',
      perStep((step) => seconds(step.lastSucceededAt)),
    ),
    gauge(
      'step_error',
      'By code, while the last run of a step failed.',
      status.steps.flatMap(({ step, lastError }) =>
        lastError === null ? [] : [{ labels: { step, code: lastError }, value: 1 }],
      ),
    ),
    gauge(
      'step_failing',
      '1 while the last run of a step failed.',
      perStep((step) => (step.lastError === null ? 0 : 1)),
    ),
    gauge(
      'step_lease_age_seconds',
      'How long each running step is held; abandoned by a process that died, when not renewed.',
      status.leases.map(({ step, isAbandoned, ageSeconds }) => ({
        labels: { step, abandoned: String(isAbandoned) },
        value: ageSeconds,
      })),
    ),
    gauge(
      'queue_jobs',
      'Jobs in the queue, by state, as a worker last saw them.',
      status.queues.flatMap((queue) =>
        Object.entries({
          waiting: queue.waitingCount,
          active: queue.activeCount,
          delayed: queue.delayedCount,
          failed: queue.failedCount,
        }).map(([state, value]) => ({ labels: { state }, value })),
      ),
    ),
    gauge(
      'queue_oldest_waiting_age_seconds',
      'How long the job at the head of the queue waits; 0 when none.',
      status.queues.map(({ oldestWaitingAt }) => ({
        value: oldestWaitingAt === null ? 0 : ageOf(oldestWaitingAt),
      })),
    ),
    gauge(
      'queue_observed_age_seconds',
      'Since a worker last read the queue.',
      status.queues.flatMap(({ observedAt }) => (observedAt === null ? [] : [{ value: ageOf(observedAt) }])),
    ),
    gauge(
      'queue_failing',
      '1 for why the queue takes no work: QUEUE_FULL, QUEUE_UNREACHABLE.',
      status.queues.flatMap(({ error }) => (error === null ? [] : [{ labels: { code: error }, value: 1 }])),
    ),
  ];
}

/** Metrics that nobody knows are few: names that the gateway emits. */
function labelsOf({ stage, reason, metricName }: Pick<QuarantineSummary, 'stage' | 'reason' | 'metricName'>) {
  return { stage, reason, ...(metricName === null ? {} : { metric: metricName }) };
}

function renderMetrics(metrics: readonly Metric[]): string {
  return metrics
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(({ labels = {}, value }) => `${name}${renderLabels(labels)} ${value}`),
        '',
      ].join('\n'),
    )
    .join('');
}

function renderLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
