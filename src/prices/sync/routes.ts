import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { decodeIdCursor, takePage } from '../../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf, askForStep } from '../../platform/http/dependencies.ts';
import { jsonBody, jsonContent, PAGE_FIELDS, problems } from '../../platform/http/schemas.ts';
import { ROW_ID } from '../../platform/row-id.ts';
import { acceptPriceItem, rejectPriceItem } from './desk.ts';
import { listPriceSyncItems } from './items.ts';
import { mapRetailMeter, readLedgerMeters } from './retail-meters.ts';
import { readPriceSyncRuns, requestPriceSync } from './runs.ts';
import {
  DecisionBody,
  ITEM_STATUSES,
  ITEM_VERDICTS,
  MeterMappingBody,
  PriceSyncItemSchema,
  PriceSyncRunSchema,
  RetailMeterSchema,
  showItem,
  showMeter,
  showRun,
} from './schemas.ts';

const RECENT_RUN_COUNT = 10;

const SyncQuery = z.object({
  status: z.enum(ITEM_STATUSES).default('pending'),
  verdict: z.enum(ITEM_VERDICTS).optional(),
  ...PAGE_FIELDS,
});
const SyncSchema = z
  .object({
    runs: z.array(PriceSyncRunSchema).openapi({ description: 'The last ten, the newest first.' }),
    items: z.array(PriceSyncItemSchema),
    nextCursor: z.string().nullable(),
  })
  .openapi('PriceSync');
const ItemParams = z.object({
  id: z
    .string()
    .regex(ROW_ID, { error: 'must be the id of an item, a whole number' })
    .openapi({ example: '17' }),
});
const MeterParams = z.object({
  meterId: z
    .guid({ error: 'must be a meter id, a GUID' })
    .openapi({ description: "The price list's own id." }),
});

/** Adds the synchronization with Azure's retail price list: its runs, what waits for a person, and what meters are. */
export function addPriceSyncRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const readable = {
    tags: ['Prices'],
    ...openTo(dependencies, 'finance'),
  };
  const writable = {
    tags: ['Prices'],
    ...openTo(dependencies),
  };

  const listRoute = createRoute({
    ...readable,
    method: 'get',
    path: '/v1/prices/sync',
    summary: 'The last synchronizations, and what they found that waits for a person',
    request: { query: SyncQuery },
    responses: {
      200: jsonContent(SyncSchema, 'Items in the order in which they were found.'),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit, ...filter } = context.req.valid('query');
    const afterId = cursor === undefined ? undefined : decodeIdCursor(cursor);
    const { items, runs } = await readSnapshot(database, async (snapshot) => ({
      items: await listPriceSyncItems(snapshot, { ...filter, afterId, limit: limit + 1 }),
      runs: await readPriceSyncRuns(snapshot, RECENT_RUN_COUNT),
    }));
    const { page, nextCursor } = takePage(items, limit, (last) => [String(last.priceSyncItemId)]);
    return context.json(
      {
        runs: runs.map(showRun),
        items: page.map(showItem),
        nextCursor,
      },
      200,
    );
  });

  const requestRoute = createRoute({
    ...writable,
    method: 'post',
    path: '/v1/prices/sync',
    summary: 'Hold the price list against the book soon; one that waits already is taken for it',
    responses: { 202: jsonContent(PriceSyncRunSchema, 'Taken.'), ...problems() },
  });
  api.openapi(requestRoute, async (context) => {
    const run = await requestPriceSync(database, { requestedBy: actorOf(context), now: clock.now() });
    await askForStep(dependencies, 'sync-prices', 'asked for');
    context.header('Location', '/v1/prices/sync');
    return context.json(showRun(run), 202);
  });

  for (const act of ['accept', 'reject'] as const) {
    const route = createRoute({
      ...writable,
      method: 'post',
      path: `/v1/prices/sync/items/{id}/${act}`,
      summary:
        act === 'accept'
          ? 'Take a listed price into the book, from now on'
          : 'Leave the book as it is; the same is not asked again',
      request: { params: ItemParams, body: jsonBody(DecisionBody) },
      responses: {
        200: jsonContent(PriceSyncItemSchema, 'Decided, with an audit row.'),
        ...problems(404, 409, 413),
      },
    });
    const decide = act === 'accept' ? acceptPriceItem : rejectPriceItem;
    api.openapi(route, async (context) => {
      const item = await decide(database, {
        itemId: BigInt(context.req.valid('param').id),
        reason: context.req.valid('json').reason,
        actor: actorOf(context),
        now: clock.now(),
      });
      return context.json(showItem(item), 200);
    });
  }

  const metersRoute = createRoute({
    ...readable,
    method: 'get',
    path: '/v1/prices/meters',
    summary: 'What people said of meters of the price list; it goes above the mapping file',
    responses: {
      200: jsonContent(z.object({ meters: z.array(RetailMeterSchema) }), 'By meter id.'),
      ...problems(),
    },
  });
  api.openapi(metersRoute, async (context) =>
    context.json({ meters: (await readLedgerMeters(database)).map(showMeter) }, 200),
  );

  const mapRoute = createRoute({
    ...writable,
    method: 'put',
    path: '/v1/prices/meters/{meterId}',
    summary: 'Say what a meter of the price list is; the next synchronization compares it',
    request: { params: MeterParams, body: jsonBody(MeterMappingBody) },
    responses: {
      200: jsonContent(RetailMeterSchema, 'Kept, with an audit row.'),
      ...problems(413),
    },
  });
  api.openapi(mapRoute, async (context) => {
    const meter = await mapRetailMeter(database, {
      ...context.req.valid('json'),
      meterId: context.req.valid('param').meterId,
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showMeter(meter), 200);
  });
}
