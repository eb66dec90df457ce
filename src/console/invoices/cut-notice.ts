import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { MOST_LISTED } from './gather.ts';

/** Said where a list may go on past what was read. */
export function cutNotice(...lists: readonly (readonly unknown[])[]): Html | string {
  return lists.some(({ length }) => length === MOST_LISTED)
    ? html`<p class="notice warn">There is more than the ${MOST_LISTED} that are listed of each.</p>`
    : '';
}
