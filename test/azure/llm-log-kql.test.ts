import { describe, expect, test } from 'vitest';
import { parseQuery } from '../../sandbox/azure/kql/parse.ts';
import { buildRequestQuery, buildRequestSummaryQuery, requestBounds } from '../../src/azure/kql-llm-log.ts';
import { MAXIMUM_ROW_LIMIT } from '../../src/azure/kql-window.ts';
import type { SourceQuery } from '../../src/azure/source.ts';
import { ValidationError } from '../../src/platform/errors.ts';
import { diagnose } from './kusto.ts';

const WINDOW = { start: new Date('2026-11-21T10:00:00Z'), end: new Date('2026-11-21T11:00:00Z') };
const QUERY: SourceQuery = { window: WINDOW, by: 'ingestion', rowLimit: 50_000 };
const HOLD_BACK_MS = 15 * 60_000;

describe('queries on the request-level tables', () => {
  test("pass Microsoft's own parser and analyser with the real columns of both tables", () => {
    for (const query of [
      buildRequestQuery(QUERY, HOLD_BACK_MS),
      buildRequestQuery({ ...QUERY, by: 'event' }, HOLD_BACK_MS),
      buildRequestQuery({ ...QUERY, partition: { count: 8, index: 3 } }, 0),
      buildRequestSummaryQuery('userId', WINDOW.start),
      buildRequestSummaryQuery('a"b\\ | take 1 //', WINDOW.start),
    ]) {
      expect(diagnose(query)).toEqual([]);
      expect(() => parseQuery(query)).not.toThrow();
    }
  });

  test('read what was ingested one hold-back earlier, and whole requests', () => {
    const query = buildRequestQuery(QUERY, HOLD_BACK_MS);
    const [context = '', touched = ''] = query.split('kind=leftsemi');
    expect(touched).toContain(
      'ingestion_time() >= datetime(2026-11-21T09:45:00.000Z) and ingestion_time() < datetime(2026-11-21T10:45:00.000Z)',
    );
    // Rows of the same requests from before the slice come too, rows from after it do not.
    expect(context).not.toContain('ingestion_time() >=');
    expect(context).toContain('ingestion_time() < datetime(2026-11-21T10:45:00.000Z)');
    expect(requestBounds(QUERY, HOLD_BACK_MS).start).toEqual(new Date('2026-11-18T09:45:00Z'));
    expect(query).toContain('take 50001');
  });

  test('a backfill holds nothing back and touches requests by their own time', () => {
    const query = buildRequestQuery({ ...QUERY, by: 'event' }, HOLD_BACK_MS);
    expect(query).not.toMatch(/ingestion_time\(\) [<>]/);
    expect(query).toContain(
      'TimeGenerated >= datetime(2026-11-21T10:00:00.000Z) and TimeGenerated < datetime(2026-11-21T11:00:00.000Z)',
    );
  });

  test('are refused when they could not be answered in full', () => {
    for (const change of [
      { window: { start: WINDOW.end, end: WINDOW.start } },
      { rowLimit: MAXIMUM_ROW_LIMIT + 1 },
      { partition: { count: 4, index: 4 } },
    ]) {
      expect(() => buildRequestQuery({ ...QUERY, ...change }, 0)).toThrow(ValidationError);
    }
  });

  test('the stand-in refuses joins it does not understand', () => {
    for (const join of ['join (B) on K', 'join kind=fullouter (B) on K', 'join kind=leftsemi (B)']) {
      expect(() => parseQuery(`A | ${join}`)).toThrow();
    }
  });
});
