import { sql } from 'kysely';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

/** Changes of money, customers, prices, plans, keys and quarantine, by table. */
const WATCHED: Record<string, { on: string; when?: string }[]> = {
  api_keys: [{ on: 'insert' }, { on: 'delete' }, { on: 'update of name, scopes, key_hash, revoked_at' }],
  page_links: [
    { on: 'insert', when: 'not new.is_standing' },
    { on: 'update', when: 'old.withdrawn_at is distinct from new.withdrawn_at' },
  ],
  link_withdrawals: [{ on: 'insert or update or delete' }],
  price_book_changes: [{ on: 'insert or update or delete' }],
  price_book_rows: [{ on: 'insert or update or delete' }],
  price_book_models: [{ on: 'insert or update or delete' }],
  price_book_deployments: [{ on: 'insert or update or delete' }],
  price_book_sources: [{ on: 'insert or update or delete' }],
  retail_meter_rows: [{ on: 'insert or update or delete' }],
  price_sync_items: [{ on: 'update', when: "new.status in ('accepted', 'rejected')" }],
  price_sync_runs: [{ on: 'insert' }],
  plan_versions: [{ on: 'insert or update or delete' }],
  global_markups: [{ on: 'insert or update or delete' }],
  customers: [
    { on: 'insert' },
    { on: 'delete' },
    {
      on: 'update',
      when: `(old.name, old.tenant_key, old.stripe_customer_id, old.currency, old.deleted_at)
        is distinct from (new.name, new.tenant_key, new.stripe_customer_id, new.currency, new.deleted_at)`,
    },
  ],
  subjects: [
    { on: 'insert', when: "new.assigned_by = 'person'" },
    { on: 'update', when: 'old.customer_id is distinct from new.customer_id' },
  ],
  display_names: [{ on: 'insert or update or delete' }],
  budget_step_events: [{ on: 'update', when: 'old.lifted_until is distinct from new.lifted_until' }],
  provisioned_capacity: [
    { on: 'insert' },
    { on: 'update', when: 'old.valid_until is distinct from new.valid_until' },
  ],
  credit_proposals: [{ on: 'insert' }, { on: 'update', when: 'old.state <> new.state' }],
  second_person_requests: [{ on: 'insert or update or delete' }],
  closes: [{ on: 'update', when: 'old.released_by is distinct from new.released_by' }],
  source_items: [
    { on: 'update', when: 'old.written_off_at is distinct from new.written_off_at' },
    { on: 'update', when: 'old.quarantine_reason is not null and new.quarantine_reason is null' },
    { on: 'update', when: 'old.retry_requested_at is null and new.retry_requested_at is not null' },
  ],
  usage_events: [
    { on: 'update', when: 'old.written_off_at is distinct from new.written_off_at' },
    { on: 'update', when: "old.status = 'quarantined' and new.status <> 'quarantined'" },
  ],
  hourly_usage: [
    { on: 'update', when: 'old.written_off_at is distinct from new.written_off_at' },
    { on: 'update', when: 'old.quarantine_reason is not null and new.quarantine_reason is null' },
  ],
  meter_pushes: [
    { on: 'update', when: 'old.written_off_at is distinct from new.written_off_at' },
    { on: 'update', when: "old.status = 'refused' and new.status <> 'refused'" },
  ],
  // Taken up by an item, it goes on by itself.
  uninvoiced_usage: [{ on: 'update', when: 'old.decided_by is distinct from new.decided_by' }],
  invoice_choices: [{ on: 'insert or update or delete' }],
  rescans: [{ on: 'insert' }],
  reconciliations: [{ on: 'insert' }],
};

export interface WatchedTransaction {
  /** Tables with a watched change, in the order of their names. */
  tables: string[];
  /** What the audit log says of it, in order. */
  actions: string[];
  /** By whom, likewise. */
  actors: string[];
}

/** Whether what was changed is in the audit log. */
export function isAudited({ tables, actions }: WatchedTransaction): boolean {
  return tables.length === 0 || actions.length > 0;
}

export interface AuditWatch {
  /** Transactions with a watched change or an audit row since the last call, in order. */
  take(): Promise<WatchedTransaction[]>;
}

/** Lets the database itself write down which transaction changed what, so that nothing depends on who asks. */
export async function watchAudit(database: LedgerDatabase): Promise<AuditWatch> {
  await sql`create table watched_changes (number bigint generated always as identity, transaction_id xid8 not null,
    table_name text not null, action text, actor text)`.execute(database);
  await sql`create function note_change() returns trigger language plpgsql as $$ begin
    insert into watched_changes (transaction_id, table_name, action, actor) values (pg_current_xact_id(), tg_argv[0],
      case when tg_argv[0] = 'audit_log' then to_jsonb(new) ->> 'action' end,
      case when tg_argv[0] = 'audit_log' then to_jsonb(new) ->> 'actor' end);
    return null; end $$`.execute(database);
  const watched = { ...WATCHED, audit_log: [{ on: 'insert' }] };
  for (const [table, changes] of Object.entries(watched)) {
    for (const [index, { on, when }] of (changes as { on: string; when?: string }[]).entries()) {
      await sql
        .raw(
          `create trigger note_change_${index} after ${on} on ${table} for each row
           ${when === undefined ? '' : `when (${when})`} execute function note_change('${table}')`,
        )
        .execute(database);
    }
  }
  let seen = '0';
  return {
    take: async () => {
      const { rows } = await sql<WatchedTransaction & { last: string }>`
        select coalesce(array_agg(distinct table_name order by table_name) filter (where action is null), '{}') as tables,
          coalesce(array_agg(action order by number) filter (where action is not null), '{}') as actions,
          coalesce(array_agg(actor order by number) filter (where action is not null), '{}') as actors,
          max(number)::text as last
        from watched_changes where number > ${seen}::bigint group by transaction_id order by min(number)`.execute(
        database,
      );
      for (const { last } of rows) if (BigInt(last) > BigInt(seen)) seen = last;
      return rows.map(({ tables, actions, actors }) => ({ tables, actions, actors }));
    },
  };
}
