import { commandLineCaller } from '../identity/command-line-caller.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { TallystickError } from '../platform/errors.ts';
import type { ApiSettings } from '../platform/http/dependencies.ts';
import type { AskApi } from '../platform/terminal/frame.ts';
import type { BillingSystem } from '../stripe/port.ts';
import { type AppDependencies, createApp } from './app.ts';
import { VERSION } from './http-server.ts';
import type { Stores } from './services.ts';

/**
 * Lets a command ask the very routes that customers of the API ask, in this process: one meaning, one
 * validation, one set of error words. It does so as whoever typed the command, or with a key of theirs as its holder.
 */
export async function withLocalApi<Result>(
  stores: Stores,
  billing: BillingSystem,
  work: (ask: AskApi) => Promise<Result>,
  options: {
    clock?: Clock;
    settings?: ApiSettings;
    invoicing?: AppDependencies['invoicing'] & {};
    apiKey?: string | undefined;
  } = {},
): Promise<Result> {
  const { database } = stores;
  const { clock = systemClock, settings, invoicing, apiKey } = options;
  const app = createApp({
    database,
    billing,
    clock,
    version: VERSION,
    ...(apiKey === undefined ? { caller: commandLineCaller() } : {}),
    ...(settings === undefined ? {} : { settings }),
    ...(invoicing === undefined ? {} : { invoicing }),
  });
  const ask: AskApi = async (method, route, body) => {
    const response = await app.request(route, {
      method,
      headers: {
        ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }),
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer = (await response.json()) as never;
    if (!response.ok) throw errorFromProblem(answer);
    return answer;
  };
  return await work(ask);
}

function errorFromProblem(problem: {
  code: TallystickError['code'];
  detail?: string;
  title: string;
  fix?: string;
  errors?: { field: string; message: string; fix?: string }[];
}) {
  const details = (problem.errors ?? []).map(
    (error) => `\n  - ${error.field}: ${error.message}${error.fix ? ` (${error.fix})` : ''}`,
  );
  return new TallystickError(`${problem.detail ?? problem.title}${details.join('')}`, {
    code: problem.code,
    retry: false,
    ...(problem.fix === undefined ? {} : { fix: problem.fix }),
  });
}
