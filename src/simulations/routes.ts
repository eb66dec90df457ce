import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { stream } from 'hono/streaming';
import { decideScenarios } from '../../pricing/simulations/question.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { toTallystickError } from '../platform/errors.ts';
import { decodeCursor, takePage } from '../platform/http/cursor.ts';
import {
  type Api,
  type ApiDependencies,
  type ApiEnvironment,
  actorOf,
} from '../platform/http/dependencies.ts';
import { jsonBody, jsonContent, PAGE_FIELDS, problems } from '../platform/http/schemas.ts';
import { randomText } from '../platform/random-text.ts';
import { gatherScenarioFacts } from './gather.ts';
import { runSimulation, type SimulationProgress } from './run.ts';
import {
  SimulatedCustomersSchema,
  type SimulationBody,
  type SimulationRequest,
  SimulationRequestSchema,
  SimulationSchema,
} from './schemas.ts';
import { showSimulatedCustomer, showSimulation } from './show.ts';
import { finishSimulation, getSimulation, insertSimulation, readSimulatedCustomers } from './simulations.ts';
import { readSimulationWindow } from './window.ts';

const Params = z.object({ simulationId: z.string().regex(/^sim_[A-Za-z0-9_-]{16,64}$/) });
const NDJSON = 'application/x-ndjson';

/** Adds what-if scenarios over stored usage: `/v1/simulations`. */
export function addSimulationRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
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
    return context.json(showSimulation(stored, dependencies.clock.now()), 200);
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

interface StartedSimulation {
  simulationId: string;
  finish(onProgress: (progress: SimulationProgress) => void): Promise<SimulationBody>;
}

/** Checks and stores what is asked; nothing is worked out before `finish`. */
async function startSimulation(
  dependencies: ApiDependencies,
  request: SimulationRequest,
  actor: string,
): Promise<StartedSimulation> {
  const { database, clock } = dependencies;
  const now = clock.now();
  const window = readSimulationWindow(request, now);
  const facts = await readSnapshot(database, (snapshot) =>
    gatherScenarioFacts(snapshot, request.scenarios, window),
  );
  const scenarios = decideScenarios(request.scenarios, window.start, facts);
  const { priceBook: book } = facts;
  const simulationId = `sim_${randomText(16)}`;
  await insertSimulation(database, {
    simulationId,
    request,
    window,
    priceBookVersion: book.version,
    createdBy: actor,
    createdAt: now,
  });
  return {
    simulationId,
    finish: async (onProgress) => {
      try {
        const simulation = { simulationId, window, scenarios, book };
        return showSimulation(await runSimulation(dependencies, simulation, onProgress), clock.now());
      } catch (error) {
        const { code } = toTallystickError(error);
        await finishSimulation(database, simulationId, { result: null, error: code, now: clock.now() });
        throw error;
      }
    },
  };
}

/** Progress and the result, a JSON object a line. A client that goes away does not stop it: the result is stored. */
function streamSimulation(
  context: Context<ApiEnvironment>,
  { log }: ApiDependencies,
  run: StartedSimulation,
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
