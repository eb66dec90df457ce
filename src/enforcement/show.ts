import { createHash } from 'node:crypto';
import type { CallerRuling, HolderRuling } from '../../pricing/enforcement/holders.ts';
import { ALLOWED, type Ruling } from '../../pricing/enforcement/ruling.ts';
import type { EnforcementFacts } from './facts.ts';
import type { CallerBody, RulingBody, WholeBody } from './schemas.ts';

/** What a gateway asks after, in the words of its own token. */
export interface AskedCaller {
  tenantKey: string;
  subject: string;
}

/** An answer to its last byte. Equal revisions are equal bytes. */
export interface Answer {
  body: string;
  /** SHA-256 of the body, hexadecimal: what is signed, and the entity tag. */
  revision: string;
}

/** Everybody of whom something is asked; whoever is not named is let through. */
export function answerWhole(
  holders: readonly HolderRuling[],
  { tenantOfCustomer }: EnforcementFacts,
  stopsUnknown: boolean,
): Answer {
  return answerOf({
    unknownCallers: stopsUnknown ? 'stop' : 'allow',
    holders: holders.map(({ customerId, subject, feature, ruling }) => ({
      customerId,
      tenantKey: customerId === null ? null : (tenantOfCustomer.get(customerId) ?? null),
      subject,
      feature,
      ...showRuling(ruling),
    })),
  } satisfies WholeBody);
}

/** @param caller with its customer; null: nobody knows whose it is */
export function answerAbout(
  { tenantKey, subject, customerId }: AskedCaller & { customerId: string | null },
  { ruling, byFeature }: CallerRuling,
  stopsUnknown: boolean,
): Answer {
  const isUnknown = customerId === null;
  const stopped = isUnknown && stopsUnknown && ruling.action !== 'stop';
  return answerOf({
    tenantKey,
    subject,
    customerId,
    ...(stopped ? UNKNOWN_STOPPED : showRuling(ruling)),
    features: stopped
      ? {}
      : Object.fromEntries([...byFeature].map(([feature, its]) => [feature, showRuling(its)])),
  } satisfies CallerBody);
}

function answerOf(content: WholeBody | CallerBody): Answer {
  const body = JSON.stringify(content);
  return { body, revision: createHash('sha256').update(body).digest('hex') };
}

function showRuling(ruling: Ruling): RulingBody {
  const { budgetId, budgetName, until, ...rest } = ruling;
  return {
    ...rest,
    budget: budgetId === null ? null : { id: budgetId, name: budgetName ?? '' },
    until: until?.toISOString() ?? null,
    untilSeconds: until === null ? null : Math.floor(until.getTime() / 1_000),
    message: messageOf(ruling),
  };
}

/** What a caller who is stopped reads; null: nobody is. */
function messageOf({ action, budgetName, until, contact }: Ruling): string | null {
  if (action !== 'stop') return null;
  const end = until === null ? '' : ` until ${until.toISOString().slice(0, 16).replace('T', ', ')} UTC`;
  return `The budget "${budgetName}" is used up; calls are stopped${end}. ${
    contact === null ? 'Ask whoever gave you access.' : `Ask ${contact}.`
  }`;
}

const UNKNOWN_STOPPED: RulingBody = {
  ...showRuling(ALLOWED),
  action: 'stop',
  status: 403,
  message: 'Nobody knows whose calls these are, so they are stopped. Ask whoever gave you access.',
};
