import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ACTIVITY_FIGURES,
  COUNTED_FIGURES,
  DIMENSION_NAMES,
  DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
  type FigureName,
  TOKEN_TYPES,
  TYPED_FIGURES,
} from '../../pricing/usage/shape.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
/** Columns by table, constraints' and views' definitions of the migrated ledger. */
let columns: Map<string, Set<string>>;
let checks: { table: string; kind: string; definition: string }[];

beforeAll(async () => {
  ledger = await createTestLedger();
  const { database } = ledger;
  const found = await sql<{ table: string; column: string }>`
    select table_name as table, column_name as column from information_schema.columns
    where table_schema = 'public'`.execute(database);
  columns = new Map();
  for (const { table, column } of found.rows) {
    columns.set(table, (columns.get(table) ?? new Set()).add(column));
  }
  checks = (
    await sql<{ table: string; kind: string; definition: string }>`
      select conrelid::regclass::text as table, contype::text as kind, pg_get_constraintdef(oid) as definition
      from pg_constraint where conrelid <> 0 and not conparentid <> 0`.execute(database)
  ).rows;
});
afterAll(() => ledger.close());

/** Tables that keep usage by its key, and those whose rows are one for each key. */
const KEYED = ['source_items', 'control_items', 'usage_events', 'hourly_usage', 'hourly_activity', 'drifts'];
const ONE_FOR_EACH_KEY = ['hourly_usage', 'hourly_activity', 'drifts', 'dropped_item_sums'];

function missingColumns(tables: readonly string[], wanted: readonly string[]): string[] {
  return tables.flatMap((table) =>
    wanted
      .filter((column) => !columns.get(table)?.has(column))
      .map((column) => `${table} has no column ${column}`),
  );
}
const columnsOf = (names: readonly FigureName[]) => names.map((name) => FIGURES[name].column);

describe('the ledger has what the shape of usage says', () => {
  it('a column for each figure', () => {
    expect([
      ...missingColumns(['usage_events'], columnsOf(FIGURE_NAMES)),
      ...missingColumns(['dropped_item_sums'], columnsOf(TYPED_FIGURES)),
      ...missingColumns(['hourly_activity'], columnsOf(ACTIVITY_FIGURES)),
    ]).toEqual([]);
  });

  it('every dimension, in the keys too', () => {
    const wanted = DIMENSION_NAMES.map((name) => DIMENSIONS[name].column);
    const keys = ONE_FOR_EACH_KEY.flatMap((table) => {
      const unique = checks.filter((check) => check.table === table && ['p', 'u'].includes(check.kind));
      return wanted
        .filter((column) => !unique.some(({ definition }) => new RegExp(`\\b${column}\\b`).test(definition)))
        .map((column) => `no key of ${table} has ${column}`);
    });
    expect([...missingColumns([...KEYED, 'dropped_item_sums'], wanted), ...keys]).toEqual([]);
  });

  it.each([
    ['token_type', [...TOKEN_TYPES]],
    ['token_kind', FIGURE_NAMES.flatMap((name) => FIGURES[name].tokenKind ?? [])],
  ])('takes every value of %s wherever it is checked', (column, values) => {
    const checked = checks.filter(
      ({ kind, definition }) => kind === 'c' && definition.includes(`(${column} = ANY`),
    );
    expect(checked.length).toBeGreaterThan(1);
    const refused = checked.flatMap(({ table, definition }) =>
      values
        .filter((value) => !definition.includes(`'${value}'`))
        .map((value) => `${table} refuses ${column} ${value}`),
    );
    expect(refused).toEqual([]);
  });

  it('counts in quarantine what counts billed tokens, and nothing twice', async () => {
    const view = await sql<{ definition: string }>`
      select pg_get_viewdef('quarantine_entries'::regclass) || pg_get_viewdef('held_usage_entries'::regclass) as definition`.execute(
      ledger.database,
    );
    const definition = view.rows[0]?.definition ?? '';
    const counts = (name: (typeof TYPED_FIGURES)[number]) =>
      definition.includes(`'${FIGURES[name].tokenKind}'`) && definition.includes(`e.${FIGURES[name].column}`);
    expect(TYPED_FIGURES.filter(counts)).toEqual([...COUNTED_FIGURES]);
  });

  it('keeps sums of what counts billed tokens, and of nothing twice', async () => {
    const triggers = {
      tokenKind: ['keep_sums_of_new_items', 'keep_sums_of_items'],
      column: ['keep_sums_of_new_events', 'keep_sums_of_events'],
    } as const;
    for (const [field, names] of Object.entries(triggers) as ['tokenKind' | 'column', readonly string[]][]) {
      for (const name of names) {
        const found = await sql<{
          source: string;
        }>`select prosrc as source from pg_proc where proname = ${name}`.execute(ledger.database);
        const words = new Set(found.rows[0]?.source.match(/\w+/g));
        expect([name, TYPED_FIGURES.filter((figure) => words.has(FIGURES[figure][field]))]).toEqual([
          name,
          [...COUNTED_FIGURES],
        ]);
      }
    }
  });
});
