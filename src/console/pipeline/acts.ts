import { groupDigits } from '../../pages/words.ts';
import { ValidationError } from '../../platform/errors.ts';
import { askForStep } from '../../platform/http/dependencies.ts';
import { assignEntry } from '../../quarantine/assign.ts';
import { writeOffEntry } from '../../quarantine/desk.ts';
import { retryEntry } from '../../quarantine/retry.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';

/** What a person does about what waits: as the routes of the desk do it, by the same functions. */
export const PIPELINE_ACTS: Readonly<Record<string, PageAct>> = {
  retry: {
    scopes: [],
    run: async (form, view) => {
      const { entry, by } = begin(form, view);
      const { stage } = await retryEntry(view.dependencies.database, { quarantineId: entry, ...by });
      if (stage === 'source_item') await askForStep(view.dependencies, 'sync-catalog', 'quarantine');
      return { notice: `${entry} is tried again; if it still cannot go on, it comes back here.` };
    },
  },
  assign: {
    scopes: [],
    run: async (form, view) => {
      const { entry, by } = begin(form, view);
      const customerId = requiredText(form, 'customerId', 'Say whose it is.');
      const assigned = await assignEntry(view.dependencies.database, {
        quarantineId: entry,
        customerId,
        ...by,
      });
      await askForStep(view.dependencies, 'sync-catalog', 'quarantine');
      return {
        notice: `${assigned.subject} belongs to ${customerId} from now on; ${groupDigits(String(assigned.releasedTokenCount))} settled tokens go on with the next push.`,
      };
    },
  },
  'write-off': {
    scopes: [],
    run: async (form, view) => {
      const { entry, by } = begin(form, view);
      const reason = requiredText(form, 'reason', 'Say why these tokens are given up.');
      const given = await writeOffEntry(view.dependencies.database, { quarantineId: entry, reason, ...by });
      return {
        notice: `${groupDigits(String(given.tokenCount))} tokens of ${entry} are given up. Nothing is deleted.`,
      };
    },
  },
};

function begin(form: URLSearchParams, view: ConsoleView) {
  const entry = requiredText(form, 'entry', 'Choose one from the list.');
  return { entry, by: { actor: view.caller.actor, now: view.dependencies.clock.now() } };
}

function requiredText(form: URLSearchParams, field: string, fix: string): string {
  const text = (form.get(field) ?? '').trim();
  if (text === '') throw new ValidationError(field, 'is missing', fix);
  if (text.length > 2_000 || text.includes('\0') || !text.isWellFormed()) {
    throw new ValidationError(field, 'is no text of at most 2,000 characters', fix);
  }
  return text;
}
