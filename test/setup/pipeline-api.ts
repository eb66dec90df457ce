import { expect } from 'vitest';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { createApp } from '../../src/service/app.ts';
import type { Pipeline } from './pipeline.ts';

/** The API over a pipeline's ledger, asked with a key of this scope. */
export async function openPipelineApi(
  { deps: { database, clock, billing } }: Pipeline,
  scope: 'admin' | 'finance' = 'admin',
): Promise<(path: string, body?: unknown) => Promise<Response>> {
  const app = createApp({ database, clock, billing, version: 'test' });
  const { plainKey } = await createApiKey(database, {
    name: 'test',
    scopes: [scope],
    actor: 'test',
    now: clock.now(),
  });
  const headers = { authorization: `Bearer ${plainKey}`, 'content-type': 'application/json' };
  return async (path, body) =>
    await app.request(
      path,
      body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
    );
}

/** The same for what is read, and is there. */
export async function openPipelineReads(
  pipeline: Pipeline,
  scope?: 'admin' | 'finance',
): Promise<<Body>(path: string) => Promise<Body>> {
  const ask = await openPipelineApi(pipeline, scope);
  return async <Body>(path: string): Promise<Body> => {
    const response = await ask(path);
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as Body;
  };
}
