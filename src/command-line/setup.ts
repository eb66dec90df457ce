import type { JobDependencies } from '../../jobs/dependencies.ts';
import type { Config } from '../platform/config.ts';
import { createLogger } from '../platform/log.ts';
import type { CommandContext } from '../platform/terminal/frame.ts';
import { createJobDependencies, openStores, type Stores } from '../service/services.ts';
import { lookAround } from './surroundings.ts';

/** Opens the stores for a short command, beside a running service or demo if there is one. */
export async function withStores<Result>(
  work: (context: CommandContext & { stores: Stores }) => Promise<Result>,
): Promise<Result> {
  const { config, clock } = await lookAround(process.env);
  const log = createLogger(process.env.LOG_LEVEL === undefined ? 'warn' : config.LOG_LEVEL);
  const stores = await openStores(config, log, { besideRunning: true });
  try {
    return await work({ config, clock, log, stores });
  } finally {
    await stores.close();
  }
}

/** The same, with the outside systems. @throws TallystickError CONFIG naming every missing setting */
export async function withPipeline<Result>(
  work: (context: CommandContext & { deps: JobDependencies }) => Promise<Result>,
): Promise<Result> {
  return await withStores(async (context) => {
    const deps = createJobDependencies(context.config, {
      database: context.stores.database,
      log: context.log,
      clock: context.clock,
    });
    return await work({ ...context, deps });
  });
}

/** Where a service of this configuration answers. */
export function localUrl({ HOST, PORT }: Config): string {
  return `http://${HOST}:${PORT}`;
}
