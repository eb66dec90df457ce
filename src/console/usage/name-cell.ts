import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { type UsageKind, usageAddress } from './address.ts';

const WITHOUT: Record<UsageKind, string> = {
  feature: 'no feature',
  model: 'not told',
  deployment: 'not told',
};

/** The name of a feature, a model or a deployment, leading to what its usage is made of. */
export function usageNameCell(view: ConsoleView, kind: UsageKind, name: string): Html {
  const called = name === '' ? html`<span class="muted">${WITHOUT[kind]}</span>` : nameCell(name);
  const href = usageAddress(view, kind, name);
  return href === null ? called : html`<a href="${href}">${called}</a>`;
}
