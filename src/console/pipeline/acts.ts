import { groupDigits } from '../../pages/words.ts';
import { askForStep } from '../../platform/http/dependencies.ts';
import { acceptEntry } from '../../quarantine/accept.ts';
import { assignEntry } from '../../quarantine/assign.ts';
import { writeOffEntry } from '../../quarantine/desk.ts';
import { retryEntry } from '../../quarantine/retry.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';

type Form = URLSearchParams;

/** What a person does about what waits: as the routes of the desk do it, by the same functions. */
export const PIPELINE_ACTS: Readonly<Record<string, PageAct>> = {
  retry: {
    scopes: [],
    run: async (form, view) => {
      const { stage } = await retryEntry(view.dependencies.database, begin(form, view));
      if (stage === 'source_item') await askForStep(view.dependencies, 'sync-catalog', 'quarantine');
      return { notice: `${entryOf(form)} is tried again; if it still cannot go on, it comes back here.` };
    },
  },
  assign: {
    scopes: [],
    run: async (form, view) => {
      const customerId = requiredText(form, 'customerId', 'Say whose it is.', 512);
      const assigned = await assignEntry(view.dependencies.database, { ...begin(form, view), customerId });
      await askForStep(view.dependencies, 'sync-catalog', 'quarantine');
      const released = groupDigits(String(assigned.releasedTokenCount));
      return {
        notice: `${assigned.subject} belongs to ${customerId} from now on; ${released} settled tokens go on with the next push.`,
      };
    },
  },
  accept: {
    scopes: [],
    run: async (form, view) => {
      const reason = requiredText(form, 'reason', 'Say why the minute is taken as told.', 2_000);
      const taken = await acceptEntry(view.dependencies.database, { ...begin(form, view), reason });
      await askForStep(view.dependencies, 'sync-catalog', 'quarantine');
      return {
        notice: `The minute of ${entryOf(form)} is taken as told: ${taken.rowCount} rows, ${groupDigits(String(taken.tokenCount))} tokens.`,
      };
    },
  },
  'write-off': {
    scopes: [],
    run: async (form, view) => {
      const reason = requiredText(form, 'reason', 'Say why these tokens are given up.', 2_000);
      const given = await writeOffEntry(view.dependencies.database, { ...begin(form, view), reason });
      const tokens = groupDigits(String(given.tokenCount));
      return { notice: `${tokens} tokens of ${entryOf(form)} are given up. Nothing is deleted.` };
    },
  },
};

function begin(form: Form, { caller, dependencies }: ConsoleView) {
  return { quarantineId: entryOf(form), actor: caller.actor, now: dependencies.clock.now() };
}

const entryOf = (form: Form) => requiredText(form, 'entry', 'Choose one from the list.', 100);
