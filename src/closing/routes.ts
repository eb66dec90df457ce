import { createRoute, z } from '@hono/zod-openapi';
import { doOrAsk } from '../billing/second-person/do-or-ask.ts';
import { SecondPersonAskedSchema, showAsked } from '../billing/second-person/schemas.ts';
import { readInvoiceChoice } from '../billing/uninvoiced/choices.ts';
import { openTo } from '../identity/require-scope.ts';
import { readMonth } from '../platform/clock.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, askForStep } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { findCertificate, getCertificate, isCertificateSound } from './certificates.ts';
import { getClose, listCloses } from './desk.ts';
import {
  CloseCertificateSchema,
  CloseInvoiceParams,
  CloseSchema,
  CloseStateSchema,
  CloseStepSchema,
  showCertificate,
  showClose,
  showCloseStep,
} from './schemas.ts';
import { CLOSE_RELEASE } from './second-person/release-act.ts';
import { addSecondPersonRoutes } from './second-person/routes.ts';
import { addCloseWindowRoutes } from './windows.ts';

const PeriodSchema = z
  .string()
  .regex(/^20\d{2}-(0[1-9]|1[0-2])$/, { error: 'must be a month such as 2026-10' })
  .openapi({
    description: 'Periods that end in this month, UTC, its first instant excluded.',
    example: '2026-10',
  });
const ClosesQuery = z.strictObject({
  period: PeriodSchema.optional(),
  customerId: IdentifierSchema.optional(),
  state: CloseStateSchema.optional(),
  ...PAGE_FIELDS,
});
const ReleaseBody = z
  .strictObject({
    reason: textSchema(2_000)
      .refine((text) => text.trim() !== '', { error: 'is missing; say why it may go as it is' })
      .openapi({ example: 'Stripe shows 12 tokens less; agreed with the customer.' }),
  })
  .openapi('CloseRelease');

/** Adds `/v1/closes`: what is being closed, each with its steps and its certificate, and a person's release. */
export function addCloseRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const reading = {
    method: 'get' as const,
    tags: ['Billing'],
    ...openTo(dependencies, 'finance'),
  };

  const listRoute = createRoute({
    ...reading,
    path: '/v1/closes',
    summary: 'Invoices whose period is being closed, or was',
    request: { query: ClosesQuery },
    responses: {
      200: jsonContent(
        z.object({ closes: z.array(CloseSchema), nextCursor: z.string().nullable() }).openapi('Closes'),
        'The latest period first.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { period, customerId, state, cursor, limit } = context.req.valid('query');
    const month = period === undefined ? null : readMonth(period);
    const rows = await listCloses(
      database,
      { customerId, state, periodEndsAfter: month?.start, periodEndsUntil: month?.end },
      { after: cursor === undefined ? null : readCursor(cursor), limit: limit + 1 },
    );
    const { page, nextCursor } = takePage(rows, limit, (last) => [
      last.periodEnd.toISOString(),
      last.invoiceId,
    ]);
    return context.json({ closes: page.map(showClose), nextCursor }, 200);
  });

  const getRoute = createRoute({
    ...reading,
    path: '/v1/closes/{invoiceId}',
    summary: 'One close: its steps, what differs, what was compared',
    request: { params: CloseInvoiceParams },
    responses: {
      200: jsonContent(
        z
          .object({
            close: CloseSchema,
            steps: z.array(CloseStepSchema),
            comparison: z.record(z.string(), z.unknown()).nullable().openapi({
              description: 'What was last held against each other, as the certificate has it.',
            }),
            certificate: z.object({ sha256: z.string(), createdAt: z.string() }).nullable(),
          })
          .openapi('CloseDetail'),
        'Every step with its instant.',
      ),
      ...problems(404),
    },
  });
  api.openapi(getRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const [{ close, steps, comparison }, certificate] = await readSnapshot(database, async (snapshot) => [
      await getClose(snapshot, invoiceId),
      await findCertificate(snapshot, invoiceId),
    ]);
    return context.json(
      {
        close: showClose(close),
        steps: steps.map(showCloseStep),
        comparison: comparison as Record<string, unknown> | null,
        certificate:
          certificate === null
            ? null
            : { sha256: certificate.sha256, createdAt: certificate.createdAt.toISOString() },
      },
      200,
    );
  });

  const certificateRoute = createRoute({
    ...reading,
    path: '/v1/closes/{invoiceId}/certificate',
    summary: 'The proof that source, meter and invoice matched, with its hash',
    request: { params: CloseInvoiceParams },
    responses: {
      200: jsonContent(CloseCertificateSchema, 'As it was written; never changed.'),
      ...problems(404),
    },
  });
  api.openapi(certificateRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const { certificate, choice } = await readSnapshot(database, async (snapshot) => ({
      certificate: await getCertificate(snapshot, invoiceId),
      choice: await readInvoiceChoice(snapshot, invoiceId),
    }));
    return context.json(showCertificate(certificate, isCertificateSound(certificate), choice), 200);
  });

  const releaseRoute = createRoute({
    method: 'post',
    path: '/v1/closes/{invoiceId}/release',
    tags: ['Billing'],
    summary: 'Let a held invoice go in spite of what differs, for a reason that is kept',
    ...openTo(dependencies),
    request: {
      params: CloseInvoiceParams,
      body: jsonBody(ReleaseBody),
    },
    responses: {
      202: jsonContent(
        z.union([z.object({ close: CloseSchema }).openapi('CloseReleased'), SecondPersonAskedSchema]),
        'The jobs finalize it; or it waits for a second person.',
      ),
      ...problems(404, 409, 413),
    },
  });
  api.openapi(releaseRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const { reason } = context.req.valid('json');
    const caller = context.get('caller');
    const asked = await doOrAsk(dependencies, CLOSE_RELEASE, { subjectId: invoiceId, reason, caller });
    if (asked !== null) return context.json(showAsked(asked), 202);
    await askForStep(dependencies, 'close-invoices', 'release');
    return context.json({ close: showClose((await getClose(database, invoiceId)).close) }, 202);
  });
  addSecondPersonRoutes(api, dependencies);
  addCloseWindowRoutes(api, dependencies);
}

function readCursor(cursor: string): { periodEnd: Date; invoiceId: string } {
  const [end = '', invoiceId = ''] = decodeCursor(cursor, 2);
  const periodEnd = new Date(end);
  if (Number.isNaN(periodEnd.getTime())) throw invalidCursor();
  return { periodEnd, invoiceId };
}
