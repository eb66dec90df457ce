import type { Fault } from '../refusal.ts';
import { type BudgetStep, type BudgetTerms, isMoney, stepKey } from './budget.ts';

/** More is no ladder any more. */
const MOST_STEPS = 12;
/** Ten times the limit. */
const MOST_SHARE_PERMILLE = 10_000;
/** As far back as sums of hours may be asked for at once. */
const MOST_ROLLING_DAYS = 92;

/** What of a budget contradicts itself; empty: nothing. */
export function checkBudget(terms: BudgetTerms): Fault[] {
  const { scope, perUser, period, rollingDayCount, measure, currency, limit } = terms;
  const faults: Fault[] = [];
  const add = (field: string, message: string, fix: string) => faults.push({ field, message, fix });
  for (const [field, scopes] of [
    ['customerId', ['customer', 'user']],
    ['feature', ['feature']],
    ['subject', ['user']],
  ] as const) {
    const isWanted = (scopes as readonly string[]).includes(scope);
    if (isWanted && terms[field] === null) add(field, 'is missing', `A budget of scope ${scope} names it.`);
    if (!isWanted && terms[field] !== null) {
      add(
        field,
        `says nothing in a budget of scope ${scope}`,
        `Leave it out, or take scope ${scopes.join(' or ')}.`,
      );
    }
  }
  if (perUser && scope === 'user') add('perUser', 'says nothing of one user', 'Leave it out.');
  if (period === 'billing_period' && scope !== 'customer' && scope !== 'user') {
    add('period', 'differs between customers', 'Take a month, or name a customer.');
  }
  if ((period === 'rolling_days') !== (rollingDayCount !== null)) {
    add('rollingDayCount', 'goes with the period rolling_days, and only with it', 'Give both, or neither.');
  } else if (
    rollingDayCount !== null &&
    (!Number.isInteger(rollingDayCount) || rollingDayCount < 2 || rollingDayCount > MOST_ROLLING_DAYS)
  ) {
    add('rollingDayCount', `is not from 2 to ${MOST_ROLLING_DAYS}`, 'One day is the period day.');
  }
  if (isMoney(measure) && currency === null) add('currency', 'is missing', 'Money has one, such as usd.');
  if (!isMoney(measure) && currency !== null) add('currency', `says nothing of ${measure}`, 'Leave it out.');
  if (limit <= 0n) {
    add(
      'limit',
      limit === 0n ? 'is zero, and nothing is a share of it' : 'is below zero',
      'To stop at the first use, give a small limit a step that stops at 1 thousandth; to let nothing through, withdraw the key at the gateway.',
    );
  }
  const bills = terms.steps.findIndex(({ action }) => action === 'bill');
  if (bills >= 0 && (scope !== 'customer' || perUser)) {
    add(`steps.${bills}.action`, 'bills a customer', 'Give it to a budget of one customer as a whole.');
  }
  return [...faults, ...checkSteps(terms.steps)];
}

function checkSteps(steps: readonly BudgetStep[]): Fault[] {
  const faults: Fault[] = [];
  const add = (place: number, field: string, message: string, fix: string) =>
    faults.push({ field: `steps.${place}.${field}`, message, fix });
  if (steps.length > MOST_STEPS) {
    faults.push({ field: 'steps', message: `are more than ${MOST_STEPS}`, fix: 'Keep those that matter.' });
  }
  const seen = new Set<string>();
  for (const [place, step] of steps.entries()) {
    const { sharePermille, on, action, tokensPerMinute, deployment } = step;
    if (!Number.isInteger(sharePermille) || sharePermille < 1 || sharePermille > MOST_SHARE_PERMILLE) {
      add(
        place,
        'sharePermille',
        `is not from 1 to ${MOST_SHARE_PERMILLE}`,
        '1000 is the limit, 800 four fifths of it.',
      );
    }
    if (on === 'forecast' && action !== 'tell') {
      add(
        place,
        'action',
        'acts on what is not used yet',
        'A forecast only tells; give the act a step on actual.',
      );
    }
    if ((action === 'slow') !== (tokensPerMinute !== undefined)) {
      add(place, 'tokensPerMinute', 'goes with slow, and only with it', 'Say how much is let through.');
    } else if (tokensPerMinute !== undefined && (!Number.isInteger(tokensPerMinute) || tokensPerMinute < 1)) {
      add(place, 'tokensPerMinute', 'is not a whole number above zero', 'To let nothing through, stop.');
    }
    if ((action === 'swap') !== (deployment !== undefined)) {
      add(place, 'deployment', 'goes with swap, and only with it', 'Name where calls go instead.');
    }
    if (seen.has(stepKey(step)))
      add(place, 'sharePermille', 'has this act already', 'Give each step a share of its own.');
    seen.add(stepKey(step));
  }
  return faults;
}
