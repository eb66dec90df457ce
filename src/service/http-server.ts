import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { readShippedMeterFile } from '../../jobs/prices/read-meter-file.ts';
import { enqueueStep, type StepQueue } from '../../jobs/queue/queues.ts';
import manifest from '../../package.json' with { type: 'json' };
import { createWebhookRoutes } from '../../webhooks/routes.ts';
import { type Clock, MINUTE_MS } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import type { ApiSettings } from '../platform/http/dependencies.ts';
import { readNodeAsset } from '../platform/http/node-assets.ts';
import type { Logger } from '../platform/log.ts';
import { failCutSimulations } from '../simulations/cut.ts';
import type { BillingSystem } from '../stripe/port.ts';
import { type AppDependencies, createApp } from './app.ts';

export interface HttpServer {
  url: string;
  /** Stops accepting, lets requests in flight finish, then closes what is left. */
  close(): Promise<void>;
}

/** The one version: that of the package. */
export const VERSION: string = manifest.version;

export interface ServedApp {
  database: LedgerDatabase;
  billing: BillingSystem;
  invoicing?: AppDependencies['invoicing'] & {};
  clock: Clock;
  log: Logger;
  webhooks?: Hono;
  settings?: ApiSettings;
  enforcement?: AppDependencies['enforcement'] & {};
  enqueueStep?: AppDependencies['enqueueStep'] & {};
}

/** Webhooks as the environment configures them; without secrets they answer 503 and say why. */
export function createWebhooks(
  database: LedgerDatabase,
  clock: Clock,
  config: Config,
  queue: StepQueue,
  log: Logger,
): Hono {
  return createWebhookRoutes(
    {
      database,
      clock,
      enqueue: async (job, data) => void (await enqueueStep(queue, job, data.reason)),
      log: {
        info: (fields, message) => log.info(fields, message),
        warn: (fields, message) => log.warn(fields, message),
        error: (fields, message) => log.error(fields, message),
      },
    },
    config,
  );
}

/**
 * Serves the API.
 * @throws TallystickError CONFIG when the port is taken
 */
export function startHttpServer(app: ServedApp, place: { host: string; port: number }): Promise<HttpServer> {
  const api = createApp({
    ...app,
    log: {
      info: (fields, message) => app.log.info(fields, message),
      warn: (fields, message) => app.log.warn(fields, message),
      error: (fields, message) => app.log.error(fields, message),
    },
    version: VERSION,
    assets: readNodeAsset,
    readMeterRows: readShippedMeterFile,
    goesOnAfterAnswer: true,
  });
  const stopLooking = lookForCutSimulations(app);
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: api.fetch, hostname: place.host, port: place.port }, (address) => {
      resolve({
        url: `http://${place.host.includes(':') ? `[${place.host}]` : place.host}:${address.port}`,
        close: () =>
          new Promise((done) => {
            stopLooking();
            const hurry = setTimeout(
              () => 'closeAllConnections' in server && server.closeAllConnections(),
              5_000,
            );
            server.close(() => {
              clearTimeout(hurry);
              done();
            });
            if ('closeIdleConnections' in server) server.closeIdleConnections();
          }),
      });
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      stopLooking();
      reject(
        error.code === 'EADDRINUSE'
          ? new TallystickError(`Port ${place.port} is taken.`, {
              code: 'CONFIG',
              retry: false,
              cause: error,
              fix: 'Set PORT to a free one; 0 chooses one.',
            })
          : error,
      );
    });
  });
}

/** Tells at the start, and each minute, of simulations that a process left. */
function lookForCutSimulations({ database, clock, log }: ServedApp): () => void {
  const look = async () => {
    try {
      const cut = await failCutSimulations(database, clock.now());
      if (cut.length > 0) log.warn({ simulations: cut }, 'simulations were cut by a restart');
    } catch (error) {
      log.warn({ err: error }, 'nobody could look for cut simulations; the next minute will');
    }
  };
  void look();
  const timer = setInterval(look, MINUTE_MS);
  timer.unref();
  return () => clearInterval(timer);
}
