import { html } from 'hono/html';
import type { Html } from './html.ts';

/** What a form sends along unseen. */
export function hiddenFields(fields: Iterable<readonly [name: string, value: string]>): Html[] {
  return [...fields].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`);
}

/** Something to choose. */
export function optionField(value: string, title: string, isChosen: boolean): Html {
  return html`<option value="${value}"${isChosen ? html` selected` : ''}>${title}</option>`;
}
