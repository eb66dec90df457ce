import { formatMinor } from '../../../pricing/money.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { SecondPersonRule } from '../../platform/second-person.ts';

/** Acts that may need a second person, as the audit log names them. */
export const GUARDED_ACTS = [
  'close.release',
  'credit.approve',
  'credit.reject',
  'uninvoiced.write_off',
  'uninvoiced.due_again',
  'invoice.choose',
] as const;
export type GuardedActName = (typeof GUARDED_ACTS)[number];

export type ActParameters = Readonly<Record<string, string>>;

/** What an act is about, as things stand. */
export interface ActFacts {
  customerId: string;
  /** Null: nothing tells what it comes to. */
  amountMinor: bigint | null;
  currency: string | null;
  /** What whoever agrees has seen, by name. */
  figures: Readonly<Record<string, string>>;
  /** Why it cannot be done now, so that doing it changes nothing; null: it can. */
  obstacle: string | null;
  /** When it is too late; null: it never is. */
  deadline: Date | null;
}

/** An act that is done at once, or once a second person agrees. */
export interface GuardedAct {
  name: GuardedActName;
  /** As the audit log names it. */
  targetOf(subjectId: string): string;
  /** Keeps what the act is about as it is until the transaction ends. */
  lock(transaction: LedgerTransaction, subjectId: string): Promise<void>;
  /** @throws TallystickError NOT_FOUND */
  read(database: LedgerDatabase | LedgerTransaction, subjectId: string): Promise<ActFacts>;
  /** Does it, audited. @throws ValidationError, TallystickError NOT_FOUND, CONFLICT: the transaction is given up */
  run(
    transaction: LedgerTransaction,
    given: {
      subjectId: string;
      parameters: ActParameters;
      reason: string | null;
      actor: string;
      now: Date;
    },
  ): Promise<void>;
  /** Whether the jobs go on with it. */
  isFollowed: boolean;
}

/** Whether one person is not enough. An amount that nothing tells is not known to be small. */
export function needsSecondPerson(
  rule: SecondPersonRule | null,
  { amountMinor, currency }: Pick<ActFacts, 'amountMinor' | 'currency'>,
): boolean {
  if (rule === null) return false;
  if (amountMinor === null || currency === null) return true;
  const size = amountMinor < 0n ? -amountMinor : amountMinor;
  return size > (rule.above.get(currency) ?? 0n);
}

/** What figures have become another, both named; empty: none. */
export function changesOf(before: ActFacts['figures'], now: ActFacts['figures']): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names]
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name} was ${before[name] ?? 'none'} and is ${now[name] ?? 'none'}`);
}

/** `210.40 USD`. */
export function exactMoney(amountMinor: bigint, currency: string): string {
  return `${formatMinor(amountMinor, currency)} ${currency.toUpperCase()}`;
}
