import { createRoute, z } from '@hono/zod-openapi';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { InstantSchema, jsonContent } from '../platform/http/schemas.ts';
import { readSinkState } from '../usage/events/sink-state.ts';
import { readMissingMigrations } from './status.ts';

/** Ready means an answer within this time; an orchestrator's own probe gives up at about the same. */
const READY_DEADLINE_MS = 3_000;

const HealthSchema = z
  .object({ status: z.literal('ok'), version: z.string(), now: InstantSchema })
  .openapi('Health');

const ReadinessSchema = z
  .object({
    status: z.enum(['ready', 'not_ready']),
    ledger: z.enum(['reachable', 'unreachable']),
    missingMigrations: z.array(z.string()),
    alarms: z
      .array(z.object({ code: z.literal('OPENMETER_SINK_OUTAGE'), since: InstantSchema }))
      .openapi({ description: 'What hinders the pipeline and not this service: it is ready all the same.' }),
  })
  .openapi('Readiness');

const healthRoute = createRoute({
  method: 'get',
  path: '/health',
  tags: ['Service'],
  summary: 'Is the process alive?',
  security: [],
  responses: { 200: jsonContent(HealthSchema, 'It is.') },
});

const readyRoute = createRoute({
  method: 'get',
  path: '/ready',
  tags: ['Service'],
  summary: 'Can the service answer: is the ledger reachable and migrated?',
  security: [],
  responses: {
    200: jsonContent(ReadinessSchema, 'It can.'),
    503: jsonContent(ReadinessSchema, 'Not now; the body says why.'),
  },
});

export function addHealthRoutes(api: Api, dependencies: ApiDependencies): void {
  api.openapi(healthRoute, (context) =>
    context.json(
      {
        status: 'ok' as const,
        version: dependencies.version,
        now: dependencies.clock.now().toISOString(),
      },
      200,
    ),
  );

  api.openapi(readyRoute, async (context) => {
    try {
      const { missingMigrations, alarms } = await withDeadline(readReadiness(dependencies.database));
      const ready = missingMigrations.length === 0;
      return context.json(
        {
          status: ready ? ('ready' as const) : ('not_ready' as const),
          ledger: 'reachable' as const,
          missingMigrations,
          alarms,
        },
        ready ? 200 : 503,
      );
    } catch (error) {
      dependencies.log?.warn(
        { err: error, requestId: context.get('requestId') },
        'the ledger is not reachable',
      );
      return context.json(
        { status: 'not_ready' as const, ledger: 'unreachable' as const, missingMigrations: [], alarms: [] },
        503,
      );
    }
  });
}

/** Alarms are read of a migrated ledger alone: another may lack what they are read from. */
async function readReadiness(database: LedgerDatabase) {
  return await readSnapshot(database, async (snapshot) => {
    const missingMigrations = await readMissingMigrations(snapshot);
    return { missingMigrations, alarms: missingMigrations.length === 0 ? await readAlarms(snapshot) : [] };
  });
}

async function readAlarms(database: LedgerDatabase) {
  const { outage } = await readSinkState(database);
  return outage === null
    ? []
    : [{ code: 'OPENMETER_SINK_OUTAGE' as const, since: outage.since.toISOString() }];
}

async function withDeadline<Value>(work: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the ledger did not answer in time')), READY_DEADLINE_MS);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
