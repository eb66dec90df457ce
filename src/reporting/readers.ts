import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { scramVerifier } from './scram.ts';

/** A reader's dashboards may not hold up the pipeline: its longest statement. */
const STATEMENT_TIMEOUT = '60s';
const ROLE_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

interface Act {
  actor: string;
  now: Date;
}

export interface GrantedReader {
  role: string;
  /** Shown once; null: the role has one already, or none is asked for. */
  password: string | null;
}

/**
 * Lets a role read the views of `reporting`: made if there is none of the name, with a password of its own. One transaction,
 * whose settings belong to the role and to no session, so that it holds behind PgBouncer, too. Run again it changes nothing.
 * @throws ValidationError for a name that is none; TallystickError CONFLICT when the role can do more than a reader may
 */
export async function grantReader(
  database: LedgerDatabase,
  { role, newPassword, actor, now }: { role: string; newPassword: boolean } & Act,
): Promise<GrantedReader> {
  checkName(role);
  return await database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtext('reporting readers'))`.execute(transaction);
    const name = sql.id(role);
    const isNew = !(await exists(transaction, role));
    const password = isNew || newPassword ? randomBytes(24).toString('base64url') : null;
    if (isNew)
      await sql`create role ${name} login nosuperuser nocreatedb nocreaterole noreplication`.execute(
        transaction,
      );
    await refuseMoreThanReader(transaction, role);
    if (password !== null) {
      await sql`alter role ${name} password ${sql.lit(scramVerifier(password))}`.execute(transaction);
    }
    const found = await sql<{ name: string }>`select current_database() as name`.execute(transaction);
    const of = sql`${name} in database ${sql.id(found.rows[0]?.name ?? '')}`;
    await sql`alter role ${of} set default_transaction_read_only = on`.execute(transaction);
    await sql`alter role ${of} set statement_timeout = ${sql.lit(STATEMENT_TIMEOUT)}`.execute(transaction);
    await sql`alter role ${of} set search_path = reporting`.execute(transaction);
    await sql`grant usage on schema reporting to ${name}`.execute(transaction);
    await sql`grant select on all tables in schema reporting to ${name}`.execute(transaction);
    // Views of later versions, made by whoever makes this grant.
    await sql`alter default privileges in schema reporting grant select on tables to ${name}`.execute(
      transaction,
    );
    await writeAudit(transaction, {
      actor,
      action: 'reporting.grant',
      target: role,
      details: { isNew, hasNewPassword: password !== null },
      now,
    });
    return { role, password };
  });
}

/**
 * Takes the right to read away; the role itself stays, with whatever else it is for.
 * @throws ValidationError for a name that is none; TallystickError NOT_FOUND when there is no such role
 */
export async function revokeReader(
  database: LedgerDatabase,
  { role, actor, now }: { role: string } & Act,
): Promise<void> {
  checkName(role);
  await database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(hashtext('reporting readers'))`.execute(transaction);
    if (!(await exists(transaction, role))) {
      throw new TallystickError(`There is no role ${role}.`, {
        code: 'NOT_FOUND',
        retry: false,
        fix: 'Look at the roles of the database: \\du in psql.',
      });
    }
    const name = sql.id(role);
    await sql`alter default privileges in schema reporting revoke select on tables from ${name}`.execute(
      transaction,
    );
    await sql`revoke select on all tables in schema reporting from ${name}`.execute(transaction);
    await sql`revoke usage on schema reporting from ${name}`.execute(transaction);
    await writeAudit(transaction, { actor, action: 'reporting.revoke', target: role, details: {}, now });
  });
}

function checkName(role: string): void {
  if (ROLE_NAME.test(role)) return;
  throw new ValidationError(
    'role',
    'is no name of a role',
    'Use small letters, digits and _, e.g. grafana_reader.',
  );
}

async function exists(transaction: LedgerTransaction, role: string): Promise<boolean> {
  const found = await sql`select from pg_roles where rolname = ${role}`.execute(transaction);
  return found.rows.length > 0;
}

/** A role that was there may be the owner of the ledger, or read tables: dashboards must not get such a one. */
async function refuseMoreThanReader(transaction: LedgerTransaction, role: string): Promise<void> {
  const found = await sql<{ right: string }>`
    select 'is a superuser, or may bypass row security, create roles or databases' as right from pg_roles
    where rolname = ${role} and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
    union all
    select 'can use ' || c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname not in ('reporting', 'pg_catalog', 'information_schema') and n.nspname not like 'pg_t%'
      and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and has_table_privilege(${role}, c.oid, 'select, insert, update, delete, truncate, references, trigger')
    union all
    select 'can create in schema ' || n.nspname from pg_namespace as n
    where n.nspname not like 'pg_%' and has_schema_privilege(${role}, n.oid, 'create')
    limit 3`.execute(transaction);
  if (found.rows.length === 0) return;
  throw new TallystickError(
    `${role} can do more than read reports: it ${found.rows.map(({ right }) => right).join('; ')}.`,
    {
      code: 'CONFLICT',
      retry: false,
      fix: 'Name a role that does not exist yet, or take those rights away first.',
    },
  );
}
