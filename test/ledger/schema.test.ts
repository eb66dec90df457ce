import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSimulatedCustomers } from '../../src/simulations/simulations.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { generateTypes, TABLES_FILE } from './generate-types.ts';

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
});
afterAll(async () => {
  await ledger?.close();
});

describe('the types of tables and views', () => {
  it('are those of the migrated database: npm run generate:types makes them so', async () => {
    expect(readFileSync(TABLES_FILE, 'utf8')).toBe(await generateTypes(ledger.database));
  });

  it('hold the values that checks allow, and the views', async () => {
    const text = await generateTypes(ledger.database);
    expect(text).toContain("kind: Generated<'usage' | 'reissue' | 'correction'>;");
    expect(text).toContain('quarantine_entries: QuarantineEntries;');
    expect(text).toContain('noted_at: Date | null;');
  });

  it('follow the database', async () => {
    const other = await createTestLedger();
    try {
      const before = await generateTypes(other.database);
      await sql`alter table queue_states add column region text check (region in ('east', 'west'))`.execute(
        other.database,
      );
      const after = await generateTypes(other.database);
      expect(after.split('\n').filter((line) => !before.includes(line))).toEqual([
        "  region: 'east' | 'west' | null;",
      ]);
    } finally {
      await other.close();
    }
  });

  /** One value of each type that a column has, as text, and what the driver makes of it. */
  const SAMPLES: Record<string, [text: string, value: unknown]> = {
    bool: ['t', true],
    bytea: ['\\x00ff', Buffer.from([0, 255])],
    date: ['2026-03-29', '2026-03-29'],
    int2: ['7', 7],
    int4: ['7', 7],
    int8: ['9007199254740993', 9_007_199_254_740_993n],
    json: ['{"a": [1]}', { a: [1] }],
    jsonb: ['{"a": [1]}', { a: [1] }],
    numeric: ['9007199254740993.1', '9007199254740993.1'],
    text: ['a', 'a'],
    timestamptz: ['2026-03-29T01:30:00Z', new Date('2026-03-29T01:30:00Z')],
    uuid: ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001'],
    _date: ['{2026-03-29,NULL}', ['2026-03-29', null]],
    _int8: ['{9007199254740993,NULL}', [9_007_199_254_740_993n, null]],
    _numeric: ['{9007199254740993,NULL}', ['9007199254740993', null]],
    _text: ['{a,"b,c"}', ['a', 'b,c']],
  };

  it('are what the driver returns, for each type that a column has', async () => {
    const used = await sql<{ type: string }>`
      select distinct t.typname as type from pg_attribute a join pg_type t on t.oid = a.atttypid
        join pg_class c on c.oid = a.attrelid
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and a.attnum > 0
        and not a.attisdropped order by 1`.execute(ledger.database);
    for (const type of new Set([...used.rows.map((row) => row.type), ...Object.keys(SAMPLES)])) {
      const [text, value] = SAMPLES[type] ?? ['', `a sample of ${type} is missing in this test`];
      const { rows } = await sql<{ value: unknown }>`select ${text}::${sql.raw(type)} as value`.execute(
        ledger.database,
      );
      expect(rows[0]?.value, type).toEqual(value);
    }
  });
});

it('a margin of a simulated customer that no float holds is read to the last digit', async () => {
  const { database } = ledger;
  const at = new Date('2026-11-01T00:00:00Z');
  await database
    .insertInto('simulations')
    .values({
      simulation_id: 'exact',
      status: 'done',
      request: '{}',
      window_start: at,
      window_end: at,
      price_book_version: 'v',
      created_by: 'test',
      created_at: at,
    })
    .execute();
  await database
    .insertInto('simulation_customers')
    .values({
      simulation_id: 'exact',
      customer_id: 'northwind',
      currency: 'usd',
      figures: '{}',
      margin_deltas: ['123456789012345678901', null],
    })
    .execute();
  const [customer] = await readSimulatedCustomers(database, 'exact', { after: null, limit: 1 });
  expect(customer?.marginDeltas).toEqual([123_456_789_012_345_678_901n, null]);
});
