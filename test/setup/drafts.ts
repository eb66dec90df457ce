import { beforeEach, describe } from 'vitest';
import type { DraftQuantities } from '../../sandbox/stripe/account.ts';

let chosen: DraftQuantities = 'follow';

/** How the drafts of the test at hand behave. */
export function draftQuantities(): DraftQuantities {
  return chosen;
}

/** The same tests for drafts whose quantities follow the usage, and for drafts that stand still until they are final. */
export function describeForBothDrafts(name: string, tests: () => void): void {
  describe.each(['follow', 'stand_still'] as const)(`${name} (drafts that %s)`, (drafts) => {
    beforeEach(() => {
      chosen = drafts;
    });
    tests();
  });
}
