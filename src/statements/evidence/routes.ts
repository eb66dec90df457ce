import { createRoute, z } from '@hono/zod-openapi';
import { formatMinor } from '../../../pricing/money.ts';
import { openTo } from '../../identity/require-scope.ts';
import { addMs, HOUR_MS } from '../../platform/clock.ts';
import { decodeCursor, invalidCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api } from '../../platform/http/dependencies.ts';
import { jsonContent, problems } from '../../platform/http/schemas.ts';
import type { StatementDependencies } from '../dependencies.ts';
import { InvoiceIdSchema } from '../schemas.ts';
import { addEvidenceEventRoutes } from './events.ts';
import { readEvidenceHours, sumEvidenceHours } from './hours.ts';
import { compareLevels, gatherEvidence, readEvidencedInvoice, readEvidencedLine } from './lines.ts';
import {
  EvidenceHoursSchema,
  EvidenceLinesSchema,
  EvidencePage,
  EvidenceParams,
  evidencePath,
} from './schemas.ts';

/**
 * Adds what leads from an invoice's line to the rows of the source: its hours, an hour's usage events, an event's source
 * rows and the queries that found them. Each level says whether it sums to the one above.
 */
export function addEvidenceRoutes(api: Api, dependencies: StatementDependencies): void {
  const common = {
    method: 'get' as const,
    tags: ['Evidence'],
    ...openTo(dependencies, 'finance'),
  };
  const mayFail = problems(404, 503);

  const linesRoute = createRoute({
    ...common,
    path: '/v1/invoices/{invoiceId}/lines',
    summary: 'The lines of an invoice as Stripe has them',
    request: { params: z.object({ invoiceId: InvoiceIdSchema }) },
    responses: { 200: jsonContent(EvidenceLinesSchema, "In the invoice's own order."), ...mayFail },
  });
  api.openapi(linesRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const { invoice, lines } = await gatherEvidence(dependencies, invoiceId, (snapshot) =>
      readEvidencedInvoice(snapshot, invoiceId),
    );
    const { currency } = invoice;
    return context.json(
      {
        invoiceId,
        customerId: invoice.customerId,
        currency,
        status: invoice.status,
        readAt: invoice.readAt?.toISOString() ?? null,
        total: formatMinor(invoice.totalMinor, currency),
        lines: lines.map(({ line, name, kind, of }) => ({
          lineId: line.lineId,
          kind,
          name,
          description: line.description,
          quantity: line.quantity === null ? null : String(line.quantity),
          amount: formatMinor(line.amountMinor, currency),
          unitAmountDecimal: line.unitAmountDecimal,
          periodStart: line.period.start.toISOString(),
          periodEnd: line.period.end.toISOString(),
          stripeMeterId: line.stripeMeterId,
          evidence: of === null ? null : evidencePath(invoiceId, line.lineId),
        })),
      },
      200,
    );
  });

  const hoursRoute = createRoute({
    ...common,
    path: '/v1/invoices/{invoiceId}/lines/{lineId}/evidence',
    summary: 'The hours that a line bills: when each was settled, and how Stripe was told',
    request: { params: EvidenceParams, query: EvidencePage },
    responses: { 200: jsonContent(EvidenceHoursSchema, 'A page of hours.'), ...mayFail },
  });
  api.openapi(hoursRoute, async (context) => {
    const { invoiceId, lineId } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    const after = cursor === undefined ? null : new Date(decodeCursor(cursor, 1)[0] ?? '');
    if (after !== null && Number.isNaN(after.getTime())) throw invalidCursor();
    const { name, group, sums, found } = await gatherEvidence(dependencies, invoiceId, async (snapshot) => {
      const line = await readEvidencedLine(snapshot, invoiceId, lineId);
      const sums = await sumEvidenceHours(snapshot, line.of);
      return {
        ...line,
        sums,
        found: await readEvidenceHours(snapshot, line.of, { after, limit: limit + 1 }),
      };
    });
    const { page, nextCursor } = takePage(found, limit, (last) => [last.windowStart.toISOString()]);
    const path = evidencePath(invoiceId, lineId);
    return context.json(
      {
        invoiceId,
        lineId,
        name,
        lineTokenCount: String(group.tokenCount),
        sharedWithLineIds: group.lines.map((line) => line.lineId).filter((id) => id !== lineId),
        hourCount: sums.hourCount,
        hoursTokenCount: String(sums.tokenCount),
        pushedTokenCount: sums.pushedTokenCount === null ? null : String(sums.pushedTokenCount),
        agreement: compareLevels(group.tokenCount, sums.tokenCount, (difference) =>
          difference > 0n
            ? 'The line bills more than the ledger metered for it.'
            : 'The ledger metered more for this line than it bills.',
        ),
        hours: page.map((hour) => ({
          windowStart: hour.windowStart.toISOString(),
          windowEnd: addMs(hour.windowStart, HOUR_MS).toISOString(),
          tokenCount: String(hour.tokenCount),
          settledAt: hour.settledAt?.toISOString() ?? null,
          agreement: compareLevels(
            hour.pushedTokenCount ?? hour.tokenCount,
            hour.tokenCount,
            () => 'What was pushed for this hour is not what was metered in it.',
          ),
          pushes: hour.pushes.map((push) => ({
            identifier: push.identifier,
            revision: push.revision,
            status: push.status,
            addedTokenCount: String(push.deltaTokenCount),
            sentValue: String(push.sentValue),
            eventTimestamp: push.eventTimestamp.toISOString(),
            deliveredAt: push.deliveredAt?.toISOString() ?? null,
          })),
          events: `${path}/hours/${hour.windowStart.toISOString()}`,
        })),
        nextCursor,
      },
      200,
    );
  });
  addEvidenceEventRoutes(api, dependencies);
}
