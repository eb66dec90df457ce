import { createRoute, z } from '@hono/zod-openapi';
import { SummaryWaitsSchema, showSummaryWaits } from '../billing/summary-waits.ts';
import { AttributionSummarySchema, showAttributionSummary } from '../catalog/attribution-summary.ts';
import type { DoubleBinding } from '../catalog/billing-places.ts';
import { CloseStateSchema } from '../closing/schemas.ts';
import type { CloseTotals } from '../closing/totals.ts';
import { openTo } from '../identity/require-scope.ts';
import { secondsBetween } from '../platform/clock.ts';
import {
  type Api,
  type ApiDependencies,
  alarmAfterMsOf,
  DEFAULT_API_SETTINGS,
} from '../platform/http/dependencies.ts';
import {
  CountSchema,
  InstantSchema,
  jsonContent,
  problems,
  TokenCountSchema,
} from '../platform/http/schemas.ts';
import type { PriceSyncState } from '../prices/sync/runs.ts';
import { isAlarming } from '../quarantine/entries.ts';
import { QuarantineSummarySchema, showQuarantineSummary } from '../quarantine/summary.ts';
import { NotedMetricSchema, showNotedMetric } from '../usage/collection/noted-metrics.ts';
import type { SinkState } from '../usage/events/sink-state.ts';
import { AnomalyStateSchema, showAnomalyState } from './anomaly-state.ts';
import { QueueStateSchema, showQueueState } from './queue-states.ts';
import { readStatusReport } from './status.ts';
import { showTokenTotals, TokenTotalsSchema } from './totals-schema.ts';

