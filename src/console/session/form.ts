import type { Context } from 'hono';
import { html } from 'hono/html';
import { formTokenOf } from '../../identity/sessions/sessions.ts';
import type { Html } from '../../pages/html.ts';
import type { ApiEnvironment } from '../../platform/http/dependencies.ts';
import { readTextBody } from '../../platform/http/text-body.ts';
import { isSameText } from '../../platform/same-text.ts';

const FIELD = 'formToken';

/** The hidden field that says of which session a form is. */
export function formField(sessionToken: string): Html {
  return html`<input type="hidden" name="${FIELD}" value="${formTokenOf(sessionToken)}">`;
}

/** A button that sends its form, which else is a GET and free of the token, to an act. */
export function formButton(sessionToken: string, act: string, words: string): Html {
  return html`<button name="${FIELD}" value="${formTokenOf(sessionToken)}" formmethod="post" formaction="${act}">${words}</button>`;
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
}

/** A form as it was sent, without the field that is ours. @throws ValidationError unless it is UTF-8 */
export async function readForm(context: Context<ApiEnvironment>): Promise<SentForm> {
  const fields = storable(new URLSearchParams(await readTextBody(context)));
  const given = fields.get(FIELD) ?? '';
  fields.delete(FIELD);
  return {
    fields,
    isOf: (sessionToken) => sessionToken !== undefined && isSameText(given, formTokenOf(sessionToken)),
  };
}
