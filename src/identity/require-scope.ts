import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { TallystickError } from '../platform/errors.ts';
import type { ApiCaller, ApiDependencies, ApiEnvironment } from '../platform/http/dependencies.ts';
import { type ApiScope, findApiKey } from './api-keys.ts';

/**
 * Lets a request pass that carries a live key with one of the scopes; `admin` always passes.
 * @throws TallystickError UNAUTHENTICATED (no key, malformed, unknown or revoked, not told apart),
 *   FORBIDDEN (names the missing scope)
 */
export function requireScope(dependencies: ApiDependencies, ...scopes: ApiScope[]) {
  return requireScopeOf((context) => findCaller(dependencies, context), scopes);
}

/** Finds out who makes a request; null: nobody. */
type FindCaller = (context: Context<ApiEnvironment>) => Promise<ApiCaller | null>;

function requireScopeOf(find: FindCaller, scopes: readonly ApiScope[]) {
  return createMiddleware<ApiEnvironment>(async (context, next) => {
    const caller = await find(context);
    if (caller === null) {
      throw new TallystickError('The request carries no valid API key.', {
        code: 'UNAUTHENTICATED',
        retry: false,
        fix: 'Send "Authorization: Bearer tsk_..."; make a key with "tallystick keys create".',
      });
    }
    if (!hasScope(caller, scopes)) {
      const needed = scopesInWords(scopes);
      throw new TallystickError(`The API key "${caller.name}" lacks the scope ${needed}.`, {
        code: 'FORBIDDEN',
        retry: false,
        fix: 'Use a key that has it.',
      });
    }
    context.set('caller', caller);
    await next();
  });
}

/** Whoever the app works for, else the holder of the live key that a request carries; null: nobody. */
export async function findCaller(
  { database, clock, caller }: ApiDependencies,
  context: Context<ApiEnvironment>,
): Promise<ApiCaller | null> {
  if (caller !== undefined) return caller;
  const header = context.req.header('authorization') ?? '';
  const plainKey = /^Bearer +(\S+)$/i.exec(header)?.[1];
  const key = plainKey === undefined ? null : await findApiKey(database, plainKey, clock.now());
  if (key === null) return null;
  return callerOf(key);
}

/** Who the holder of a key is. */
export function callerOf(key: { apiKeyId: string; name: string; scopes: readonly string[] }): ApiCaller {
  const { apiKeyId, name, scopes } = key;
  return { actor: `key:${name} (${apiKeyId})`, name, scopes, apiKeyId };
}

/** Whether a caller may what one of the scopes may; `admin` may everything. */
export function hasScope(caller: ApiCaller, scopes: readonly ApiScope[]): boolean {
  return caller.scopes.includes('admin') || scopes.some((scope) => caller.scopes.includes(scope));
}

/** The scopes of which one is needed: `sales or admin`. */
export function scopesInWords(scopes: readonly ApiScope[]): string {
  return [...scopes.filter((scope) => scope !== 'admin'), 'admin'].join(' or ');
}

/** Who may call a route, spread into its definition: holders of one of the scopes, and `admin`. */
export function openTo(dependencies: ApiDependencies, ...scopes: Exclude<ApiScope, 'admin'>[]) {
  return {
    security: securityOf(scopes),
    middleware: [requireScope(dependencies, ...scopes)],
  };
}

/** The same where who asks is found out in another way, as from memory. */
export function openToFound(find: FindCaller, ...scopes: Exclude<ApiScope, 'admin'>[]) {
  return { security: securityOf(scopes), middleware: [requireScopeOf(find, scopes)] };
}

const securityOf = (scopes: readonly ApiScope[]) =>
  [...scopes, 'admin'].map((scope) => ({ apiKey: [scope] }));
