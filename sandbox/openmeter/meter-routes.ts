import { CreateMeterBody, ListMetersQueryParams, UpdateMeterBody } from '@openmeter/sdk/zod';
import type { Hono } from 'hono';
import { checkGroupBy, type MeterStore } from './meter-store.ts';
import type { WireMeter, WireMeterCreate } from './resources.ts';
import { Problem, parseOrRefuse, readJson, refuseNul } from './wire.ts';

export interface MeterDependencies {
  meters: MeterStore;
  nowMs(): number;
  /** Journals, then puts. */
  saveMeter(meter: WireMeter): void;
}

/** Create, read, update and delete under /api/v1/meters. */
export function addMeterRoutes(app: Hono, { meters, nowMs, saveMeter }: MeterDependencies): void {
  app.get('/api/v1/meters', (context) => {
    const query = parseOrRefuse(ListMetersQueryParams, {
      ...context.req.query(),
      includeDeleted: context.req.query('includeDeleted') === 'true',
    });
    const start = (query.page - 1) * query.pageSize;
    return context.json(meters.list(query.includeDeleted).slice(start, start + query.pageSize));
  });

  app.post('/api/v1/meters', async (context) => {
    const body = refuseNul(await readJson(context));
    parseOrRefuse(CreateMeterBody, body);
    const given = body as WireMeterCreate;
    // Read before the checks: the schema coerces, and an absent text would pass as "undefined".
    for (const name of ['slug', 'eventType', 'aggregation'] as const) {
      if (typeof given[name] !== 'string') throw new Problem(400, `${name} is required`);
    }
    const meter = meters.make(given, nowMs());
    saveMeter(meter);
    // Its own description says 201.
    return context.json(meter, 200);
  });

  app.get('/api/v1/meters/:idOrSlug', (context) => context.json(meters.get(context.req.param('idOrSlug'))));

  app.put('/api/v1/meters/:idOrSlug', async (context) => {
    const meter = meters.get(context.req.param('idOrSlug'));
    const { name, description, metadata, groupBy } = parseOrRefuse(
      UpdateMeterBody,
      refuseNul(await readJson(context)),
    );
    checkGroupBy(groupBy);
    const updated: WireMeter = { ...meter, updatedAt: new Date(nowMs()).toISOString() };
    if (name !== undefined) updated.name = name;
    if (description !== undefined) updated.description = description;
    if (metadata !== undefined) updated.metadata = metadata;
    if (groupBy !== undefined) updated.groupBy = groupBy;
    saveMeter(updated);
    return context.json(updated);
  });

  app.delete('/api/v1/meters/:idOrSlug', (context) => {
    const meter = meters.get(context.req.param('idOrSlug'));
    saveMeter({ ...meter, deletedAt: new Date(nowMs()).toISOString() });
    return context.body(null, 204);
  });
}
