import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { ResilientClient } from './resilient-client.ts';
import type { Ledger } from './schema/schema.ts';

export type LedgerDatabase = Kysely<Ledger>;
export type LedgerTransaction = Transaction<Ledger>;

const INT8_OID = 20;
const INT8_ARRAY_OID = 1016;
const DATE_OID = 1082;
const DATE_ARRAY_OID = 1182;
const NUMERIC_ARRAY_OID = 1231;
const TEXT_ARRAY_OID: number = 1009;

const parseTexts = pg.types.getTypeParser(TEXT_ARRAY_OID, 'text') as (text: string) => (string | null)[];

/**
 * Counts come back as bigint, numerics and dates (`YYYY-MM-DD`) as text, in arrays as well: none may pass through a float
 * or a local zone.
 */
export const LEDGER_TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8_OID) return BigInt;
    if (oid === DATE_OID) return (text: string) => text;
    if (oid === NUMERIC_ARRAY_OID || oid === DATE_ARRAY_OID) return parseTexts;
    if (oid === INT8_ARRAY_OID)
      return (text: string) => parseTexts(text).map((part) => (part === null ? null : BigInt(part)));
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
