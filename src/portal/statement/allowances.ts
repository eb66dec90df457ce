import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import type { Statement } from '../../statements/decide.ts';
import type { ReaderLocale } from '../words/reader.ts';
import { shareOf } from './parts.ts';

type Allowance = Statement['allowances'][number];

/** How much of each included amount is used, drawn and in words. */
export function allowancesSection({ allowances }: Statement, locale: ReaderLocale): Html | string {
  if (allowances.length === 0) return '';
  const { words, count } = locale;
  return html`<h2>${words.allowances.title}</h2>
    <div class="panel allowance">${allowances.map((allowance) => {
      const { includedTokenCount: included, usedTokenCount: used } = allowance;
      const isSpent = used >= included;
      return html`<div><p><strong>${allowanceName(allowance, locale)}</strong><span>${words.allowances.used(count(used), count(included))}, ${isSpent ? words.allowances.spent : words.allowances.left(count(included - used))}</span></p>${gauge(usedShare(allowance))}</div>`;
    })}</div>`;
}

/** The same for one user of many: what is left of it, and not how much anybody else used. */
export function sharedAllowances({ allowances }: Statement, locale: ReaderLocale): Html {
  const { words, wholeShare } = locale;
  if (allowances.length === 0) return html`<p>${words.allowances.none}</p>`;
  return html`<div class="panel allowance">${allowances.map((allowance) => {
    const left = leftShare(allowance);
    return html`<div><p><strong>${allowanceName(allowance, locale)}</strong></p><p>${left === 0 ? words.allowances.sharedSpent : words.allowances.shared(wholeShare(left))}</p>${gauge(1 - left)}</div>`;
  })}</div>`;
}

/** What is left, in whole percent, so that it tells nobody's exact usage; a little that is left is no nothing. */
function leftShare({ includedTokenCount: included, usedTokenCount: used }: Allowance): number {
  if (used >= included) return 0;
  return Math.max(1, Math.floor(shareOf(included - used, included) * 100)) / 100;
}

/** The one of which the largest part is used; undefined: the plan has none. */
export function fullestAllowance({ allowances }: Statement): Allowance | undefined {
  return allowances.toSorted((one, other) => usedShare(other) - usedShare(one))[0];
}

export function usedShare({ includedTokenCount: included, usedTokenCount: used }: Allowance): number {
  return included === 0n ? 1 : shareOf(used, included);
}

export function allowanceName({ name, counted }: Allowance, locale: ReaderLocale): string {
  return counted === null ? name : locale.usage(counted);
}

/** Beside it stands the same in words. */
function gauge(share: number): Html {
  const width = Math.round(Math.min(1, Math.max(0, share)) * 1_000) / 10;
  return html`<svg class="gauge" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="whole" width="100" height="10"/><rect class="part ${share >= 1 ? 'full' : ''}" width="${width}" height="10"/></svg>`;
}
