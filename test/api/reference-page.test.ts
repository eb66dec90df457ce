import { afterAll, beforeAll, expect, it } from 'vitest';
import { readNodeAsset } from '../../src/platform/http/node-assets.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench({ assets: readNodeAsset });
});
afterAll(() => bench.close());

it('serves a page whose every file comes from here', async () => {
  const page = await bench.api.request('/docs');
  const html = await page.text();
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  const addresses = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  expect(addresses).toHaveLength(3);
  for (const address of addresses) {
    const response = await bench.api.request(address);
    expect(response.status, address).toBe(200);
    expect((await response.text()).length, address).toBeGreaterThan(100);
  }
  const script = await bench.api.request('/docs/start.js');
  expect(await script.text()).toContain('/openapi.json');
});

it('serves nothing else of the package', async () => {
  for (const name of ['package.json', 'index.html', '..%2Fpackage.json', 'swagger-ui.css.map']) {
    expect((await bench.api.request(`/docs/${name}`)).status).toBe(404);
  }
  expect(await readNodeAsset('../../package.json')).toBeNull();
});

it('is absent where its files are', async () => {
  const bare = await createApiBench();
  expect((await bare.api.request('/docs')).status).toBe(404);
  await bare.close();
});
