import { html } from 'hono/html';
import { hiddenFields } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import { bareDocument } from '../frame/document.ts';

/** What is kept of a form whose session had ended. */
export interface CarriedForm {
  /** Where it was sent. */
  act: string;
  fields: URLSearchParams;
}

export interface SignInPage {
  /** Where its reader wanted to go. */
  to: string;
  carried: CarriedForm | null;
  problem: string | null;
  hasKeys: boolean;
}

export function signInPage({ to, carried, problem, hasKeys }: SignInPage): Html {
  return bareDocument(
    'Sign in',
    html`<main class="sign-in panel" id="main">
  <h1>Sign in</h1>
  ${problem === null ? '' : html`<p class="notice danger" role="alert">${problem}</p>`}
  ${
    carried === null
      ? html`<p class="lead">With an API key of this service.</p>`
      : html`<p class="notice warn">Your session ended before the form was sent. Nothing was done, and nothing that you typed is lost: sign in, and send it again.</p>`
  }
  ${hasKeys ? '' : html`<p class="notice">There is no key yet. Make the first one where the service runs:<br><code>tallystick keys create --name "your name" --scope admin</code></p>`}
  <form class="fields" method="post" action="/console/sign-in">
    <input type="hidden" name="to" value="${to}">
    ${carried === null ? '' : html`<input type="hidden" name="act" value="${carried.act}"><input type="hidden" name="carried" value="${carried.fields.toString()}">`}
    <label><span>Key</span><input type="password" name="key" required autofocus autocomplete="current-password" maxlength="200" spellcheck="false" placeholder="tsk_…"></label>
    <div><button>Sign in</button></div>
  </form>
</main>`,
  );
}

/** Shows what was typed before the session ended, for its writer to send: nothing is ever sent by itself. */
export function sendAgainPage({ act, fields }: CarriedForm, formField: Html): Html {
  return bareDocument(
    'Send it again',
    html`<main class="sign-in panel" id="main">
  <h1>Send it again?</h1>
  <p class="lead">You are signed in anew since this form was opened. Nothing was done yet.</p>
  ${typedList([...fields])}
  <form method="post" action="${act}">
    ${formField}
    ${hiddenFields(fields)}
    <button autofocus>Send</button> <a href="${act.replace(/\/[^/?]*(\?.*)?$/, '')}">Leave it</a>
  </form>
</main>`,
  );
}

function typedList(fields: readonly (readonly [string, string])[]): Html {
  return html`<dl class="facts">${fields.filter(([, value]) => value !== '').map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** What was sent and stands nowhere on the page that answers, as where the form that it came from is gone by now. */
export function typedBeside(fields: URLSearchParams, body: Html): Html | string {
  const page = String(body);
  const lacking = [...fields].filter(
    // Texts of people: ids and marks that forms carry have no spaces, and nobody types them.
    ([, value]) => /\s/.test(value.trim()) && !page.includes(String(html`${value}`)),
  );
  if (lacking.length === 0) return '';
  return html`<section class="panel" aria-label="What you had typed"><h2>What you had typed</h2>${typedList(lacking)}</section>`;
}

/** A page for what cannot be shown inside of the frame. */
export function plainPage(title: string, body: Html): Html {
  return bareDocument(
    title,
    html`<main class="sign-in panel" id="main"><h1>${title}</h1>${body}<p><a href="/console">To the console</a></p></main>`,
  );
}
