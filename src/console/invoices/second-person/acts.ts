import { agreeToRequest, declineRequest } from '../../../closing/second-person/decide.ts';
import { ValidationError } from '../../../platform/errors.ts';
import type { PageAct } from '../../frame/define-page.ts';
import { requiredText } from '../../frame/fields.ts';
import { actInWords, amountOf } from './words.ts';

/** What another person says: by the functions of the API's routes. */
export const SECOND_PERSON_ACTS: Readonly<Record<string, PageAct>> = {
  agree: {
    scopes: [],
    run: async (form, { caller, dependencies }) => {
      const agreed = await agreeToRequest(dependencies, readId(form), caller);
      return { notice: `Done: ${actInWords(agreed)}, ${amountOf(agreed)}. Both names are kept with it.` };
    },
  },
  decline: {
    scopes: [],
    run: async (form, { caller, dependencies }) => {
      const requestId = readId(form);
      const reason = requiredText(form, 'reason', 'Say why it is not done.', 2_000);
      const declined = await declineRequest(dependencies, requestId, { caller, reason });
      return { notice: `Nothing is done: ${actInWords(declined)} is ${declined.state}.` };
    },
  },
};

function readId(form: URLSearchParams): bigint {
  const id = requiredText(form, 'request', 'Choose one from the list.', 18);
  if (!/^\d+$/.test(id)) throw new ValidationError('request', 'is none', 'Choose one from the list.');
  return BigInt(id);
}
