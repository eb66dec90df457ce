import type { Context } from 'hono';
import type { ApiEnvironment, ApiSettings } from './dependencies.ts';

/** Whether a form comes from a page of ours, as the browser itself says; one that says nothing is refused. */
export function isFromOurPages(context: Context<ApiEnvironment>, settings: ApiSettings | undefined): boolean {
  const site = context.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = context.req.header('origin');
  if (origin === undefined || !URL.canParse(origin)) return false;
  const ours = [new URL(context.req.url).origin, settings?.publicUrl].flatMap((address) =>
    address === undefined ? [] : [new URL(address).origin],
  );
  return ours.includes(new URL(origin).origin);
}
