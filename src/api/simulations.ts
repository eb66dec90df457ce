import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { stream } from 'hono/streaming';
import { HOUR_MS } from '../clock.ts';
import { toTallystickError, ValidationError } from '../errors.ts';
import { readPriceBook } from '../ledger/price-book.ts';
import {
  finishSimulation,
  getSimulation,
  insertSimulation,
  readSimulatedCustomers,
  readSimulationScope,
  readUsageExtent,
} from '../ledger/simulations.ts';
import { requireScope, securityOf } from './authentication.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { type Api, type ApiDependencies, type ApiEnvironment, actorOf } from './dependencies.ts';
import { randomId } from './random-id.ts';
import {
  CursorSchema,
  jsonContent,
  keyedProblems,
  notFoundProblem,
  PageLimitSchema,
  tooLargeProblem,
  unknownModelProblem,
} from './schemas.ts';
import { readScenarios, readSimulationWindow } from './simulation-request.ts';
import { runSimulation, type SimulationProgress, showPicoMinor } from './simulation-run.ts';
import {
  SimulatedCustomersSchema,
  type SimulatedFigures,
  type SimulationBody,
  type SimulationRequest,
  SimulationRequestSchema,
  SimulationSchema,
} from './simulation-schemas.ts';

const Params = z.object({ simulationId: z.string().regex(/^sim_[A-Za-z0-9_-]{16,64}$/) });
const NDJSON = 'application/x-ndjson';

/** A year of a thousand customers takes minutes. */
const LONGEST_RUN_MS = HOUR_MS;

/** Adds what-if scenarios over stored usage: `/v1/simulations`. */
export function addSimulationRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const common = {
    tags: ['Costs'],
    security: securityOf('sales', 'finance', 'admin'),
    middleware: [requireScope(dependencies, 'sales', 'finance')],
  };

  const postRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/simulations',
    security: securityOf('finance', 'admin'),
    middleware: [requireScope(dependencies, 'finance')],
    summary: 'What a stored period would have brought and cost under up to five scenarios',
    request: {
      body: { required: true, content: { 'application/json': { schema: SimulationRequestSchema } } },
    },
    responses: {
      200: {
        description:
          'With Accept: application/x-ndjson, lines of progress and then the simulation, or the problem, as the last line.',
        content: { [NDJSON]: { schema: z.string() } },
      },
      201: jsonContent(SimulationSchema, 'The simulation, stored.'),
      ...keyedProblems,
      ...tooLargeProblem,
      ...unknownModelProblem,
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
      ...keyedProblems,
      ...notFoundProblem,
    },
  });
  api.openapi(getRoute, async (context) =>
    context.json(await showSimulation(dependencies, context.req.valid('param').simulationId), 200),
  );

  const customersRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/simulations/{simulationId}/customers',
    summary: 'What each customer comes to in a simulation',
    request: {
      params: Params,
      query: z.strictObject({ cursor: CursorSchema.optional(), limit: PageLimitSchema }),
    },
    responses: {
      200: jsonContent(SimulatedCustomersSchema, 'A page.'),
      ...keyedProblems,
      ...notFoundProblem,
    },
  });
  api.openapi(customersRoute, async (context) => {
    const { simulationId } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    await getSimulation(database, simulationId);
    const after = cursor === undefined ? null : (decodeCursor(cursor, 1)[0] ?? '');
    const found = await readSimulatedCustomers(database, simulationId, { after, limit: limit + 1 });
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return context.json(
      {
        customers: page.map((customer) => ({
          customerId: customer.customerId,
          currency: customer.currency === '' ? null : customer.currency,
          figures: customer.figures as SimulatedFigures[],
          marginDeltas: customer.marginDeltas.map((delta) =>
            delta === null ? null : showPicoMinor(delta, customer.currency),
          ),
        })),
        nextCursor: last === undefined ? null : encodeCursor([last.customerId ?? '']),
      },
      200,
    );
  });
}

interface StartedSimulation {
  simulationId: string;
  finish(onProgress: (progress: SimulationProgress) => Promise<void> | void): Promise<SimulationBody>;
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
  const book = await readPriceBook(database);
  const scenarios = await readScenarios(dependencies, request, window, book);
  if (!(await readSimulationScope(database, window)).hasUsage) {
    const extent = await readUsageExtent(database);
    throw new ValidationError(
      'from',
      'no usage is stored of the period',
      extent === null
        ? 'Nothing is settled yet.'
        : `Usage is stored from ${extent.first.toISOString()} until ${extent.last.toISOString()}.`,
    );
  }
  const simulationId = `sim_${randomId()}`;
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
        await runSimulation(dependencies, { simulationId, window, scenarios, book }, onProgress);
      } catch (error) {
        const { code } = toTallystickError(error);
        await finishSimulation(database, simulationId, { result: null, error: code, now: clock.now() });
        throw error;
      }
      return await showSimulation(dependencies, simulationId);
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
    const write = async (line: object) => {
      await output.write(`${JSON.stringify(line)}\n`);
    };
    try {
      await write({ progress: { simulationId: run.simulationId, ratedCustomerCount: 0 } });
      const simulation = await run.finish(({ ratedCustomerCount }) =>
        write({ progress: { simulationId: run.simulationId, ratedCustomerCount } }),
      );
      await write({ simulation });
    } catch (error) {
      const known = toTallystickError(error);
      log?.error({ err: error, code: known.code }, 'a simulation failed');
      const message = known.code === 'INTERNAL' ? 'Something went wrong on our side.' : known.message;
      await write({ problem: { code: known.code, detail: message, retry: known.retry } });
    }
  });
}

async function showSimulation(
  { database, clock }: ApiDependencies,
  simulationId: string,
): Promise<SimulationBody> {
  const stored = await getSimulation(database, simulationId);
  // Who worked it out was killed: nobody will ever end it.
  const isAbandoned =
    stored.status === 'running' && clock.now().getTime() - stored.createdAt.getTime() > LONGEST_RUN_MS;
  return {
    simulationId,
    status: isAbandoned ? 'failed' : stored.status,
    from: stored.window.start.toISOString(),
    to: stored.window.end.toISOString(),
    priceBookVersion: stored.priceBookVersion,
    createdAt: stored.createdAt.toISOString(),
    createdBy: stored.createdBy,
    request: stored.request,
    lastError: isAbandoned ? 'ABANDONED' : stored.lastError,
    result: stored.result as SimulationBody['result'],
  };
}
