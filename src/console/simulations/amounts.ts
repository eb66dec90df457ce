import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { wholeAmount } from '../../pages/numbers.ts';
import { moneyInWords, twoDecimals } from '../../pages/words.ts';

/** A change of an amount with its sign: `+$12.00`, `−$3.10`. @param delta decimal text in units of the currency */
export function signedMoney(delta: string, currency: string): Html | string {
  const rounded = twoDecimals(delta);
  if (/^-?0\.00$/.test(rounded)) {
    const isNothing = /^-?0*(\.0*)?$/.test(delta);
    return isNothing ? html`<span class="muted">0</span>` : delta.startsWith('-') ? '−0.00' : '+0.00';
  }
  return wholeAmount(signedText(rounded, currency));
}

/** The same as text. */
export function signedText(rounded: string, currency: string): string {
  return rounded.startsWith('-') ? moneyInWords(rounded, currency) : `+${moneyInWords(rounded, currency)}`;
}
