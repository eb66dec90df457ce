import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { LEDGER_MIGRATION_NAMES } from '../../src/platform/database/migration-names.ts';

async function administer(statement: string): Promise<void> {
  const administrator = new pg.Client({ connectionString: inject('postgresUrl') });
  await administrator.connect();
  await administrator.query(statement).finally(() => administrator.end());
}

const readMigration = (file: string) =>
  readFile(new URL(`../../src/platform/database/migrations/${file}`, import.meta.url), 'utf8');

it('rows of unknown metrics that counted nothing go over, those with a count stay, and bindings get their keys', async () => {
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  await administer(`create database ${name}`);
  const databaseUrl = inject('postgresUrl').replace(/\/tallystick$/, `/${name}`);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      'create table ledger_migrations (name text primary key, checksum text not null, applied_at timestamptz not null default now())',
    );
    const first = LEDGER_MIGRATION_NAMES.findIndex((file) => /_binding_keys\.sql$/.test(file));
    for (const file of LEDGER_MIGRATION_NAMES.slice(0, first)) {
      const text = await readMigration(file);
      await client.query(text);
      const checksum = createHash('sha256').update(text).digest('hex');
      await client.query('insert into ledger_migrations (name, checksum) values ($1, $2)', [file, checksum]);
    }
    const waits = async (id: string, metric: string, tokens: number, sum: unknown) =>
      await client.query(
        `insert into source_items (event_day, source_item_id, metric_name, event_time, ingested_at, subject, tenant_key,
           feature, model, deployment, token_kind, token_count, request_count, quarantine_reason, raw, collection_window_id,
           quarantine_number)
         values ('2026-10-01', $1, $2, '2026-10-01T10:00:00Z', '2026-10-01T10:03:00Z', 'u', 't', 'f', 'm', 'd', 'unknown', $3, 1,
           'unknown_metric', $4, 1, nextval('quarantined_item_numbers'))`,
        [id, metric, tokens, JSON.stringify({ sum })],
      );
    await waits('a', 'Prompt Audio Tokens', 0, 0);
    await waits('b', 'Prompt Audio Tokens', 0, '0.0');
    await waits('c', 'Completion Thinking Tokens', 7, 7);
    await waits('d', 'Completion Thinking Tokens', 0, 'NaN');
    await client.query(
      `insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, status, synced_at)
       select 'mtr_' || n, 'm' || n, 'm', 'sum', 'active', now() from generate_series(1, 4) n`,
    );
    await client.query(
      `insert into meter_bindings (model, token_type, feature, stripe_meter_id, synced_at) values
         ('GPT-4o', 'prompt', 'Chat ', 'mtr_1', now()), ('o3', 'prompt', '*', 'mtr_2', now()),
         ('GPT-5', 'prompt', '*', 'mtr_3', now()), ('gpt-5', 'prompt', '*', 'mtr_4', now())`,
    );
    await migrateLedger(databaseUrl);

    const noted = await client.query('select source, metric_name, row_count from noted_metrics');
    expect(noted.rows).toEqual([
      { source: 'app-metrics', metric_name: 'Prompt Audio Tokens', row_count: '2' },
    ]);
    const entries = await client.query(
      'select metric_name, token_count, is_counted from quarantine_entries order by token_count',
    );
    expect(entries.rows).toEqual([
      { metric_name: 'Completion Thinking Tokens', token_count: '0', is_counted: false },
      { metric_name: 'Completion Thinking Tokens', token_count: '7', is_counted: false },
    ]);
    const bindings = await client.query('select model, feature from meter_bindings order by stripe_meter_id');
    expect(bindings.rows).toEqual([
      { model: 'gpt-4o', feature: 'chat' },
      { model: 'o3', feature: '*' },
      { model: 'GPT-5', feature: '*' },
      { model: 'gpt-5', feature: '*' },
    ]);
  } finally {
    await client.end();
    await administer(`drop database ${name} with (force)`);
  }
});
