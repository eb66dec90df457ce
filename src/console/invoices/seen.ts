import { createHash } from 'node:crypto';
import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { TallystickError } from '../../platform/errors.ts';

/** What a reader saw before acting: the figures that the act is about, so that nobody says yes to others. */
export type Seen = readonly (string | bigint | null | undefined)[];

const markOf = (seen: Seen) =>
  createHash('sha256')
    .update(JSON.stringify(seen.map((part) => String(part))))
    .digest('hex')
    .slice(0, 16);

export function seenField(seen: Seen): Html {
  return html`<input type="hidden" name="seen" value="${markOf(seen)}">`;
}

/** @throws TallystickError CONFLICT, where the figures are others than the form was about */
export function requireSeen(form: URLSearchParams, seen: Seen, what: string): void {
  if (form.get('seen') === markOf(seen)) return;
  throw new TallystickError(`${what} has changed since you opened the page. Nothing was done.`, {
    code: 'CONFLICT',
    retry: false,
    fix: 'It is shown below as it is now, with what you typed: look again, and send it again.',
  });
}
