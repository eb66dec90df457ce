import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { findCaller } from '../identity/require-scope.ts';
import type { ApiCaller, ApiEnvironment } from '../platform/http/dependencies.ts';
import type { EnforcementDependencies } from './dependencies.ts';

/** After that the key is looked up again, which notes that it is in use. */
const KEPT_MS = 60_000;
const MOST_KEPT = 1_000;

/**
 * Who asks, without a statement: a key is looked up once, and again when anything has changed, its end included, or after a minute.
 * What is no key is not kept.
 */
export function keepCallers(
  dependencies: EnforcementDependencies,
): (context: Context<ApiEnvironment>) => Promise<ApiCaller | null> {
  const callers = new Map<string, { mark: string; foundAtMs: number; caller: ApiCaller }>();
  return async (context) => {
    if (dependencies.caller !== undefined) return dependencies.caller;
    const header = context.req.header('authorization');
    if (header === undefined) return null;
    const key = createHash('sha256').update(header).digest('base64');
    const mark = await dependencies.enforcement.mark();
    const known = callers.get(key);
    const nowMs = performance.now();
    if (known?.mark === mark && nowMs - known.foundAtMs < KEPT_MS) return known.caller;
    const caller = await findCaller(dependencies, context);
    callers.delete(key);
    if (caller !== null) callers.set(key, { mark, foundAtMs: nowMs, caller });
    const [oldest] = callers.keys();
    if (callers.size > MOST_KEPT && oldest !== undefined) callers.delete(oldest);
    return caller;
  };
}
