import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import { judgeLink } from '../identity/links/judge-link.ts';
import { readLinkQuery } from '../identity/links/signature.ts';
import { findCaller, requireScope } from '../identity/require-scope.ts';
import type { ApiDependencies, ApiEnvironment } from '../platform/http/dependencies.ts';
import { linkedPageOf, type StatementTarget } from './links.ts';

/** Who may read a statement without a link. */
const STATEMENT_SCOPES = ['finance', 'admin'] as const;

/**
 * Whether the request may read the statement: by its link, or by a key with a scope. A link that is no good is logged
 * with the reason, which the answer never tells.
 */
export async function mayReadStatement(
  dependencies: ApiDependencies,
  context: Context<ApiEnvironment>,
  target: StatementTarget,
): Promise<boolean> {
  const verdict = await judgeStatementLink(dependencies, context, target);
  if (verdict === 'valid') return true;
  const caller = await findCaller(dependencies, context);
  if (caller?.scopes.some((scope) => STATEMENT_SCOPES.some((allowed) => allowed === scope))) return true;
  logRefusedLink(dependencies, context, target, verdict);
  return false;
}

/** Lets a request pass by a living link of the statement that its path names; else it needs a key, and says so. */
export function requireLinkOrScope(
  dependencies: ApiDependencies,
  readTarget: (context: Context<ApiEnvironment>) => StatementTarget,
) {
  const byKey = requireScope(dependencies, ...STATEMENT_SCOPES);
  return createMiddleware<ApiEnvironment>(async (context, next) => {
    const verdict = await judgeStatementLink(dependencies, context, readTarget(context));
    if (verdict === 'valid') return await next();
    if (verdict !== 'absent') logRefusedLink(dependencies, context, readTarget(context), verdict);
    return await byKey(context, next);
  });
}

async function judgeStatementLink(
  dependencies: ApiDependencies,
  context: Context<ApiEnvironment>,
  target: StatementTarget,
) {
  return await judgeLink(dependencies, linkedPageOf(target), readLinkQuery(context));
}

/** Never the signature: it may be a good one of another statement. */
export function logRefusedLink(
  { log }: ApiDependencies,
  context: Context<ApiEnvironment>,
  target: StatementTarget,
  reason: string,
): void {
  log?.warn(
    {
      ...target,
      reason,
      expires: context.req.query('expires'),
      link: context.req.query('link'),
      requestId: context.get('requestId'),
    },
    'a link to a statement was refused',
  );
}
