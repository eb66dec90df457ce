import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/platform/config.ts';
import { readApiSettings } from '../../src/platform/http/dependencies.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog } from '../api/world.ts';

const HOSTS = 'https://app.example.com https://*.apim.example.com';

let bench: ApiBench;

beforeAll(async () => {
  const settings = readApiSettings(loadConfig({ PORTAL_FRAME_ANCESTORS: HOSTS }));
  bench = await createApiBench({ settings });
  await insertCatalog(bench.ledger.database);
});
afterAll(() => bench.close());

const urlFrom = async (path: string) => {
  const body = JSON.stringify({ customerId: 'northwind' });
  const headers = { 'content-type': 'application/json' };
  const response = await bench.call(path, { method: 'POST', body, headers });
  return ((await response.json()) as { url: string }).url;
};
const policyOf = (response: Response) => response.headers.get('content-security-policy') ?? '';

describe('who may frame the portal', () => {
  it('is whom the configuration names, and only for pages of a session that a host began', async () => {
    const framed = await bench.api.request(await urlFrom('/v1/portal/sessions'));
    expect(policyOf(framed)).toContain(`frame-ancestors ${HOSTS};`);
    const opened = await bench.api.request(await urlFrom('/v1/portal/links'));
    const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
    const own = await bench.api.request('/portal', { headers: { cookie } });
    expect(policyOf(own)).toContain("frame-ancestors 'none'");
  });

  it('sees in the frame that a session has ended', async () => {
    const ended = await bench.api.request(`/portal/s/${'a'.repeat(43)}`);
    expect(policyOf(ended)).toContain(`frame-ancestors ${HOSTS};`);
    expect(policyOf(await bench.api.request('/portal'))).toContain("frame-ancestors 'none'");
  });

  it.each([
    '*',
    'https:',
    "'self'",
    'http://app.example.com',
    'https://a.example.com; script-src *',
    'https://a.example.com/x',
  ])('is never %s', (text) => {
    expect(() => loadConfig({ PORTAL_FRAME_ANCESTORS: text })).toThrow('PORTAL_FRAME_ANCESTORS');
  });

  it('is nobody unless somebody is named', async () => {
    expect(readApiSettings(loadConfig({})).portalFrameAncestors).toBeUndefined();
  });
});
