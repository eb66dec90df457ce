import { html } from 'hono/html';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../platform/clock.ts';
import type { Html } from './html.ts';
import { groupDigits, moneyInWords, twoDecimals } from './words.ts';

/** A count; null: nobody knows it, which is not zero. */
export function countCell(count: bigint | null): Html | string {
  if (count === null) return unknownCell();
  return muteZero(count === 0n, groupDigits(String(count)));
}

/** An amount with two decimals; null: unknown. @param amount decimal text in units of the currency */
export function moneyCell(amount: string | null, currency: string): Html | string {
  if (amount === null) return unknownCell();
  return muteZero(/^-?0*(\.0*)?$/.test(amount), wholeAmount(moneyInWords(twoDecimals(amount), currency)));
}

/** An amount as one piece: its sign never stays behind at the end of a line. */
export function wholeAmount(text: string): Html | string {
  return /^[−+]/.test(text) ? html`<span class="short">${text}</span>` : text;
}

/** A share with one decimal; null: there is no whole. @param share 1 is all of it */
export function shareCell(share: number | null): Html | string {
  if (share === null) return html`<span class="muted">–</span>`;
  return muteZero(share === 0, `${(share * 100).toFixed(1)} %`);
}

/** What is unknown, and, where it is told, of how much of the whole. */
export function unknownCell(shareUnknown?: number): Html {
  const share = shareUnknown === undefined ? '' : ` (${(shareUnknown * 100).toFixed(0)} % of it)`;
  return html`<span class="unknown">unknown${share}</span>`;
}

function muteZero(isZero: boolean, text: Html | string): Html | string {
  return isZero ? html`<span class="muted">${text}</span>` : text;
}

/** How long ago, in the one unit that says enough: `4 min`, `9 h`, `3 days`. */
export function ageInWords(milliseconds: number): string {
  const age = Math.max(0, milliseconds);
  if (age < MINUTE_MS) return `${Math.floor(age / 1_000)} s`;
  if (age < 2 * HOUR_MS) return `${Math.floor(age / MINUTE_MS)} min`;
  if (age < 2 * DAY_MS) return `${Math.floor(age / HOUR_MS)} h`;
  return `${Math.floor(age / DAY_MS)} days`;
}

const INSTANT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});

/** `31 Oct 2026, 22:40 UTC` for people, exact for machines. */
export function instantCell(instant: Date | null): Html | string {
  if (instant === null) return html`<span class="muted">never</span>`;
  return html`<time datetime="${instant.toISOString()}">${INSTANT.format(instant)} UTC</time>`;
}
