import type { Servers } from './outside.ts';
import type { WorkerCrew } from './workers.ts';
import type { CrashWorld } from './world.ts';

export type Strike = 'kill' | 'flush-redis' | 'restart-redis' | 'restart-postgres';

/** Mostly kills; every eighth time one of the servers is struck together with a worker. */
export function chooseStrike(index: number, queue: 'redis' | 'postgres'): Strike {
  if (index % 8 !== 7) return 'kill';
  const round = Math.floor(index / 8) % 3;
  if (queue === 'postgres' || round === 2) return 'restart-postgres';
  return round === 0 ? 'flush-redis' : 'restart-redis';
}

/** Strikes, and answers whether a worker was killed by it. */
export async function strike(
  what: Strike,
  servers: Servers,
  crew: WorkerCrew,
  world: CrashWorld,
): Promise<boolean> {
  if (what === 'flush-redis') await servers.redis.client.flushall();
  if (what === 'restart-redis') await servers.redis.restart('SIGKILL');
  if (what === 'restart-postgres') await servers.restartPostgres();
  const killed = await crew.killOne();
  if (killed) await world.expireClaimsOfTheDead();
  return killed;
}