const PipelineStatusSchema = z
  .object({
    asOf: InstantSchema,
    watermarks: z.array(
      z.object({
        source: z.string(),
        position: InstantSchema,
        updatedAt: InstantSchema,
        ageSeconds: z.int().openapi({ description: 'How far the source is behind now.' }),
      }),
    ),
    usageEvents: z.object({
      pending: CountSchema,
      sent: CountSchema,
      confirmed: CountSchema,
      quarantined: CountSchema,
    }),
    hours: z.object({
      openCount: CountSchema,
      settledCount: CountSchema,
      oldestOpenHour: InstantSchema.nullable(),
    }),
    meterPushes: z.object({ pending: CountSchema, delivered: CountSchema, refused: CountSchema }),
    totals: TokenTotalsSchema,
    unassignedTokenCount: TokenCountSchema,
    quarantine: z.array(QuarantineSummarySchema),
    notedMetrics: z
      .array(NotedMetricSchema)
      .openapi({ description: 'Metrics that nobody knows, as far as they counted nothing: nothing waits.' }),
    quarantineAlarming: z.boolean(),
    steps: z.array(
      z.object({
        step: z.string(),
        lastStartedAt: InstantSchema.nullable(),
        lastSucceededAt: InstantSchema.nullable(),
        lastFailedAt: InstantSchema.nullable(),
        lastError: z
          .string()
          .nullable()
          .openapi({ description: 'Code of the last failure; the log has more.' }),
        runCount: CountSchema,
        failedCount: CountSchema,
      }),
    ),
    leases: z
      .array(
        z.object({
          step: z.string(),
          holder: z.string().openapi({ description: 'Host and process that runs the step.' }),
          ageSeconds: z.int(),
          isAbandoned: z.boolean().openapi({
            description: 'Not renewed in time: its holder is dead, and the next run takes it over.',
          }),
        }),
      )
      .openapi({ description: 'Steps that are running, or were when their process died.' }),
    queues: z.array(QueueStateSchema),
    webhooks: z
      .object({ dueCount: CountSchema, oldestDueSeconds: z.int() })
      .openapi({ description: 'Events that were recorded and whose work is not done yet.' }),
    doubleBindings: z
      .array(
        z.object({
          customerId: z.string(),
          stripeMeterId: z.string(),
          eventName: z.string(),
          subscriptionItemIds: z.array(z.string()),
          heldTokenCount: TokenCountSchema,
        }),
      )
      .openapi({
        description:
          'Meters that two or more active items of a customer would bill, each all of its usage. Nothing is pushed to them until one item is gone.',
      }),
    attributions: z.array(AttributionSummarySchema).openapi({
      description:
        'Customers whose users OpenMeter does not all have as subject keys; billing goes by the ledger.',
    }),
    openDriftCount: CountSchema,
    summaryWaits: SummaryWaitsSchema,
    openMeterSink: z.object({
      outageSince: InstantSchema.nullable().openapi({
        description: 'OpenMeter takes events and shows none sent since then; null: no outage is known.',
      }),
      outageNoticedAt: InstantSchema.nullable(),
      stuckSubjectCount: CountSchema.openapi({
        description: 'Subjects whose events do not show while those of others do.',
      }),
      stuckSince: InstantSchema.nullable(),
    }),
    closes: z.object({
      states: z.array(z.object({ state: CloseStateSchema, count: CountSchema, oldestAt: InstantSchema })),
      heldCount: CountSchema.openapi({ description: 'Invoices that differ and wait for a person.' }),
      nextDeadline: InstantSchema.nullable().openapi({
        description: 'When Stripe finalizes the first held invoice by itself.',
      }),
      certificateCount: CountSchema,
      driftTokenCount: TokenCountSchema,
      mismatchCount: CountSchema,
      proposedCreditCount: CountSchema,
    }),
    costs: z.object({
      dueDayCount: CountSchema.openapi({ description: 'Days whose cost waits to be rated (again).' }),
      unknown: z
        .array(
          z.object({
            model: z.string(),
            reason: z.string(),
            tokenCount: TokenCountSchema,
            oldestDay: z.string(),
          }),
        )
        .openapi({ description: 'Tokens that no price is known for; their cost is unknown, not zero.' }),
    }),
    anomalies: AnomalyStateSchema,
    priceBook: z.object({
      version: z.string(),
      asOf: z.iso.date().nullable().openapi({
        description: 'Day of the lists that its prices in force are of; null: none names one.',
      }),
      ageDays: z.int().nullable(),
      isOld: z.boolean().openapi({ description: 'Older than PRICE_BOOK_WARN_DAYS.' }),
    }),
    priceSync: z.object({
      lastDoneAt: InstantSchema.nullable().openapi({
        description: "When Azure's price list was last held against the price book; null: never.",
      }),
      ageSeconds: z.int().nullable(),
      waiting: z.array(z.object({ verdict: z.string(), itemCount: CountSchema, oldestAt: InstantSchema })),
    }),
  })
  .openapi('PipelineStatus');

