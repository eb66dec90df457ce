import type { Clock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { LedgerDatabase } from '../database/database.ts';
import type { Logger } from '../log.ts';

/** A command's options as commander gives them; texts, and switches. */
export type Options = Record<string, string | boolean | undefined>;

/** Asks a route and gives its body; a problem becomes an error with the same code and words. */
export type AskApi = <Answer>(
  method: 'GET' | 'POST' | 'PUT',
  route: string,
  body?: object,
) => Promise<Answer>;

/** What a command works with, opened from the environment and closed again whatever happens. */
export interface CommandContext {
  config: Config;
  /** The system's, or that of the running demo which the command is about. */
  clock: Clock;
  log: Logger;
  stores: { database: LedgerDatabase };
}

/** What commands are handed: they name what they need and never how it is opened. */
export interface CommandFrame {
  /** Opens the ledger for a short command, beside a running service if there is one. */
  withStores<Result>(work: (context: CommandContext) => Promise<Result>): Promise<Result>;
  /**
   * Asks the very routes that customers of the API ask, in this process and as the service is configured: one meaning,
   * one validation, one set of error words.
   */
  askApi<Result>(work: (ask: AskApi) => Promise<Result>): Promise<Result>;
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

/** Whether a list was asked for in part: then that nothing is in it says nothing of the rest. */
export function isNarrowed(query: URLSearchParams): boolean {
  return [...query.keys()].some((name) => name !== 'limit');
}
