import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { TallystickError } from '../errors.ts';
import { type ApiKey, type ApiScope, findApiKey } from '../ledger/api-keys.ts';
import type { ApiDependencies, ApiEnvironment } from './dependencies.ts';

/**
 * Lets a request pass that carries a live key with one of the scopes; `admin` always passes.
 * @throws TallystickError UNAUTHENTICATED (no key, malformed, unknown or revoked, not told apart),
 *   FORBIDDEN (names the missing scope)
 */
export function requireScope(dependencies: ApiDependencies, ...scopes: ApiScope[]) {
  return createMiddleware<ApiEnvironment>(async (context, next) => {
    const key = await findBearerKey(dependencies, context);
    if (key === null) {
      throw new TallystickError('The request carries no valid API key.', {
        code: 'UNAUTHENTICATED',
        retry: false,
        fix: 'Send "Authorization: Bearer tsk_..."; make a key with "tallystick keys create".',
      });
    }
    if (!key.scopes.includes('admin') && !scopes.some((scope) => key.scopes.includes(scope))) {
      const needed = [...scopes.filter((scope) => scope !== 'admin'), 'admin'].join(' or ');
      throw new TallystickError(`The API key "${key.name}" lacks the scope ${needed}.`, {
        code: 'FORBIDDEN',
        retry: false,
        fix: 'Use a key that has it.',
      });
    }
    context.set('apiKey', key);
    await next();
  });
}

/** The live key that a request carries, or null. */
export async function findBearerKey(
  { database, clock }: ApiDependencies,
  context: Context<ApiEnvironment>,
): Promise<ApiKey | null> {
  const header = context.req.header('authorization') ?? '';
  const plainKey = /^Bearer +(\S+)$/i.exec(header)?.[1];
  return plainKey === undefined ? null : await findApiKey(database, plainKey, clock.now());
}

/** The `security` entry of a route: HTTP bearer, with the scopes of which one is needed. */
export function securityOf(...scopes: ApiScope[]): { apiKey: string[] }[] {
  return scopes.map((scope) => ({ apiKey: [scope] }));
}
