import referenceStyle from 'swagger-ui-dist/swagger-ui.css';
import referenceScript from 'swagger-ui-dist/swagger-ui-bundle.js';
import manifest from '../package.json' with { type: 'json' };
import { createWebhookRoutes } from '../webhooks/routes.ts';
import { createCallKeys } from './billing/call-keys.ts';
import { systemClock } from './platform/clock.ts';
import { type Config, loadConfig } from './platform/config.ts';
import { openLedger } from './platform/database/database.ts';
import { TallystickError, toTallystickError } from './platform/errors.ts';
import { type AssetReader, readApiSettings } from './platform/http/dependencies.ts';
import type { PreviewCache } from './previews/dependencies.ts';
import { createApp } from './service/app.ts';
import { workerLog } from './service/worker/log.ts';
import { enqueueOnce } from './service/worker/queue.ts';
import { createStripe } from './stripe/client.ts';

/**
 * The Cloudflare Worker: the same API, reference page and webhooks as `tallystick serve`, and no pipeline.
 * Sockets belong to the request that opened them, so the ledger is opened for each request (through
 * Hyperdrive a connection costs next to nothing) and closed behind its answer.
 */
export interface WorkerEnvironment {
  /** A Hyperdrive binding in front of the ledger; without it `DATABASE_URL` is used. */
  HYPERDRIVE?: { connectionString: string };
  [name: string]: unknown;
}

export interface WorkerContext {
  waitUntil(work: Promise<unknown>): void;
}

/** A request reads one thing after another; the second connection is for a read beside a transaction. */
const CONNECTIONS_PER_REQUEST = 2;

/** Plain data, so it may outlive the request that read it. */
const previewCache: PreviewCache = new Map();

const ASSETS: Record<string, string> = {
  'swagger-ui-bundle.js': referenceScript,
  'swagger-ui.css': referenceStyle,
};
const readAsset: AssetReader = async (name) => ASSETS[name] ?? null;

export default {
  async fetch(request: Request, environment: WorkerEnvironment, context: WorkerContext): Promise<Response> {
    try {
      return await serve(request, readConfig(environment), context);
    } catch (error) {
      const known = toTallystickError(error);
      workerLog.error({ code: known.code, reason: known.message }, 'The Worker cannot serve');
      const body = {
        type: 'about:blank',
        title: 'The service cannot answer',
        status: 500,
        code: known.code,
      };
      return Response.json(body, { status: 500, headers: { 'Content-Type': 'application/problem+json' } });
    }
  },
};

type WorkerConfig = Config & { DATABASE_URL: string; STRIPE_API_KEY: string };

/** @throws TallystickError CONFIG */
function readConfig(environment: WorkerEnvironment): WorkerConfig {
  const texts = Object.entries(environment).filter(([, value]) => typeof value === 'string');
  const config = loadConfig({
    ...(Object.fromEntries(texts) as Record<string, string>),
    ...(environment.HYPERDRIVE === undefined
      ? {}
      : { DATABASE_URL: environment.HYPERDRIVE.connectionString }),
  });
  const { DATABASE_URL, STRIPE_API_KEY } = config;
  if (DATABASE_URL === undefined || STRIPE_API_KEY === undefined) {
    const missing = Object.entries({ DATABASE_URL, STRIPE_API_KEY }).filter(
      ([, value]) => value === undefined,
    );
    throw new TallystickError(`The Worker lacks ${missing.map(([name]) => name).join(' and ')}.`, {
      code: 'CONFIG',
      retry: false,
      fix: 'Set them with "wrangler secret put", or bind Hyperdrive for the database.',
    });
  }
  return { ...config, DATABASE_URL, STRIPE_API_KEY };
}

async function serve(request: Request, config: WorkerConfig, context: WorkerContext): Promise<Response> {
  const database = openLedger({
    databaseUrl: config.DATABASE_URL,
    maxConnectionCount: CONNECTIONS_PER_REQUEST,
    applicationName: 'tallystick-worker',
  });
  try {
    const stripe = createStripe(config, { keys: createCallKeys(database, systemClock) });
    const app = createApp({
      database,
      clock: systemClock,
      billing: stripe,
      invoicing: stripe.invoicing,
      log: workerLog,
      version: manifest.version,
      assets: readAsset,
      previewCache,
      settings: readApiSettings(config),
      enqueueStep: (step, reason) => enqueueOnce(config, step, reason),
      webhooks: createWebhookRoutes(
        {
          database,
          clock: systemClock,
          enqueue: (step, { reason }) => enqueueOnce(config, step, reason),
          log: workerLog,
        },
        config,
      ),
    });
    return await app.fetch(request);
  } finally {
    context.waitUntil(database.destroy());
  }
}
