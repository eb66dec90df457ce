import type { BudgetTerms } from './budget.ts';

/** The customer that experiments of the house are, apart from whoever is invoiced. */
export const EXPERIMENTATION = {
  customerId: 'internal-experimentation',
  name: 'Internal experimentation',
} as const;

/** What experiments may cost in a month where nobody says otherwise, in US dollars. */
export const EXPERIMENTATION_LIMIT = '50';

/** A strict cap: somebody is told at half and at four fifths of it, and when it will not do; at all of it calls are refused. */
export function experimentationSteps(contact: string | undefined): BudgetTerms['steps'] {
  const whom = contact === undefined ? {} : { contact };
  return [
    { sharePermille: 500, on: 'actual', action: 'tell' },
    { sharePermille: 800, on: 'actual', action: 'tell' },
    { sharePermille: 1_000, on: 'forecast', action: 'tell' },
    { sharePermille: 1_000, on: 'actual', action: 'stop', ...whom },
  ];
}
