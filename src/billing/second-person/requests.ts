import { type RawBuilder, sql } from 'kysely';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { ActFacts, ActParameters, GuardedActName } from './guarded-act.ts';

/** `expired`: nobody said anything in time. `overtaken`: it was done otherwise, or asked anew with other figures. */
export const REQUEST_STATES = ['waiting', 'agreed', 'declined', 'withdrawn', 'expired', 'overtaken'] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

/** An act that waits, or waited, for a second person. */
export interface SecondPersonRequest {
  requestId: bigint;
  act: GuardedActName;
  subjectId: string;
  target: string;
  parameters: ActParameters;
  customerId: string;
  amountMinor: bigint | null;
  currency: string | null;
  figures: ActFacts['figures'];
  reason: string;
  askedBy: string;
  askedByName: string;
  /** Null: the command line. */
  askedByKey: string | null;
  askedAt: Date;
  expiresAt: Date;
  state: RequestState;
  endedBy: string | null;
  endedReason: string | null;
  endedAt: Date | null;
}

/** What becomes of the state by itself. */
const stateAt = (now: Date) =>
  sql<RequestState>`case when state = 'waiting' and expires_at <= ${now} then 'expired' else state end`;

/** Requests after a given one, the oldest first unless the newest are wanted. */
export async function listSecondPersonRequests(
  database: LedgerDatabase | LedgerTransaction,
  query: { states?: readonly RequestState[] | undefined; target?: string | undefined; now: Date },
  page: { afterId: bigint; limit: number; isNewestFirst?: boolean },
): Promise<SecondPersonRequest[]> {
  const { states, target, now } = query;
  return await select(
    database,
    sql`second_person_request_id > ${page.afterId}
      and ${states === undefined ? sql`true` : sql`${stateAt(now)} = any(${[...states]}::text[])`}
      and ${target === undefined ? sql`true` : sql`target = ${target}`}`,
    now,
    sql`order by second_person_request_id ${page.isNewestFirst === true ? sql`desc` : sql`asc`} limit ${page.limit}`,
  );
}

/** @throws TallystickError NOT_FOUND */
export async function getSecondPersonRequest(
  database: LedgerDatabase | LedgerTransaction,
  requestId: bigint,
  now: Date,
  { isLocked = false } = {},
): Promise<SecondPersonRequest> {
  const [found] = await select(
    database,
    sql`second_person_request_id = ${requestId}`,
    now,
    isLocked ? sql`for update` : sql``,
  );
  if (found !== undefined) return found;
  throw new TallystickError(`Nothing waits, or waited, for a second person under ${requestId}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/second-person lists what there is.',
  });
}

/** What waits for a target. */
export async function findWaiting(
  database: LedgerDatabase,
  target: string,
  now: Date,
): Promise<SecondPersonRequest | undefined> {
  const [found] = await listSecondPersonRequests(
    database,
    { states: ['waiting'], target, now },
    { afterId: 0n, limit: 1 },
  );
  return found;
}

/** Lets one act at a time be asked for, agreed to or done of a target, until the transaction ends: whatever else each act locks. */
export async function lockTarget(transaction: LedgerTransaction, target: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`second person|${target}`}, 0))`.execute(
    transaction,
  );
}

/** What waits for a target, locked; one whose time is over is ended first. Null: nothing waits. */
export async function takeWaiting(
  transaction: LedgerTransaction,
  target: string,
  now: Date,
): Promise<SecondPersonRequest | null> {
  const [found] = await select(
    transaction,
    sql`target = ${target} and state = 'waiting'`,
    now,
    sql`for update`,
  );
  if (found === undefined) return null;
  if (found.state === 'waiting') return found;
  await endSecondPersonRequest(transaction, found, {
    state: 'expired',
    actor: 'tallystick',
    reason: null,
    now,
  });
  return null;
}

/** Makes a request that waits, audited. What waits for the target was taken by the caller. */
export async function addSecondPersonRequest(
  transaction: LedgerTransaction,
  request: Omit<SecondPersonRequest, 'requestId' | 'state' | 'endedBy' | 'endedReason' | 'endedAt'>,
): Promise<SecondPersonRequest> {
  const { amountMinor, askedAt: now } = request;
  const made = await sql<{ id: bigint }>`
    insert into second_person_requests (act, subject_id, target, parameters, customer_id, amount_minor, currency, figures, reason,
      asked_by, asked_by_name, asked_by_key, asked_at, expires_at)
    values (${request.act}, ${request.subjectId}, ${request.target}, ${JSON.stringify(request.parameters)}::jsonb,
      ${request.customerId}, ${amountMinor === null ? null : String(amountMinor)}::bigint, ${request.currency},
      ${JSON.stringify(request.figures)}::jsonb, ${request.reason}, ${request.askedBy}, ${request.askedByName},
      ${request.askedByKey}, ${now}, ${request.expiresAt})
    returning second_person_request_id as id`.execute(transaction);
  const [row] = made.rows;
  if (row === undefined) throw new RangeError('the request was not made');
  await writeAudit(transaction, {
    actor: request.askedBy,
    action: 'second_person.ask',
    target: request.target,
    details: {
      request_id: String(row.id),
      act: request.act,
      ...request.parameters,
      figures: request.figures,
      amount_minor: amountMinor === null ? null : String(amountMinor),
      currency: request.currency,
      reason: request.reason,
      expires_at: request.expiresAt,
    },
    now,
  });
  return await getSecondPersonRequest(transaction, row.id, now);
}

const ENDING: Record<Exclude<RequestState, 'waiting'>, string> = {
  agreed: 'second_person.agree',
  declined: 'second_person.decline',
  withdrawn: 'second_person.withdraw',
  expired: 'second_person.expire',
  overtaken: 'second_person.overtake',
};

/** Ends a request that waits and is locked by the caller, audited. */
export async function endSecondPersonRequest(
  transaction: LedgerTransaction,
  request: SecondPersonRequest,
  end: { state: Exclude<RequestState, 'waiting'>; actor: string; reason: string | null; now: Date },
): Promise<void> {
  const { state, actor, reason, now } = end;
  await sql`
    update second_person_requests set state = ${state}, ended_by = ${actor}, ended_reason = ${reason}, ended_at = ${now}
    where second_person_request_id = ${request.requestId} and state = 'waiting'`.execute(transaction);
  await writeAudit(transaction, {
    actor,
    action: ENDING[state],
    target: request.target,
    details: { request_id: String(request.requestId), act: request.act, asked_by: request.askedBy, reason },
    now,
  });
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  where: RawBuilder<unknown>,
  now: Date,
  tail: RawBuilder<unknown>,
): Promise<SecondPersonRequest[]> {
  const rows = await sql<SecondPersonRequest>`
    select second_person_request_id as "requestId", act, subject_id as "subjectId", target, parameters, customer_id as "customerId",
      amount_minor as "amountMinor", currency, figures, reason, asked_by as "askedBy", asked_by_name as "askedByName",
      asked_by_key as "askedByKey", asked_at as "askedAt", expires_at as "expiresAt", ${stateAt(now)} as state, ended_by as "endedBy",
      ended_reason as "endedReason", ended_at as "endedAt"
    from second_person_requests where ${where} ${tail}`.execute(database);
  return rows.rows;
}
