import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { ResilientClient } from './resilient-client.ts';
import type { Ledger } from './schema.ts';

export type LedgerDatabase = Kysely<Ledger>;
export type LedgerTransaction = Transaction<Ledger>;

const INT8_OID = 20;
const DATE_OID = 1082;

/** Counts come back as bigint, dates as `YYYY-MM-DD` text: neither may pass through a float or a local zone. */
export const LEDGER_TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8_OID) return BigInt;
    if (oid === DATE_OID) return (text: string) => text;
    return pg.types.getTypeParser(oid, format as 'text');
  }) as typeof pg.types.getTypeParser,
};

export interface LedgerOptions {
  databaseUrl: string;
  /** Upper bound of connections; further work waits for one instead of failing. */
  maxConnectionCount: number;
  applicationName?: string;
}

/** Opens the ledger's pool. Nothing is connected before the first query. Close with `db.destroy()`. */
export function openLedger(options: LedgerOptions): LedgerDatabase {
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: options.maxConnectionCount,
    application_name: options.applicationName ?? 'tallystick',
    types: LEDGER_TYPES,
    Client: ResilientClient,
  });
  // A connection that dies while idle is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  return new Kysely<Ledger>({ dialect: new PostgresDialect({ pool }) });
}
