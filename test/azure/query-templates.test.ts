import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KqlOptions } from '../../src/azure/kql.ts';
import { buildQueryText, toRecipe } from '../../src/azure/query-templates.ts';
import type { SourceQuery } from '../../src/azure/source.ts';
import { MINUTE_MS } from '../../src/platform/clock.ts';

const QUERY: SourceQuery = {
  window: { start: new Date('2026-10-01T00:00:00Z'), end: new Date('2026-10-01T06:00:00.001Z') },
  by: 'ingestion',
  rowLimit: 10_000,
};
const QUERIES: SourceQuery[] = [
  QUERY,
  { ...QUERY, by: 'event' },
  { ...QUERY, partition: { count: 16, index: 3 }, rowLimit: 7 },
];
const METRICS: KqlOptions = {
  schema: 'AppMetrics',
  dimensions: {
    subject: 'User "ID"',
    tenant: 'Tenant',
    feature: 'Feature',
    model: 'Model',
    deployment: 'Depløyment',
  },
};

/** Texts of a version over everything that shapes them. */
const TEXTS: Record<string, () => string[]> = {
  'metrics/1': () =>
    [METRICS, { ...METRICS, namespace: 'tokens' }, { ...METRICS, schema: 'customMetrics' as const }].flatMap(
      (options) => QUERIES.map((query) => buildQueryText(toRecipe('metrics/1', options, query), query)),
    ),
  'requests/1': () =>
    [0, 15 * MINUTE_MS].flatMap((holdBackMs) =>
      QUERIES.map((query) => buildQueryText(toRecipe('requests/1', { holdBackMs }, query), query)),
    ),
  'recorded/1': () =>
    ['{start+0} {end-1} {start-259200000}', '{none} {start}'].map((text) =>
      buildQueryText({ template: 'recorded/1', parameters: JSON.stringify({ text }) }, QUERY),
    ),
  'verbatim/1': () => [
    buildQueryText({ template: 'verbatim/1', parameters: JSON.stringify({ text: '{start+0}' }) }, QUERY),
  ],
};

/**
 * What each version says, for good. The ledger rebuilds the texts of closed months from it: to change what a query says,
 * add a version and its line here, and leave the others as they are.
 */
const DIGESTS: Record<string, string> = {
  'metrics/1': '4c681ddc2426f6f114ae42ac8dbf3e6af42a3fd672e9dec86d617c2c7c51f25c',
  'requests/1': '1f1e7d88324ff8539afa6621fa04dd73015bd349306bad3e875f653f3acb6a01',
  'recorded/1': 'ebcf43fef4f088bed5c8ba1563f844f2b45a0726a125849f7b8db0722c5e275a',
  'verbatim/1': 'f4fe7b6856f1d8f5ce88cc41e886fdd13687f3cf36af03d3890a93359ca7e82d',
};

describe('a version of a query template', () => {
  it.each(Object.entries(DIGESTS))('%s says what it has always said', (template, digest) => {
    const texts = TEXTS[template]?.() ?? [];
    expect(texts.length).toBeGreaterThan(0);
    expect(createHash('sha256').update(texts.join('\0')).digest('hex')).toBe(digest);
  });

  it('is rebuilt from its window and parameters alone', () => {
    expect(TEXTS['recorded/1']?.()).toEqual([
      '2026-10-01T00:00:00.000Z 2026-10-01T06:00:00.000Z 2026-09-28T00:00:00.000Z',
      '{none} {start}',
    ]);
    const recipe = toRecipe('requests/1', { holdBackMs: 60_000 }, QUERY);
    expect(recipe).toEqual({ template: 'requests/1', parameters: '{"holdBackMs":60000,"rowLimit":10000}' });
  });

  it('that a later version wrote is named, and not guessed', () => {
    for (const template of ['metrics/9', 'toString'])
      expect(() => buildQueryText({ template, parameters: '{}' }, QUERY)).toThrow(`${template} is not known`);
  });
});