/** Adds `GET /v1/status`: how far each step of the pipeline is, and what waits. */
export function addStatusRoutes(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/status',
    tags: ['Pipeline'],
    summary: 'How far the pipeline is, and what waits',
    ...openTo(dependencies, 'finance'),
    responses: { 200: jsonContent(PipelineStatusSchema, 'The status.'), ...problems() },
  });

  api.openapi(route, async (context) => {
    const now = dependencies.clock.now();
    const status = await readStatusReport(dependencies.database, now);
    const alarmAfterMs = alarmAfterMsOf(dependencies);
    const { settings = DEFAULT_API_SETTINGS } = dependencies;
    const due = status.webhooks;
    return context.json(
      {
        asOf: now.toISOString(),
        watermarks: status.watermarks.map((watermark) => ({
          source: watermark.source,
          position: watermark.position.toISOString(),
          updatedAt: watermark.updatedAt.toISOString(),
          ageSeconds: Math.floor((now.getTime() - watermark.position.getTime()) / 1_000),
        })),
        usageEvents: {
          pending: String(status.usageEvents.pending),
          sent: String(status.usageEvents.sent),
          confirmed: String(status.usageEvents.confirmed),
          quarantined: String(status.usageEvents.quarantined),
        },
        hours: {
          openCount: String(status.hours.openCount),
          settledCount: String(status.hours.settledCount),
          oldestOpenHour: status.hours.oldestOpenHour?.toISOString() ?? null,
        },
        meterPushes: {
          pending: String(status.meterPushes.pending),
          delivered: String(status.meterPushes.delivered),
          refused: String(status.meterPushes.refused),
        },
        totals: showTokenTotals(status.totals),
        unassignedTokenCount: String(status.unassignedTokenCount),
        notedMetrics: status.notedMetrics.map(showNotedMetric),
        quarantine: status.quarantine.map((entry) => showQuarantineSummary(entry, now, alarmAfterMs)),
        quarantineAlarming: status.quarantine.some((entry) => isAlarming(entry, now, alarmAfterMs)),
        steps: status.steps.map((step) => ({
          step: step.step,
          lastStartedAt: step.lastStartedAt?.toISOString() ?? null,
          lastSucceededAt: step.lastSucceededAt?.toISOString() ?? null,
          lastFailedAt: step.lastFailedAt?.toISOString() ?? null,
          lastError: step.lastError,
          runCount: String(step.runCount),
          failedCount: String(step.failedCount),
        })),
        leases: status.leases,
        queues: status.queues.map((queue) => showQueueState(queue, now)),
        webhooks: {
          dueCount: String(due.dueCount),
          oldestDueSeconds: due.oldestDueAt === null ? 0 : secondsBetween(due.oldestDueAt, now),
        },
        doubleBindings: status.doubleBindings.map(showDoubleBinding),
        attributions: status.attributions.map(showAttributionSummary),
        openDriftCount: String(status.openDriftCount),
        summaryWaits: showSummaryWaits(status.summaryWaits),
        openMeterSink: showSinkState(status.openMeterSink),
        closes: showCloseTotals(status.closes),
        costs: {
          dueDayCount: String(status.costs.dueDayCount),
          unknown: status.costs.unknown.map((entry) => ({ ...entry, tokenCount: String(entry.tokenCount) })),
        },
        anomalies: showAnomalyState(status.anomalies),
        priceBook: {
          ...status.priceBook,
          isOld: (status.priceBook.ageDays ?? 0) > settings.priceBookWarnDays,
        },
        priceSync: showPriceSync(status.priceSync, now),
      },
      200,
    );
  });
}

function showCloseTotals(closes: CloseTotals) {
  const countOf = (rows: readonly { state: string; count: bigint }[], state: string) =>
    String(rows.find((row) => row.state === state)?.count ?? 0n);
  return {
    states: closes.states.map((row) => ({
      state: row.state,
      count: String(row.count),
      oldestAt: row.oldestAt.toISOString(),
    })),
    heldCount: countOf(closes.states, 'held'),
    nextDeadline: closes.nextDeadline?.toISOString() ?? null,
    certificateCount: String(closes.certificateCount),
    driftTokenCount: String(closes.driftTokenCount),
    mismatchCount: String(closes.mismatchCount),
    proposedCreditCount: countOf(closes.credits, 'proposed'),
  };
}

function showSinkState({ outage, stuckSubjectCount, stuckSince }: SinkState) {
  return {
    outageSince: outage?.since.toISOString() ?? null,
    outageNoticedAt: outage?.noticedAt.toISOString() ?? null,
    stuckSubjectCount: String(stuckSubjectCount),
    stuckSince: stuckSince?.toISOString() ?? null,
  };
}

function showDoubleBinding({ heldTokenCount, ...binding }: DoubleBinding) {
  return { ...binding, heldTokenCount: String(heldTokenCount) };
}

function showPriceSync({ lastDoneAt, waiting }: PriceSyncState, now: Date) {
  return {
    lastDoneAt: lastDoneAt?.toISOString() ?? null,
    ageSeconds:
      lastDoneAt === null ? null : Math.max(0, Math.floor((now.getTime() - lastDoneAt.getTime()) / 1_000)),
    waiting: waiting.map(({ verdict, itemCount, oldestAt }) => ({
      verdict,
      itemCount: String(itemCount),
      oldestAt: oldestAt.toISOString(),
    })),
  };
}
