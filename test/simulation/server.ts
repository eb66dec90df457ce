import { rmSync } from 'node:fs';
import pg from 'pg';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { Connections } from './database.ts';

/** Connections for two workers, with one dead one's still to be taken back. */
const CONNECTION_COUNT = 12;

/** A real Postgres for one run of the simulation; nothing in it outlives the run. */
export async function startSimulationServer(): Promise<{ databaseUrl: string; stop(): Promise<void> }> {
  const directory = makeTemporaryDirectory('simulation');
  const server = await startEmbeddedPostgres({
    dataDirectory: directory,
    durable: false,
    maxConnectionCount: 100,
  });
  return {
    databaseUrl: server.databaseUrl,
    stop: async () => {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface SimulationLedger {
  connections: Connections;
  ledger: LedgerDatabase;
  /** Empties every table; sequences begin again, and days have no partitions of their own yet. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

/** A migrated ledger of its own on the server, whose `now()` is the simulation's. */
export async function openSimulationLedger(serverUrl: string, name: string): Promise<SimulationLedger> {
  const databaseUrl = serverUrl.replace(/\/[^/]+$/, `/${name}`);
  const once = async (url: string, ...statements: string[]) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
  };
  await once(serverUrl, `create database ${name}`);
  await migrateLedger(databaseUrl);
  await once(
    databaseUrl,
    // Statistics gathered in the background would change plans, and with them the order of unordered rows.
    `do $$ declare name text; begin
       for name in select quote_ident(relname) from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r' loop
         execute 'alter table ' || name || ' set (autovacuum_enabled = off)';
       end loop;
     end $$`,
    'create schema simulation',
    `create function simulation.now() returns timestamptz language sql stable
       as $$ select current_setting('simulation.now')::timestamptz $$`,
    // Named before pg_catalog, so that leases and claims lapse by virtual time.
    `alter database ${name} set search_path = simulation, public, pg_catalog`,
  );
  const connections = await Connections.open(databaseUrl, CONNECTION_COUNT);
  const ledger = openLedger({ databaseUrl, maxConnectionCount: 1 });
  return {
    connections,
    ledger,
    empty: () =>
      once(
        databaseUrl,
        `do $$ declare names text; begin
           select string_agg(quote_ident(c.relname), ', ') into names from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
               and not c.relispartition and c.relname <> 'ledger_migrations';
           -- What is kept for good is kept from people, and not from the next seed.
           perform set_config('session_replication_role', 'replica', true);
           execute 'truncate ' || names || ' restart identity cascade';
           -- They are made in the schema that is named first.
           for names in select quote_ident(relname) from pg_class
             where relnamespace = 'simulation'::regnamespace and relispartition and relkind = 'r' loop
             execute 'drop table simulation.' || names;
           end loop;
         end $$`,
      ),
    close: async () => {
      await connections.close();
      await ledger.destroy();
    },
  };
}
