import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseQuery } from '../../sandbox/azure/kql/parse.ts';
import { tokenize } from '../../sandbox/azure/kql/tokenize.ts';
import {
  buildBusiestMinuteQuery,
  buildRowQuery,
  buildSummaryQuery,
  buildSurveyQuery,
  type KqlOptions,
} from '../../src/azure/kql.ts';
import { quoteKql } from '../../src/azure/kql-literal.ts';
import { MAXIMUM_ROW_LIMIT } from '../../src/azure/kql-window.ts';
import type { SourceQuery } from '../../src/azure/source.ts';
import { ValidationError } from '../../src/platform/errors.ts';
import { diagnose } from './kusto.ts';

const DIMENSIONS = {
  subject: 'userId',
  tenant: 'tenantId',
  feature: 'featureArea',
  model: 'model',
  deployment: 'deployment',
};
const WINDOW = { start: new Date('2026-11-21T10:00:00Z'), end: new Date('2026-11-21T11:00:00Z') };
const QUERY: SourceQuery = { window: WINDOW, by: 'ingestion', rowLimit: 50_000 };
const HOSTILE_NAMES = [
  'User ID',
  'a"b',
  "a'b",
  'a\\',
  '\\"]) | take 1 //',
  '"]) == "x" or true or tostring(Properties["y',
  'line\nbreak',
  '\u2028',
  '\u202euser',
  '東京 😀',
  '@"verbatim"',
];

describe.each(['AppMetrics', 'customMetrics'] as const)('queries on %s', (schema) => {
  const queries = (options: KqlOptions) => [
    buildRowQuery(options, QUERY),
    buildRowQuery(options, { ...QUERY, by: 'event' }),
    buildRowQuery(options, { ...QUERY, partition: { count: 8, index: 3 } }),
    buildSummaryQuery(options, WINDOW.start),
    buildSurveyQuery(options, WINDOW.start),
    buildBusiestMinuteQuery(options, WINDOW.start),
  ];

  test("pass Microsoft's own parser and analyser", () => {
    for (const query of queries({ schema, dimensions: DIMENSIONS, namespace: 'openai' })) {
      expect(diagnose(query)).toEqual([]);
    }
  });

  test('stay one well-formed query whatever a dimension or namespace is called', () => {
    for (const name of HOSTILE_NAMES) {
      const dimensions = { subject: name, tenant: name, feature: name, model: name, deployment: name };
      const hostile = queries({ schema, dimensions, namespace: name });
      const plain = queries({ schema, dimensions: DIMENSIONS, namespace: 'openai' });
      for (const [index, query] of hostile.entries()) {
        expect(diagnose(query), name).toEqual([]);
        // The name is one string token in its place: all other tokens are those of the plain query.
        const shape = (text: string) =>
          tokenize(text).map(({ kind, text: token }) => (kind === 'string' ? kind : token));
        expect(shape(query), name).toEqual(shape(plain[index] ?? ''));
      }
    }
  });
});

test('the queries of docs/azure.md pass as well', () => {
  const page = readFileSync(new URL('../../docs/azure.md', import.meta.url), 'utf8');
  const queries = Array.from(page.matchAll(/```kusto\n([\s\S]*?)```/g), (match) => match[1] ?? '');
  expect(queries).toHaveLength(4);
  for (const query of queries) {
    expect(diagnose(query)).toEqual([]);
    expect(() => parseQuery(query)).not.toThrow();
  }
});

test("Microsoft's parser does name a column that is not there", () => {
  expect(diagnose('AppMetrics | where NoSuchColumn == 1').join()).toContain('NoSuchColumn');
});

test('a literal reads back as the text it was made from', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), (text) => {
      const literal = quoteKql('name', text);
      expect(tokenize(literal)).toMatchObject([{ kind: 'string', text }, { kind: 'end' }]);
      expect(diagnose(`AppMetrics | where Name == ${literal}`)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test('a literal is refused when it is empty, too long, or half a character', () => {
  for (const text of ['', 'x'.repeat(257), '\ud83d']) {
    expect(() => quoteKql('METRIC_NAMESPACE', text)).toThrow(ValidationError);
  }
});

test('the cursor is half-open on ingestion time, inside a wide filter on event time', () => {
  const query = buildRowQuery({ schema: 'AppMetrics', dimensions: DIMENSIONS }, QUERY);
  expect(query).toContain(
    'ingestion_time() >= datetime(2026-11-21T10:00:00.000Z) and ingestion_time() < datetime(2026-11-21T11:00:00.000Z)',
  );
  expect(query).toContain(
    'TimeGenerated >= datetime(2026-11-18T10:00:00.000Z) and TimeGenerated < datetime(2026-11-23T11:00:00.000Z)',
  );
  expect(query).toContain('take 50001');
  expect(query).not.toContain('between');
});

test('a backfill is half-open on event time alone', () => {
  const query = buildRowQuery({ schema: 'customMetrics', dimensions: DIMENSIONS }, { ...QUERY, by: 'event' });
  expect(query).toContain(
    'timestamp >= datetime(2026-11-21T10:00:00.000Z) and timestamp < datetime(2026-11-21T11:00:00.000Z)',
  );
  expect(query).not.toContain('where ingestion_time()');
});

test('queries that could not be answered in full are refused before they are sent', () => {
  const options: KqlOptions = { schema: 'AppMetrics', dimensions: DIMENSIONS };
  const refused: Partial<SourceQuery>[] = [
    { window: { start: WINDOW.end, end: WINDOW.start } },
    { window: { start: WINDOW.start, end: WINDOW.start } },
    { window: { start: WINDOW.start, end: new Date(Number.NaN) } },
    { rowLimit: 0 },
    { rowLimit: 1.5 },
    { rowLimit: MAXIMUM_ROW_LIMIT + 1 },
    { partition: { count: 1, index: 0 } },
    { partition: { count: 4, index: 4 } },
    { partition: { count: 4, index: -1 } },
  ];
  for (const change of refused) {
    expect(() => buildRowQuery(options, { ...QUERY, ...change }), JSON.stringify(change)).toThrow(
      ValidationError,
    );
  }
});
