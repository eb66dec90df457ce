import { html } from 'hono/html';
import type { Html } from './html.ts';

/** Longer words are broken where the column ends; what is no longer at all stays on one line. */
const UNBROKEN_LENGTH = 24;

/**
 * A name from outside: it may be anything, written from right to left, or of 500 characters. It changes the direction of
 * nothing beside it, and is shown up to a length; whoever points at it, or takes the CSV, has all of it.
 */
export function nameCell(text: string, length = 80): Html {
  const characters = [...text];
  const isLong = characters.length > length;
  const shown = isLong ? `${characters.slice(0, length).join('')}…` : text;
  const breaks = shown.split(/\s/).some((word) => [...word].length > UNBROKEN_LENGTH);
  const title = isLong ? html` title="${characters.slice(0, 1_000).join('')}"` : '';
  const kind = breaks ? 'long' : [...shown].length > UNBROKEN_LENGTH ? '' : 'short';
  return html`<bdi class="${kind}"${title}>${shown}</bdi>`;
}

/** A name after what it is of, `feature search`; one that says so itself, such as `user-00004`, stands alone. */
export function kindAndName(kind: string, name: string, length = 80): Html {
  const saysItself = name.toLowerCase().startsWith(kind);
  return saysItself ? nameCell(name, length) : html`${kind} ${nameCell(name, length)}`;
}

const SHOWN_ID_LENGTH = 10;

/** An id beside a name: enough to tell it from others; whoever points at it has all of it. */
export function idCell(id: string): Html {
  return html`<code class="short" title="${id}">${id.slice(0, SHOWN_ID_LENGTH)}${id.length > SHOWN_ID_LENGTH ? '…' : ''}</code>`;
}

/** `key:sales desk (key_…)` is `sales desk`: who it is, and not by which key. */
export function actorInWords(actor: string): string {
  return actor.replace(/^key:(.*) \(key_[\w-]+\)$/, '$1');
}

/** Where only plain text can stand. Names from outside may be of any length. */
const TITLE_LENGTH = 80;

/** A name where only plain text can stand, as in a title. */
export function shortened(name: string): string {
  const characters = [...name];
  return characters.length > TITLE_LENGTH ? `${characters.slice(0, TITLE_LENGTH).join('')}…` : name;
}
