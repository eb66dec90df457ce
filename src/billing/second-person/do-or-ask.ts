import { addMs, HOUR_MS } from '../../platform/clock.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import type { ApiCaller, ApiDependencies } from '../../platform/http/dependencies.ts';
import { type ActParameters, changesOf, type GuardedAct, needsSecondPerson } from './guarded-act.ts';
import { isSamePerson } from './people.ts';
import {
  addSecondPersonRequest,
  endSecondPersonRequest,
  lockTarget,
  type SecondPersonRequest,
  takeWaiting,
} from './requests.ts';

export interface GivenAct {
  subjectId: string;
  parameters?: ActParameters;
  reason: string | null;
  caller: ApiCaller;
}

/**
 * Does an act, or asks a second person for it where its amount is above what one may decide alone. Asked again by the same
 * person with the same figures it changes nothing; with others, what waited is asked anew.
 * @returns what waits now; null: it is done
 * @throws ValidationError without a reason for the other person to read; TallystickError NOT_FOUND, CONFLICT when it cannot be
 *   done, or somebody else's request waits
 */
export async function doOrAsk(
  { database, settings, clock }: ApiDependencies,
  act: GuardedAct,
  { subjectId, parameters = {}, reason, caller }: GivenAct,
): Promise<SecondPersonRequest | null> {
  const rule = settings?.secondPerson ?? null;
  const target = act.targetOf(subjectId);
  const now = clock.now();
  return await database.transaction().execute(async (transaction) => {
    await lockTarget(transaction, target);
    await act.lock(transaction, subjectId);
    const waiting = await takeWaiting(transaction, target, now);
    const facts = await act.read(transaction, subjectId);
    const overtake = async (why: string) => {
      if (waiting === null || subjectOf(waiting.act) !== subjectOf(act.name)) return;
      const end = { state: 'overtaken', actor: caller.actor, reason: why, now } as const;
      await endSecondPersonRequest(transaction, waiting, end);
    };
    if (facts.obstacle !== null || !needsSecondPerson(rule, facts)) {
      await act.run(transaction, { subjectId, parameters, reason, actor: caller.actor, now });
      await overtake('it was decided without a second person');
      return null;
    }
    const because = reason?.trim() ?? '';
    if (because === '')
      throw new ValidationError('reason', 'is missing', 'Say why: a second person reads it.');
    if (waiting !== null) {
      if (subjectOf(waiting.act) !== subjectOf(act.name)) throw waitsAlready(waiting);
      const changes = changesOf(waiting.figures, facts.figures);
      if (changes.length === 0) {
        if (isRepeated(waiting, act, parameters) && isSamePerson(waiting, caller)) return waiting;
        throw waitsAlready(waiting);
      }
      await overtake(`asked anew: ${changes.join('; ')}`);
    }
    const request = await addSecondPersonRequest(transaction, {
      act: act.name,
      subjectId,
      target,
      parameters,
      customerId: facts.customerId,
      amountMinor: facts.amountMinor,
      currency: facts.currency,
      figures: facts.figures,
      reason: because,
      askedBy: caller.actor,
      askedByName: caller.name,
      askedByKey: caller.apiKeyId ?? null,
      askedAt: now,
      expiresAt: addMs(now, (rule?.waitHours ?? 0) * HOUR_MS),
    });
    return request;
  });
}

/** What an act is about: the close of an invoice and its usage are not the same, although both go by its id. */
const subjectOf = (act: GuardedAct['name']) => act.split('.')[0];

function isRepeated(waiting: SecondPersonRequest, act: GuardedAct, parameters: ActParameters): boolean {
  return waiting.act === act.name && changesOf(waiting.parameters, parameters).length === 0;
}

function waitsAlready({ requestId, act, askedBy, askedAt, target }: SecondPersonRequest): TallystickError {
  return new TallystickError(
    `${act} of ${target}, asked for by ${askedBy} at ${askedAt.toISOString()}, waits for a second person already (${requestId}).`,
    { code: 'CONFLICT', retry: false, fix: 'Agree to it or decline it first.' },
  );
}
