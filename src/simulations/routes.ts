import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { stream } from 'hono/streaming';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { toTallystickError } from '../platform/errors.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import {
  type Api,
  type ApiDependencies,
  type ApiEnvironment,
  actorOf,
} from '../platform/http/dependencies.ts';
import { jsonBody, jsonContent, PAGE_FIELDS, problems } from '../platform/http/schemas.ts';
import {
  SimulatedCustomersSchema,
  SimulationListSchema,
  SimulationRequestSchema,
  SimulationSchema,
} from './schemas.ts';
import { showSimulatedCustomer, showSimulation, showSimulationHead } from './show.ts';
import { getSimulation, listSimulations, readSimulatedCustomers } from './simulations.ts';
import { startSimulation } from './start.ts';

const Params = z.object({ simulationId: z.string().regex(/^sim_[A-Za-z0-9_-]{16,64}$/) });
const NDJSON = 'application/x-ndjson';

/** Adds what-if scenarios over stored usage: `/v1/simulations`. */
export function addSimulationRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = {
    tags: ['Costs'],
    ...openTo(dependencies, 'sales', 'finance'),
  };

  const postRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/simulations',
    ...openTo(dependencies, 'finance'),
    summary: 'What a stored period would have brought and cost under up to five scenarios',
    request: {
      body: jsonBody(SimulationRequestSchema),
    },
    responses: {
      200: {
        description:
          'With Accept: application/x-ndjson, lines of progress and then the simulation, or the problem, as the last line.',
        content: { [NDJSON]: { schema: z.string() } },
      },
      201: jsonContent(SimulationSchema, 'The simulation, stored.'),
      ...problems(413, 422),
    },
  });
  api.openapi(postRoute, async (context) => {
    const run = await startSimulation(dependencies, context.req.valid('json'), actorOf(context));
    const location = `/v1/simulations/${run.simulationId}`;
    const supports = ['application/json', NDJSON];
    if (accepts(context, { header: 'Accept', supports, default: 'application/json' }) === NDJSON) {
      return streamSimulation(context, dependencies, run, location) as never;
    }
    return context.json(await run.finish(() => {}), 201, { Location: location });
  });

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/simulations',
    summary: 'Stored simulations, the newest first',
    request: { query: z.strictObject(PAGE_FIELDS) },
    responses: { 200: jsonContent(SimulationListSchema, 'A page.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit } = context.req.valid('query');
    const [at, id = ''] = cursor === undefined ? [] : decodeCursor(cursor, 2);
    const after = at === undefined ? null : { createdAt: readCursorInstant(at), simulationId: id };
    const found = await listSimulations(database, { after, limit: limit + 1 });
    const { page, nextCursor } = takePage(found, limit, (last) => [
      last.createdAt.toISOString(),
      last.simulationId,
    ]);
    const now = clock.now();
    return context.json({ simulations: page.map((one) => showSimulationHead(one, now)), nextCursor }, 200);
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/simulations/{simulationId}',
    summary: 'A stored simulation',
    request: { params: Params },
    responses: {
      200: jsonContent(SimulationSchema, 'The simulation.'),
      ...problems(404),
    },
  });
  api.openapi(getRoute, async (context) => {
    const stored = await getSimulation(database, context.req.valid('param').simulationId);
    return context.json(showSimulation(stored, clock.now()), 200);
  });

  const customersRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/simulations/{simulationId}/customers',
    summary: 'What each customer comes to in a simulation',
    request: {
      params: Params,
      query: z.strictObject(PAGE_FIELDS),
    },
    responses: {
      200: jsonContent(SimulatedCustomersSchema, 'A page.'),
      ...problems(404),
    },
  });
  api.openapi(customersRoute, async (context) => {
    const { simulationId } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    const after = cursor === undefined ? null : (decodeCursor(cursor, 1)[0] ?? '');
    const found = await readSnapshot(database, async (snapshot) => {
      await getSimulation(snapshot, simulationId);
      return await readSimulatedCustomers(snapshot, simulationId, { after, limit: limit + 1 });
    });
    const { page, nextCursor } = takePage(found, limit, (last) => [last.customerId ?? '']);
    return context.json(
      {
        customers: page.map(showSimulatedCustomer),
        nextCursor,
      },
      200,
    );
  });
}

/** Progress and the result, a JSON object a line. A client that goes away does not stop it: the result is stored. */
function streamSimulation(
  context: Context<ApiEnvironment>,
  { log }: ApiDependencies,
  run: Awaited<ReturnType<typeof startSimulation>>,
  location: string,
): Response {
  context.header('Content-Type', NDJSON);
  context.header('Location', location);
  return stream(context, async (output) => {
    // In their order; whoever must not wait for a slow client does not.
    let written: Promise<unknown> = Promise.resolve();
    const write = (line: object) => {
      written = written.then(() => output.write(`${JSON.stringify(line)}\n`));
      return written;
    };
    const tell = (ratedCustomerCount: number) =>
      write({ progress: { simulationId: run.simulationId, ratedCustomerCount } });
    try {
      void tell(0);
      const simulation = await run.finish(({ ratedCustomerCount }) => {
        void tell(ratedCustomerCount);
      });
      await write({ simulation });
    } catch (error) {
      const known = toTallystickError(error);
      log?.error({ err: error, code: known.code }, 'a simulation failed');
      const message = known.code === 'INTERNAL' ? 'Something went wrong on our side.' : known.message;
      await write({ problem: { code: known.code, detail: message, retry: known.retry } });
    }
  });
}

/** @throws ValidationError for a cursor of another list */
function readCursorInstant(text: string): Date {
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) throw invalidCursor();
  return instant;
}
