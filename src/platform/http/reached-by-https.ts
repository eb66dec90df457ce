import type { Context } from 'hono';
import type { ApiEnvironment, ApiSettings } from './dependencies.ts';

/** Whether browsers reach the service by https: as configured, as a proxy says, or as the request came. */
export function isReachedByHttps(
  context: Context<ApiEnvironment>,
  settings: ApiSettings | undefined,
): boolean {
  const address = settings?.publicUrl ?? context.req.url;
  return address.startsWith('https:') || context.req.header('x-forwarded-proto') === 'https';
}
