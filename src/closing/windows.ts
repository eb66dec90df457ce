import { createRoute, z } from '@hono/zod-openapi';
import { isChained } from '../../pricing/closing/collection.ts';
import { buildQueryText } from '../azure/query-templates.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { jsonContent, PAGE_FIELDS, problems } from '../platform/http/schemas.ts';
import { ROW_ID } from '../platform/row-id.ts';
import {
  type Certified,
  readCertified,
  readCertifiedWindows,
  type WindowCursor,
} from './certified-windows.ts';
import { CloseInvoiceParams, CloseWindowProofSchema, CloseWindowsSchema } from './schemas.ts';
import { proveWindows } from './window-proof.ts';

/** Adds the windows of the source that a certificate rests on, and their proof. */
export function addCloseWindowRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const common = {
    method: 'get' as const,
    tags: ['Evidence'],
    ...openTo(dependencies, 'finance'),
  };

  const windowsRoute = createRoute({
    ...common,
    path: '/v1/closes/{invoiceId}/windows',
    summary: 'The windows of the source that a certificate rests on, with the text of their queries',
    request: {
      params: CloseInvoiceParams,
      query: z.strictObject(PAGE_FIELDS),
    },
    responses: {
      200: jsonContent(CloseWindowsSchema, 'A page of windows, in the order in which they are proven.'),
      ...problems(404),
    },
  });
  api.openapi(windowsRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    const from = cursor === undefined ? { chain: 0, after: 0n } : readCursor(cursor);
    const { certified, found } = await readSnapshot(database, async (snapshot) => {
      const certified = await readCertified(snapshot, invoiceId);
      return {
        certified,
        found: await readCertifiedWindows(snapshot, certified, { from, limit: limit + 1 }),
      };
    });
    const { page, nextCursor } = takePage(found, limit, (last) => cursorKeys(certified, last));
    return context.json(
      {
        invoiceId,
        windows: page.map(({ window }) => ({
          queryId: String(window.windowId),
          source: window.source,
          by: window.cursorKind,
          position: String(window.position),
          windowStart: window.window.start.toISOString(),
          windowEnd: window.window.end.toISOString(),
          collectedAt: window.collectedAt.toISOString(),
          rowCount: window.rowCount,
          newRowCount: window.newRowCount,
          usageEventCount: window.usageEventCount,
          template: window.recipe.template,
          queryText: buildQueryText(window.recipe, { window: window.window, by: window.cursorKind }),
          digest: window.digest.toString('hex'),
        })),
        nextCursor,
      },
      200,
    );
  });

  const proofRoute = createRoute({
    ...common,
    path: '/v1/closes/{invoiceId}/windows/proof',
    summary: 'Whether the windows that a certificate rests on are still what it says',
    request: { params: CloseInvoiceParams },
    responses: {
      200: jsonContent(CloseWindowProofSchema, 'Their digests, computed again from what the ledger has.'),
      ...problems(404),
    },
  });
  api.openapi(proofRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const proof = await readSnapshot(database, async (snapshot) =>
      proveWindows(snapshot, await readCertified(snapshot, invoiceId), buildQueryText),
    );
    return context.json({ invoiceId, ...proof }, 200);
  });
}

function cursorKeys(
  { collection }: Certified,
  { chain, window }: Awaited<ReturnType<typeof readCertifiedWindows>>[number],
): string[] {
  return [String(chain), String(isChained(collection) ? window.position : window.windowId)];
}

function readCursor(cursor: string): WindowCursor {
  const [chain = '', after = ''] = decodeCursor(cursor, 2);
  if (!/^\d{1,3}$/.test(chain) || !ROW_ID.test(after)) throw invalidCursor();
  return { chain: Number(chain), after: BigInt(after) };
}
