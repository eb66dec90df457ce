import { createRoute } from '@hono/zod-openapi';
import { addsTo, FIGURES, keyOf, SOURCE_FIGURES, type SourceFigure } from '../../../pricing/usage/shape.ts';
import { buildQueryText } from '../../azure/query-templates.ts';
import { openTo } from '../../identity/require-scope.ts';
import { TallystickError } from '../../platform/errors.ts';
import { decodeCursor, invalidCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api } from '../../platform/http/dependencies.ts';
import { InstantSchema, jsonContent, problems, textSchema } from '../../platform/http/schemas.ts';
import type { StatementDependencies } from '../dependencies.ts';
import {
  type EvidenceSourceItem,
  readEvidenceEvent,
  readEvidenceEvents,
  readEvidenceSource,
  sumEvidenceEvents,
} from './event-rows.ts';
import { compareLevels, gatherEvidence, readEvidencedLine } from './lines.ts';
import {
  EvidenceEventsSchema,
  EvidencePage,
  EvidenceParams,
  EvidenceSourceSchema,
  evidencePath,
} from './schemas.ts';

const HourParams = EvidenceParams.extend({
  windowStart: InstantSchema.refine((text) => /:00:00(?:\.0+)?Z$/.test(text), {
    error: 'must be the start of an hour, e.g. 2026-11-21T10:00:00Z',
  }),
});
const EventParams = EvidenceParams.extend({ usageEventId: textSchema(255).min(1) });

/** Adds an hour's usage events and an event's source rows, below a line's evidence. */
export function addEvidenceEventRoutes(api: Api, dependencies: StatementDependencies): void {
  const common = {
    method: 'get' as const,
    tags: ['Evidence'],
    ...openTo(dependencies, 'finance'),
  };
  const mayFail = problems(404, 503);

  const hourRoute = createRoute({
    ...common,
    path: '/v1/invoices/{invoiceId}/lines/{lineId}/evidence/hours/{windowStart}',
    summary: 'The usage events of one hour of a line',
    request: { params: HourParams, query: EvidencePage },
    responses: { 200: jsonContent(EvidenceEventsSchema, 'A page of events.'), ...mayFail },
  });
  api.openapi(hourRoute, async (context) => {
    const { invoiceId, lineId, windowStart: text } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    const windowStart = new Date(text);
    const after = cursor === undefined ? null : readEventCursor(cursor);
    const { sums, found } = await gatherEvidence(dependencies, invoiceId, async (snapshot) => {
      const { of } = await readEvidencedLine(snapshot, invoiceId, lineId);
      return {
        sums: await sumEvidenceEvents(snapshot, of, windowStart),
        found: await readEvidenceEvents(snapshot, of, { windowStart, after, limit: limit + 1 }),
      };
    });
    const { page, nextCursor } = takePage(found, limit, (last) => [
      last.eventTime.toISOString(),
      last.usageEventId,
    ]);
    const path = evidencePath(invoiceId, lineId);
    return context.json(
      {
        invoiceId,
        lineId,
        windowStart: windowStart.toISOString(),
        hourTokenCount: String(sums.tokenCount),
        eventCount: sums.eventCount,
        eventsTokenCount: String(sums.eventTokenCount),
        elsewhereTokenCount: String(sums.elsewhereTokenCount),
        agreement: compareLevels(
          sums.tokenCount + sums.elsewhereTokenCount,
          sums.eventTokenCount,
          (difference) =>
            difference < 0n
              ? 'There are events that the hour does not hold yet: it is settled again when both counts are equal.'
              : 'The hour holds more than its events: their rows were removed, or the ledger is damaged.',
        ),
        events: page.map((event) => ({
          ...event,
          eventTime: event.eventTime.toISOString(),
          tokenCount: String(event.tokenCount),
          requestCount: String(event.requestCount),
          source: `${path}/events/${encodeURIComponent(event.usageEventId)}`,
        })),
        nextCursor,
      },
      200,
    );
  });

  const eventRoute = createRoute({
    ...common,
    path: '/v1/invoices/{invoiceId}/lines/{lineId}/evidence/events/{usageEventId}',
    summary: 'The source rows of a usage event, and the text of the queries that found them',
    request: { params: EventParams },
    responses: { 200: jsonContent(EvidenceSourceSchema, 'The event.'), ...mayFail },
  });
  api.openapi(eventRoute, async (context) => {
    const { invoiceId, lineId, usageEventId } = context.req.valid('param');
    const { event, items, queries } = await gatherEvidence(dependencies, invoiceId, async (snapshot) => {
      const { of } = await readEvidencedLine(snapshot, invoiceId, lineId);
      const event = await readEvidenceEvent(snapshot, of, usageEventId);
      if (event === null) throw noEvent(usageEventId, lineId);
      return { event, ...(await readEvidenceSource(snapshot, event)) };
    });
    const source = sumByKind(items);
    const own = bySourceFigure((name) => event[FIGURES[name].property]);
    const differs = SOURCE_FIGURES.find((name) => own[name] !== source[name]);
    const agreement = compareLevels(own[differs ?? 'prompt'], source[differs ?? 'prompt'], () =>
      items.length === 0
        ? 'Its source rows are not kept any more: single rows go once they are billed and old (LEDGER_RETENTION_DAYS).'
        : `The ${differs} tokens of the event are not those of its source rows.`,
    );
    return context.json(
      {
        invoiceId,
        lineId,
        usageEventId,
        eventTime: event.eventTime.toISOString(),
        windowStart: event.windowStart.toISOString(),
        ...keyOf(event),
        sentAt: event.sentAt?.toISOString() ?? null,
        tokenCounts: bySourceFigure((name) => String(own[name])),
        sourceTokenCounts: bySourceFigure((name) => String(source[name])),
        agreement,
        items: items.map((item) => ({
          sourceItemId: item.sourceItemId,
          metricName: item.metricName,
          tokenKind: item.tokenKind,
          tokenCount: String(item.tokenCount),
          eventTime: item.eventTime?.toISOString() ?? null,
          ingestedAt: item.ingestedAt.toISOString(),
          queryId: String(item.collectionWindowId),
        })),
        queries: queries.map((query) => ({
          queryId: String(query.collectionWindowId),
          source: query.source,
          by: query.cursorKind,
          windowStart: query.windowStart.toISOString(),
          windowEnd: query.windowEnd.toISOString(),
          collectedAt: query.collectedAt.toISOString(),
          rowCount: query.rowCount,
          queryText: buildQueryText(query.recipe, {
            window: { start: query.windowStart, end: query.windowEnd },
            by: query.cursorKind,
          }),
        })),
      },
      200,
    );
  });
}

function sumByKind(items: readonly EvidenceSourceItem[]): Record<SourceFigure, bigint> {
  return bySourceFigure((name) =>
    items.filter((item) => addsTo(item, name)).reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
  );
}

function bySourceFigure<Value>(read: (name: SourceFigure) => Value): Record<SourceFigure, Value> {
  return Object.fromEntries(SOURCE_FIGURES.map((name) => [name, read(name)])) as Record<SourceFigure, Value>;
}

function readEventCursor(cursor: string): { eventTime: Date; usageEventId: string } {
  const [time = '', usageEventId = ''] = decodeCursor(cursor, 2);
  const eventTime = new Date(time);
  if (Number.isNaN(eventTime.getTime())) throw invalidCursor();
  return { eventTime, usageEventId };
}

function noEvent(usageEventId: string, lineId: string): TallystickError {
  return new TallystickError(`Line ${lineId} bills nothing of an event ${JSON.stringify(usageEventId)}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: "Take an event of one of the line's hours.",
  });
}
