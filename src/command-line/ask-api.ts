import { readApiSettings } from '../platform/http/dependencies.ts';
import { type AskApi, withLocalApi } from '../service/local-api.ts';
import { createOptionalBilling } from '../service/optional-billing.ts';
import { withStores } from './setup.ts';

/** A command's options as commander gives them; texts, and switches. */
export type Options = Record<string, string | boolean | undefined>;

/** Runs a command over the routes of the API, in this process and as the service is configured. */
export async function askApi<Result>(work: (ask: AskApi) => Promise<Result>): Promise<Result> {
  return await withStores(({ config, stores }) =>
    withLocalApi(stores, createOptionalBilling(config), work, { settings: readApiSettings(config) }),
  );
}

/** Asks a list page by page, and gives the first page with the rows of all. */
export async function askEveryPage<Page extends { rows: unknown[]; nextCursor: string | null }>(
  ask: AskApi,
  path: string,
  query: URLSearchParams,
): Promise<Page> {
  const first = await ask<Page>('GET', `${path}?${query}`);
  const rows = [...first.rows];
  for (let cursor = first.nextCursor; cursor !== null; ) {
    query.set('cursor', cursor);
    const page = await ask<Page>('GET', `${path}?${query}`);
    rows.push(...page.rows);
    cursor = page.nextCursor;
  }
  return { ...first, rows, nextCursor: null };
}

/**
 * Options as query parameters; what was not given is left out.
 * @param names options by name, or as a pair with the name that the API has for them
 */
export function toQuery(
  options: object,
  names: readonly (string | readonly [option: string, parameter: string])[],
): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of names) {
    const [option, parameter] = typeof name === 'string' ? [name, name] : name;
    const value = (options as Options)[option];
    if (typeof value === 'string') query.set(parameter, value);
  }
  return query;
}
