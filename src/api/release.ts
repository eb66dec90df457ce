import type { ApiDependencies } from './dependencies.ts';

/** After a change of who belongs to whom: usage that waited for it becomes due. Answers how many rows. */
export async function releaseWaitingUsage(dependencies: ApiDependencies): Promise<bigint> {
  return (await dependencies.releaseQuarantine?.(dependencies.database, dependencies.clock.now())) ?? 0n;
}
