import type { Context } from 'hono';
import { html } from 'hono/html';
import { formTokenOf } from '../../identity/sessions/sessions.ts';
import type { Html } from '../../pages/html.ts';
import type { ApiEnvironment } from '../../platform/http/dependencies.ts';
import { readTextBody } from '../../platform/http/text-body.ts';
import { randomText } from '../../platform/random-text.ts';
import { isSameText } from '../../platform/same-text.ts';

const FIELD = 'formToken';

/** What a form is known by: its session, and behind it the page that it was drawn on. */
const fieldValue = (sessionToken: string) => `${formTokenOf(sessionToken)}.${randomText(16)}`;

/** The hidden field that says of which session a form is, and tells it from the same form on another page. */
export function formField(sessionToken: string): Html {
  return html`<input type="hidden" name="${FIELD}" value="${fieldValue(sessionToken)}">`;
}

/** A button that sends its form, which else is a GET and free of the token, to an act. */
export function formButton(sessionToken: string, act: string, words: string): Html {
  return html`<button name="${FIELD}" value="${fieldValue(sessionToken)}" formmethod="post" formaction="${act}">${words}</button>`;
}

/** Texts as Postgres can keep them: nobody types a zero character or half of one, and no page has to think of them. */
export function storable(fields: Iterable<[string, string]>): URLSearchParams {
  const clean = (text: string) => text.replaceAll('\0', '').toWellFormed();
  return new URLSearchParams(
    [...fields].map(([name, value]): [string, string] => [clean(name), clean(value)]),
  );
}

export interface SentForm {
  fields: URLSearchParams;
  /** Whether it is of this session; always false without one. */
  isOf: (sessionToken: string | undefined) => boolean;
  /** Names this sending: whoever sends the same again from the same page sends it under the same name. */
  secretIn: (sessionToken: string, path: string) => string;
}

/** A form as it was sent, without the field that is ours. @throws ValidationError unless it is UTF-8 */
export async function readForm(context: Context<ApiEnvironment>): Promise<SentForm> {
  const fields = storable(new URLSearchParams(await readTextBody(context)));
  const given = fields.get(FIELD) ?? '';
  const [token = ''] = given.split('.');
  fields.delete(FIELD);
  const typed = fields.toString();
  return {
    fields,
    isOf: (sessionToken) => sessionToken !== undefined && isSameText(token, formTokenOf(sessionToken)),
    secretIn: (sessionToken, path) => [sessionToken, given, path, typed].join('\n'),
  };
}
