import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { LEDGER_TYPES, type LedgerDatabase } from '../../src/platform/database/database.ts';
import type { Ledger } from '../../src/platform/database/schema/schema.ts';
import type { Scheduler, SimulatedProcess } from './scheduler.ts';

/** Real connections, opened before the simulation begins and lent to simulated processes. */
export class Connections {
  readonly #idle: pg.Client[];
  readonly #all: pg.Client[];

  private constructor(clients: pg.Client[]) {
    this.#all = clients;
    this.#idle = [...clients];
  }

  static async open(databaseUrl: string, count: number): Promise<Connections> {
    const clients = Array.from(
      { length: count },
      () => new pg.Client({ connectionString: databaseUrl, types: LEDGER_TYPES }),
    );
    for (const client of clients) client.on('error', () => {});
    await Promise.all(clients.map((client) => client.connect()));
    // Should a statement ever wait for a lock after all, it fails where one can see it.
    await Promise.all(clients.map((client) => client.query(`set lock_timeout = '10s'`)));
    return new Connections(clients);
  }

  take(): pg.Client {
    const client = this.#idle.pop();
    if (client === undefined) throw new Error('The simulation has no connection left');
    return client;
  }

  give(client: pg.Client): void {
    this.#idle.push(client);
  }

  /** Connections that nobody gave back. */
  get lentCount(): number {
    return this.#all.length - this.#idle.length;
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.end()));
  }
}

/** Connections of one process; more work than that waits. */
const POOL_SIZE = 4;

/**
 * The ledger as one simulated process sees it: real Postgres, each statement an effect. When the process
 * dies, its transactions are rolled back, as the server does when a client's socket closes.
 */
export class ProcessDatabase {
  readonly database: LedgerDatabase;
  readonly #process: SimulatedProcess;
  readonly #scheduler: Scheduler;
  readonly #connections: Connections;
  readonly #now: () => Date;
  readonly #held = new Map<pg.Client, { inTransaction: boolean }>();
  readonly #waiting: ((client: PostgresPoolClient) => void)[] = [];

  constructor(parts: {
    process: SimulatedProcess;
    scheduler: Scheduler;
    connections: Connections;
    now: () => Date;
  }) {
    this.#process = parts.process;
    this.#scheduler = parts.scheduler;
    this.#connections = parts.connections;
    this.#now = parts.now;
    const pool = {
      options: {},
      Client: pg.Client,
      connect: () => this.#connect(),
      end: async () => {},
    } as unknown as PostgresPool;
    this.database = new Kysely<Ledger>({ dialect: new PostgresDialect({ pool }) });
  }

  hasOpenTransaction(): boolean {
    return [...this.#held.values()].some((state) => state.inTransaction);
  }

  async abandon(): Promise<void> {
    for (const [client, state] of this.#held) {
      if (state.inTransaction) await client.query('rollback');
      this.#connections.give(client);
    }
    this.#held.clear();
  }

  #connect(): Promise<PostgresPoolClient> {
    // The dead hear of nothing: a connection lent to one would never come back.
    if (!this.#process.alive) return new Promise(() => {});
    if (this.#held.size < POOL_SIZE) return Promise.resolve(this.#lend(this.#connections.take()));
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #lend(client: pg.Client): PostgresPoolClient {
    const state = { inTransaction: false };
    this.#held.set(client, state);
    return {
      query: (text: string, values: readonly unknown[]) => this.#query(client, state, text, values),
      release: () => {
        if (!this.#process.alive) return;
        this.#held.delete(client);
        const next = this.#waiting.shift();
        if (next === undefined) this.#connections.give(client);
        else next(this.#lend(client));
      },
    } as unknown as PostgresPoolClient;
  }

  #query(
    client: pg.Client,
    state: { inTransaction: boolean },
    text: string,
    values: readonly unknown[],
  ): Promise<unknown> {
    const verb = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
    const effect = {
      label: `sql ${text.replaceAll(/\s+/g, ' ').trim().slice(0, 60)}`,
      weight: verb === 'select' || verb === 'begin' || verb === 'start' ? 1 : 3,
      connection: state,
      durationMs: [1, 4] as const,
    };
    return this.#scheduler.effect(this.#process, effect, async () => {
      if (text.includes('now()')) {
        await client.query(`select set_config('simulation.now', $1, false)`, [this.#now().toISOString()]);
      }
      const result = await client.query(text, [...values]);
      if (verb === 'begin' || verb === 'start') state.inTransaction = true;
      if (verb === 'commit' || verb === 'rollback') state.inTransaction = false;
      return { result, outcome: `${result.command} ${result.rowCount ?? ''}` };
    });
  }
}
