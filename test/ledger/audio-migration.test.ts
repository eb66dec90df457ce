import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { LEDGER_MIGRATION_NAMES } from '../../src/platform/database/migration-names.ts';
import { readPriceBook } from '../../src/prices/book.ts';
import { readUntoldHours } from '../../src/usage/collection/measured-figures.ts';

const MEASURED = /_measured_figures\.sql$/;
const HOUR = '2026-10-01T05:00:00Z';

let name: string;
let client: pg.Client;
let database: LedgerDatabase;

async function administer(statement: string): Promise<void> {
  const administrator = new pg.Client({ connectionString: inject('postgresUrl') });
  await administrator.connect();
  await administrator.query(statement).finally(() => administrator.end());
}

/** A ledger as it was before it was counted what the source told. */
beforeEach(async () => {
  name = `migrate_${randomBytes(6).toString('hex')}`;
  await administer(`create database ${name}`);
  const databaseUrl = inject('postgresUrl').replace(/\/tallystick$/, `/${name}`);
  client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    'create table ledger_migrations (name text primary key, checksum text not null, applied_at timestamptz not null default now())',
  );
  const until = LEDGER_MIGRATION_NAMES.findIndex((one) => MEASURED.test(one));
  for (const file of LEDGER_MIGRATION_NAMES.slice(0, until)) {
    const folder = new URL('../../src/platform/database/migrations/', import.meta.url);
    const text = await readFile(new URL(file, folder), 'utf8');
    await client.query(text);
    const checksum = createHash('sha256').update(text).digest('hex');
    await client.query('insert into ledger_migrations (name, checksum) values ($1, $2)', [file, checksum]);
  }
  database = openLedger({ databaseUrl, maxConnectionCount: 4 });
});
afterEach(async () => {
  await database.destroy();
  await client.end();
  await administer(`drop database ${name} with (force)`);
});

it('keeps every price under the name that its kind has today, and knows of old usage that nobody told of audio', async () => {
  await client.query(`
    insert into price_book_changes (change_id, kind, made_at, made_by, reason, version)
      values (1, 'seed', now(), 'test', 'seed', 'old+1');
    insert into price_book_models (model, change_id, aliases) values ('speaker', 1, '{}');
    insert into price_book_sources (source, change_id, title, as_of, note) values ('list', 1, 'List', '', '');`);
  for (const [kind, amount] of [
    ['prompt', '2.50'],
    ['audio_prompt', '40'],
    ['audio_prompt_cached', '20'],
    ['audio_completion', '80'],
  ]) {
    await client.query(
      `insert into price_book_rows (change_id, model, deployment_type, region, token_type, currency, amount, unit,
         source, source_key, listed_at, note, confirmed, allow_absurd, allow_gap)
       values (1, 'speaker', 'global', '*', $1, 'usd', $2, 'million_tokens', 'list', '', '', '', false, '', '')`,
      [kind, amount],
    );
  }
  await client.query(
    `insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment,
       prompt_token_count, cached_prompt_token_count, completion_token_count, reasoning_token_count, total_token_count,
       request_count, body, created_at)
     values ('ue_1', $1, $1, 'user-1', 'chat', 'speaker', 'speech', 600, 0, 900, 0, 1500, 2, '{}', now())`,
    [HOUR],
  );
  await client.query(`
    insert into daily_costs (day, kind, model, feature, deployment, token_type, token_count, cost_pico_usd,
        price_book_version, rated_at)
      select day::date, 'tokens', model, 'chat', 'speech', 'prompt', 600, 1500, 'old+1', now()
      from (values ('2026-10-01', 'speaker'), ('2026-10-02', 'gpt-4o')) as cost(day, model)`);
  await migrateLedger(inject('postgresUrl').replace(/\/tallystick$/, `/${name}`));

  const { data } = await readPriceBook(database);
  expect(data.prices.map(({ tokenType, amount }) => [tokenType, amount])).toEqual([
    ['prompt', '2.50'],
    ['prompt_audio', '40'],
    ['prompt_cached_audio', '20'],
    ['completion_audio', '80'],
  ]);
  await expect(client.query(`update price_book_rows set amount = '1'`)).rejects.toThrow(/not edited/);

  const due = await database.selectFrom('cost_days_due').select(['day', 'cause']).execute();
  expect(due).toEqual([{ day: '2026-10-01', cause: 'parts_not_told' }]);

  const window = { start: new Date('2026-10-01T00:00:00Z'), end: new Date('2026-10-02T00:00:00Z') };
  const [hour, ...others] = await readUntoldHours(database, window, ['speaker']);
  expect(others).toEqual([]);
  expect(hour).toMatchObject({ model: 'speaker', deployment: 'speech', start: new Date(HOUR) });
  expect(hour?.untold).toEqual(expect.arrayContaining(['prompt_audio', 'completion_audio']));
});
