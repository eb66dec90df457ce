import {
  groupByHolder,
  ruleForCaller,
  ruleForHolders,
  type StepsByHolder,
} from '../../pricing/enforcement/holders.ts';
import { nextChange } from '../../pricing/enforcement/ruling.ts';
import type { Clock } from '../platform/clock.ts';
import type { ChangeFeed } from '../platform/database/change-feed.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { watchChanges } from './changes.ts';
import { type EnforcementFacts, readCustomerOfSubject, readFacts } from './facts.ts';
import { type Answer, type AskedCaller, answerAbout, answerWhole } from './show.ts';

/** Users whose customer is kept in memory; one more, and the one that was asked after longest ago is read again. */
const MOST_SUBJECTS = 100_000;
/** Somebody nobody knew may be known by now: usage brings new users, and no change is told for each. */
const UNKNOWN_FOR_MS = 60_000;

/** What gateways are told, kept in memory. Reading it costs no statement as long as nothing has changed. */
export interface EnforcementState {
  /** Differs after every change; what was kept under another one is old. */
  mark(): Promise<string>;
  whole(): Promise<Answer>;
  about(caller: AskedCaller): Promise<Answer>;
}

interface Kept {
  mark: string;
  facts: EnforcementFacts;
  steps: StepsByHolder;
  whole: { answer: Answer; until: Date | null; at: Date } | null;
}

/** @param stopsUnknown what is neither a known user nor of a known tenant is stopped, and not let through */
export function createEnforcementState(parts: {
  database: LedgerDatabase;
  clock: Clock;
  stopsUnknown?: boolean | undefined;
  feed?: ChangeFeed | undefined;
  askEveryMs?: number | undefined;
}): EnforcementState {
  const { database, clock, stopsUnknown = false } = parts;
  const watch = watchChanges(database, parts);
  const subjects = new Map<string, { customerId: string | null; readAtMs: number }>();
  let kept: Kept | null = null;
  let loading: { mark: string; kept: Promise<Kept> } | null = null;

  const load = async (mark: string): Promise<Kept> => {
    const facts = await readFacts(database, clock.now());
    subjects.clear();
    kept = { mark, facts, steps: groupByHolder(facts.steps), whole: null };
    return kept;
  };

  /** The mark is taken before what it stands for is read: a change meanwhile makes another, and it is read again. */
  const read = async (): Promise<Kept> => {
    const mark = await watch.mark();
    if (kept?.mark === mark) return kept;
    if (loading?.mark !== mark) {
      const next = { mark, kept: load(mark) };
      loading = next;
      const forget = () => {
        if (loading === next) loading = null;
      };
      next.kept.then(forget, forget);
    }
    return await loading.kept;
  };

  const customerOf = async (subject: string): Promise<string | null> => {
    const known = subjects.get(subject);
    const isOld = known?.customerId === null && performance.now() - known.readAtMs > UNKNOWN_FOR_MS;
    if (known !== undefined && !isOld) return known.customerId;
    const readAtMs = performance.now();
    const before = kept;
    const customerId = await readCustomerOfSubject(database, subject);
    // Something changed meanwhile: good enough for this answer, and not to be kept.
    if (kept !== before) return customerId;
    subjects.delete(subject);
    subjects.set(subject, { customerId, readAtMs });
    const [oldest] = subjects.keys();
    if (subjects.size > MOST_SUBJECTS && oldest !== undefined) subjects.delete(oldest);
    return customerId;
  };

  return {
    mark: async () => (await read()).mark,
    whole: async () => {
      const state = await read();
      const now = clock.now();
      const { whole } = state;
      if (whole !== null && now >= whole.at && (whole.until === null || now < whole.until))
        return whole.answer;
      const answer = answerWhole(ruleForHolders(state.facts.steps, now), state.facts, stopsUnknown);
      state.whole = { answer, at: now, until: nextChange(state.facts.steps, now) };
      return answer;
    },
    about: async (caller) => {
      const state = await read();
      const { facts, steps } = state;
      const customerId =
        (await customerOf(caller.subject)) ?? facts.customerOfTenant.get(caller.tenantKey) ?? null;
      const ruling = ruleForCaller(steps, { customerId, subject: caller.subject }, clock.now());
      return answerAbout({ ...caller, customerId }, ruling, stopsUnknown);
    },
  };
}
