import { readFileSync } from 'node:fs';
import { DefaultSettings, TaskUtils } from '@microsoft/powerquery-parser';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const text = readFileSync(new URL('../../deploy/power-bi/tallystick.pq', import.meta.url), 'utf8');
/** Digits that a decimal of .NET holds: the connector fails at a number with more of them. */
const DECIMAL_DIGITS = 28;

const TYPES: Record<string, string[]> = {
  'type date': ['date'],
  'type text': ['text', 'character varying'],
  'type number': ['numeric'],
  'type logical': ['boolean'],
  'type datetimezone': ['timestamp with time zone'],
  'Int64.Type': ['bigint', 'integer'],
};

/** Each view that the file reads, how its rows are chosen, and its columns with their types. */
const views = [...text.matchAll(/\b(Whole|ByDay|ByMonth)\("(\w+)", \{([\s\S]*?)\}\)/g)].map(
  ([, how, name, columns]) => ({
    how,
    name: name ?? '',
    columns: [...(columns ?? '').matchAll(/\{"(\w+)", ([\w. ]+)\}/g)].map(([, column, type]) => ({
      column: column ?? '',
      type: type ?? '',
    })),
  }),
);

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
  await insertRollupWorld(ledger.database);
  await rate(ledger.database);
});
afterAll(() => ledger.close());

it("is M by Microsoft's own parser, which does find a missing bracket", async () => {
  const parse = (document: string) => TaskUtils.tryLexParse(DefaultSettings, document);
  expect(await parse(text)).toMatchObject({ resultKind: 'Ok' });
  expect(await parse(text.replace('})\n', '}\n'))).toMatchObject({ resultKind: 'Error' });
});

it('reads every view of the schema but what is by the hour, and asks for the version', async () => {
  const found = await sql<{ name: string }>`
    select table_name as name from information_schema.views where table_schema = 'reporting'`.execute(
    ledger.database,
  );
  expect(views.map(({ name }) => name).sort()).toEqual(
    found.rows
      .map(({ name }) => name)
      .filter((name) => !['about', 'hourly_usage'].includes(name))
      .sort(),
  );
  expect(text).toContain('View("about"){0}[version]');
});

describe.each(views)('$name', ({ how, name, columns }) => {
  it('has the columns that are named, with their types, and the day that rows are chosen by', async () => {
    const found = await sql<{ column: string; type: string }>`
      select column_name as column, data_type as type from information_schema.columns
      where table_schema = 'reporting' and table_name = ${name}`.execute(ledger.database);
    const types = new Map(found.rows.map(({ column, type }) => [column, type]));
    expect(columns.length).toBeGreaterThan(2);
    for (const { column, type } of columns) expect(TYPES[type], column).toContain(types.get(column));
    const chosenBy = { ByDay: 'day', ByMonth: 'month' }[how ?? ''];
    if (chosenBy !== undefined) expect(types.get(chosenBy)).toBe('date');
    // A report sums what is a number: distinct counts must not be there.
    expect(columns.map(({ column }) => column)).not.toContain('active_user_count');
  });

  it('has no number with more digits than the connector takes', async () => {
    for (const { column, type } of columns) {
      if (type !== 'type number') continue;
      const { rows } = await sql<{ digits: number | null }>`
        select max(scale(${sql.ref(column)})) as digits from ${sql.id('reporting', name)}`.execute(
        ledger.database,
      );
      // What is left stands before the point: 12 digits of a currency's units.
      expect(rows[0]?.digits ?? 0, column).toBeLessThanOrEqual(DECIMAL_DIGITS - 12);
    }
  });
});
