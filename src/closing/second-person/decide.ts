import { CREDIT_APPROVAL, CREDIT_REJECTION } from '../../billing/second-person/credit-acts.ts';
import { changesOf, type GuardedAct, type GuardedActName } from '../../billing/second-person/guarded-act.ts';
import { isSamePerson, requireAnotherPerson } from '../../billing/second-person/people.ts';
import {
  endSecondPersonRequest,
  getSecondPersonRequest,
  lockTarget,
  type SecondPersonRequest,
} from '../../billing/second-person/requests.ts';
import { INVOICE_CHOICE, USAGE_DUE_AGAIN, USAGE_WRITE_OFF } from '../../billing/second-person/usage-acts.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { type ApiCaller, type ApiDependencies, askForStep } from '../../platform/http/dependencies.ts';
import { CLOSE_RELEASE } from './release-act.ts';

const ACTS: Readonly<Record<GuardedActName, GuardedAct>> = {
  'close.release': CLOSE_RELEASE,
  'credit.approve': CREDIT_APPROVAL,
  'credit.reject': CREDIT_REJECTION,
  'uninvoiced.write_off': USAGE_WRITE_OFF,
  'uninvoiced.due_again': USAGE_DUE_AGAIN,
  'invoice.choose': INVOICE_CHOICE,
};

/** A request, and how what it is about stands today. */
export interface StandingRequest {
  request: SecondPersonRequest;
  /** Why it cannot be done now; null: it can. */
  obstacle: string | null;
  /** What has become another since it was asked for. */
  changes: string[];
  /** When it is too late; null: it never is. */
  deadline: Date | null;
}

export async function readStanding(
  database: LedgerDatabase,
  request: SecondPersonRequest,
): Promise<StandingRequest> {
  if (request.state !== 'waiting') return { request, obstacle: null, changes: [], deadline: null };
  const { figures, obstacle, deadline } = await ACTS[request.act].read(database, request.subjectId);
  return { request, obstacle, changes: changesOf(request.figures, figures), deadline };
}

/**
 * A second person agrees: what was asked for is done, once, if it still is what it was. Both names stand wherever the act says
 * who did it.
 * @throws TallystickError NOT_FOUND, FORBIDDEN (who asked, or could be), CONFLICT (ended before, changed since, or too late)
 */
export async function agreeToRequest(
  dependencies: ApiDependencies,
  requestId: bigint,
  caller: ApiCaller,
): Promise<SecondPersonRequest> {
  const { database, clock } = dependencies;
  const now = clock.now();
  const agreed = await database.transaction().execute(async (transaction) => {
    const { act: name, subjectId } = await getSecondPersonRequest(transaction, requestId, now);
    const act = ACTS[name];
    // In the order in which who asks takes them.
    await lockTarget(transaction, act.targetOf(subjectId));
    await act.lock(transaction, subjectId);
    const request = await getSecondPersonRequest(transaction, requestId, now, { isLocked: true });
    requireWaiting(request);
    await requireAnotherPerson(transaction, request, caller);
    const { obstacle, figures } = await act.read(transaction, subjectId);
    if (obstacle !== null) throw conflict(`It can no longer be done: ${obstacle}.`, 'Decline it.');
    const changes = changesOf(request.figures, figures);
    if (changes.length > 0) {
      const since = request.askedAt.toISOString();
      throw conflict(`Since it was asked for at ${since}, ${changes.join('; ')}.`, 'Ask for it anew.');
    }
    const { parameters, reason } = request;
    const actor = `${request.askedBy}, agreed by ${caller.actor}`;
    await act.run(transaction, { subjectId, parameters, reason, actor, now });
    const end = { state: 'agreed', actor: caller.actor, reason: null, now } as const;
    await endSecondPersonRequest(transaction, request, end);
    return await getSecondPersonRequest(transaction, requestId, now);
  });
  if (ACTS[agreed.act].isFollowed) await askForStep(dependencies, 'close-invoices', agreed.act);
  return agreed;
}

/**
 * Somebody says no, and nothing is done: of who asked, it is withdrawn.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND, CONFLICT when it ended before
 */
export async function declineRequest(
  { database, clock }: ApiDependencies,
  requestId: bigint,
  said: { caller: ApiCaller; reason: string },
): Promise<SecondPersonRequest> {
  const { caller } = said;
  const reason = said.reason.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', 'Say why it is not done.');
  const now = clock.now();
  return await database.transaction().execute(async (transaction) => {
    const request = await getSecondPersonRequest(transaction, requestId, now, { isLocked: true });
    requireWaiting(request);
    const state = isSamePerson(request, caller) ? 'withdrawn' : 'declined';
    await endSecondPersonRequest(transaction, request, { state, actor: caller.actor, reason, now });
    return await getSecondPersonRequest(transaction, requestId, now);
  });
}

function requireWaiting({ requestId, state, endedBy, expiresAt }: SecondPersonRequest): void {
  if (state === 'waiting') return;
  const how = state === 'expired' ? `expired at ${expiresAt.toISOString()}` : `was ${state} by ${endedBy}`;
  throw conflict(`Request ${requestId} ${how}.`, 'What is still wanted is asked for anew.');
}

function conflict(message: string, fix: string): TallystickError {
  return new TallystickError(message, { code: 'CONFLICT', retry: false, fix });
}
