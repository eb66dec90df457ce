import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { ColumnTypeNode, generate, IdentifierNode, PostgresDialect, RawExpressionNode } from 'kysely-codegen';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';

/** Where the generated types are committed. */
export const TABLES_FILE = fileURLToPath(
  new URL('../../src/platform/database/schema/schema-tables.ts', import.meta.url),
);

/** What LEDGER_TYPES makes of the database's types; a test holds the two together. JSON is written as text. */
function describeDialect(): PostgresDialect {
  const dialect = new PostgresDialect();
  const text = new IdentifierNode('string');
  dialect.adapter.definitions.Json = new ColumnTypeNode(new IdentifierNode('unknown'), text, text);
  for (const [type, name] of [
    ['int8', 'bigint'],
    ['date', 'string'],
    ['numeric', 'string'],
    ['timestamptz', 'Date'],
  ] as const) {
    dialect.adapter.scalars[type] = new IdentifierNode(name);
  }
  return dialect;
}

/** What neither a column's type nor a check says. */
const COLUMN_OVERRIDES = {
  'close_steps.state': new RawExpressionNode("Closes['state']"),
  'invoice_lines.metadata': new RawExpressionNode(
    'ColumnType<Record<string, string>, string | undefined, string>',
  ),
  // The margin of a scenario may be unknown.
  'simulation_customers.margin_deltas': new RawExpressionNode('(string | null)[]'),
};

/** The types of the tables and views of a migrated ledger, as TypeScript in the house's format. */
export async function generateTypes(database: LedgerDatabase): Promise<string> {
  const literals = await readCheckedLiterals(database);
  const text = await generate({
    db: database,
    dialect: describeDialect(),
    outFile: null,
    overrides: { columns: COLUMN_OVERRIDES },
    postprocess: async ({ metadata }) => {
      for (const table of metadata.tables) {
        for (const column of table.columns) {
          column.enumValues = literals.get(`${table.name}.${column.name}`) ?? column.enumValues;
        }
      }
      return metadata;
    },
  });
  const own = text
    .replace(/^export (?=interface|type)/gm, '')
    .replace('interface DB', 'export interface Ledger');
  return format(own);
}

/** The values that `check (column in ('a', 'b'))` allows, by table and column. */
async function readCheckedLiterals(database: LedgerDatabase): Promise<Map<string, string[]>> {
  const { rows } = await sql<{ place: string; definition: string }>`
    select c.conrelid::regclass || '.' || a.attname as place, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'c' and c.connamespace = 'public'::regnamespace and cardinality(c.conkey) = 1
    order by 1, 2`.execute(database);
  const list = /^CHECK \(\(\w+ = ANY \(ARRAY\[((?:'[^']*'::text(?:, )?)+)\]\)\)\)$/;
  return new Map(
    rows.flatMap(({ place, definition }) => {
      const [, values] = list.exec(definition) ?? [];
      if (values === undefined) return [];
      return [[place, [...values.matchAll(/'([^']*)'/g)].map(([, value = '']) => value)]];
    }),
  );
}

function format(text: string): string {
  const biome = fileURLToPath(import.meta.resolve('@biomejs/biome/bin/biome'));
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [biome, 'format', `--stdin-file-path=${TABLES_FILE}`],
    { input: text, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`biome: ${stderr}`);
  return stdout;
}

if (import.meta.main) {
  const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-types-'));
  const server = await startEmbeddedPostgres({ dataDirectory: directory, durable: false });
  try {
    await migrateLedger(server.databaseUrl);
    const database = openLedger({ databaseUrl: server.databaseUrl, maxConnectionCount: 2 });
    writeFileSync(TABLES_FILE, await generateTypes(database).finally(() => database.destroy()));
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
