import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import type { SubscriptionPreviewBody } from '../../previews/schemas.ts';
import type { Statement } from '../../statements/decide.ts';
import { allowanceName, fullestAllowance, usedShare } from '../statement/allowances.ts';
import { amountCell } from '../statement/parts.ts';
import type { ReaderLocale } from '../words/reader.ts';

/** What the period costs so far and at its end, and how much of what is included is used. */
export function figures(statement: Statement, preview: SubscriptionPreviewBody, locale: ReaderLocale): Html {
  const { words } = locale;
  const { totals, head } = statement;
  const fullest = fullestAllowance(statement);
  const soFar = totals.isUnpriced ? null : totals.lineMinor;
  return html`<dl class="figures">
    <div class="chief"><dt>${words.period.soFar}</dt><dd>${amountCell(soFar, head.currency, locale)}<small>${soFar === null ? words.period.noPrice : taxesInWords(preview, locale)}</small></dd></div>
    <div class="chief"><dt>${words.period.atEnd}</dt>${projected(preview, locale)}</div>
    <div><dt>${words.period.tokens}</dt><dd>${locale.count(totals.tokenCount)}</dd></div>
    <div><dt>${words.period.allowance}</dt><dd>${fullest === undefined ? html`<span class="muted">–</span><small>${words.period.noAllowance}</small>` : html`${locale.share(usedShare(fullest))}<small>${allowanceName(fullest, locale)}</small>`}</dd></div>
  </dl>`;
}

function taxesInWords(
  { totals, total, currency }: SubscriptionPreviewBody,
  { words, money }: ReaderLocale,
): string {
  const isOther = totals.total !== null && totals.total !== total;
  return isOther
    ? `${words.period.beforeTaxes}; ${words.period.afterTaxes(money(totals.total ?? '', currency))}`
    : words.period.beforeTaxes;
}

function projected({ projection, currency }: SubscriptionPreviewBody, { words, money }: ReaderLocale): Html {
  const { total, reason } = projection;
  if (total === null) {
    const why = {
      too_little_history: words.period.tooLittleHistory,
      period_is_over: words.period.isOver,
      unpriced_line: words.period.noPrice,
    }[reason ?? 'unpriced_line'];
    return html`<dd><span class="unknown">${words.unknown}</span><small>${why}</small></dd>`;
  }
  const { p10, p90, expected } = total;
  const [low, high] = [money(p10, currency), money(p90, currency)];
  return html`<dd>${low === high ? html`<span class="amount">${low}</span>` : rangeOf(low, high, words.period.range)}<small>${words.period.rangeNote(money(expected, currency))}</small></dd>`;
}

/** Each of the two amounts stays whole where the line ends. */
function rangeOf(low: string, high: string, range: (low: string, high: string) => string): Html {
  const [before = '', between = '', after = ''] = range('\0', '\0').split('\0');
  return html`${before}<span class="amount">${low}</span>${between}<span class="amount">${high}</span>${after}`;
}
