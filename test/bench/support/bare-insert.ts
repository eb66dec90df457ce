import { withClient } from './pg-client.ts';

/** A row of `source_items` as plain text, `null` where it has nothing. */
export type BareRow = Record<string, string | null>;

const ROWS_PER_STATEMENT = 1_000;
/** As many statements share a transaction as the collector's row limit does: fewer would cost more flushes. */
const STATEMENTS_PER_TRANSACTION = 10;

const COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['event_day', 'date'],
  ['source_item_id', 'text'],
  ['metric_name', 'text'],
  ['event_time', 'timestamptz'],
  ['ingested_at', 'timestamptz'],
  ['subject', 'text'],
  ['tenant_key', 'text'],
  ['feature', 'text'],
  ['model', 'text'],
  ['deployment', 'text'],
  ['token_kind', 'text'],
  ['token_count', 'bigint'],
  ['request_count', 'bigint'],
  ['usage_event_id', 'text'],
  ['quarantine_reason', 'text'],
  ['raw', 'jsonb'],
  ['collection_window_id', 'bigint'],
];

const INSERT = `insert into bare_items (${COLUMNS.map(([name]) => name).join(', ')})
  select * from unnest(${COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})
  on conflict do nothing`;

/** The rows of a collected ledger, in the order in which they were collected. */
export async function readCollectedRows(databaseUrl: string): Promise<BareRow[]> {
  return withClient(databaseUrl, async (client) => {
    const columns = COLUMNS.map(([name]) => `${name}::text`).join(', ');
    const found = await client.query<BareRow>(
      `select ${columns} from source_items order by collection_window_id, ingested_at, source_item_id`,
    );
    return found.rows;
  });
}

/** An empty table of the shape of `source_items`: columns, checks, primary key, index and day partitions. */
export async function createBareTable(databaseUrl: string, rows: readonly BareRow[]): Promise<void> {
  const days = [...new Set(rows.map((row) => row.event_day ?? ''))].sort();
  await withClient(databaseUrl, async (client) => {
    await client.query(
      'create table bare_items (like source_items including all) partition by range (event_day)',
    );
    for (const day of days) {
      const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
      await client.query(
        `create table bare_items_${day.replaceAll('-', '')} partition of bare_items
         for values from ('${day}') to ('${next}')`,
      );
    }
  });
}

/** Inserts the rows and answers how many milliseconds that took, arrays and commits included. */
export async function insertBare(databaseUrl: string, rows: readonly BareRow[]): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const startedMs = performance.now();
    for (let start = 0; start < rows.length; start += ROWS_PER_STATEMENT * STATEMENTS_PER_TRANSACTION) {
      await client.query('begin');
      const end = Math.min(rows.length, start + ROWS_PER_STATEMENT * STATEMENTS_PER_TRANSACTION);
      for (let first = start; first < end; first += ROWS_PER_STATEMENT) {
        const batch = rows.slice(first, Math.min(end, first + ROWS_PER_STATEMENT));
        await client.query(
          INSERT,
          COLUMNS.map(([name]) => batch.map((row) => row[name])),
        );
      }
      await client.query('commit');
    }
    return performance.now() - startedMs;
  });
}
