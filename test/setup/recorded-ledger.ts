import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { LEDGER_TYPES, type LedgerDatabase } from '../../src/platform/database/database.ts';
import { ResilientClient } from '../../src/platform/database/resilient-client.ts';
import type { Ledger } from '../../src/platform/database/schema/schema.ts';

/** One use of a connection, from the pool and back to it. */
export interface Checkout {
  statements: string[];
  /** How many others were out when it was taken. */
  othersOut: number;
}

/** A second pool on a ledger, which tells what each use of a connection did. */
export class RecordedLedger {
  readonly database: LedgerDatabase;
  readonly #pool: pg.Pool;
  readonly #out = new Map<unknown, Checkout>();
  #checkouts: Checkout[] = [];
  /** Awaited before each statement is sent. */
  beforeStatement: (statement: string) => Promise<void> = async () => {};

  constructor(databaseUrl: string) {
    this.#pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 10,
      types: LEDGER_TYPES,
      Client: ResilientClient,
    });
    this.#pool.on('connect', (client) => this.#record(client));
    this.#pool.on('acquire', (client) => {
      const checkout = { statements: [], othersOut: this.#out.size };
      this.#out.set(client, checkout);
      this.#checkouts.push(checkout);
    });
    // A database that goes while a connection is being closed tells it so; nobody waits for that any more.
    this.#pool.on('error', () => {});
    this.#pool.on('release', (_error, client) => this.#out.delete(client));
    this.database = new Kysely<Ledger>({ dialect: new PostgresDialect({ pool: this.#pool }) });
  }

  /** What `work` used, in the order in which connections were taken. */
  async record(work: () => Promise<unknown>): Promise<Checkout[]> {
    this.#checkouts = [];
    await work();
    return this.#checkouts;
  }

  close(): Promise<void> {
    return this.database.destroy();
  }

  #record(client: pg.PoolClient): void {
    const query = client.query.bind(client) as (...given: unknown[]) => unknown;
    const recorded = async (text: string, ...rest: unknown[]) => {
      this.#out.get(client)?.statements.push(text);
      await this.beforeStatement(text);
      return await query(text, ...rest);
    };
    client.query = recorded as unknown as typeof client.query;
  }
}
