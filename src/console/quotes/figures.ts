import { html } from 'hono/html';
import { speakInstants } from '../../../pricing/closing/words.ts';
import type { Html } from '../../pages/html.ts';
import { countCell, moneyCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { dataTable } from '../../pages/table/table.ts';
import { groupDigits, moneyInWords, twoDecimals, usageInWords } from '../../pages/words.ts';
import type { Seller } from '../../platform/seller.ts';
import type { Standing } from '../../quotes/page/acceptance.ts';
import { QUOTE_STYLE_PATH } from '../../quotes/page/page.ts';
import { quoteSheet } from '../../quotes/page/sheet.ts';
import type { QuoteAnswerBody, StoredQuoteBody } from '../../quotes/schemas.ts';
import type { ConsoleView } from '../frame/define-page.ts';

type Figure = { amount: string | null; reason: string | null };
type Line = QuoteAnswerBody['lines'][number];

/** What our own people look at first: the price, what it costs, what is left, and what it may vary between. */
export function quoteFigures(quote: QuoteAnswerBody): Html {
  const { totals, averageCost, currency, costCurrency, targetMargin, offer, mode } = quote;
  const isOffered = offer !== undefined && offer !== null;
  const price = isOffered ? offer.invoiceAmount : totals.invoiceAmount;
  const margin = isOffered ? offer.marginPercent : totals.marginPercent;
  const earned = isOffered ? offer.margin : totals.margin;
  const range = isOffered ? offer.range : quote.range;
  const label = mode === 'new' ? 'Price a month' : 'Change of the monthly price';
  return html`<dl class="figures">
  <div class="chief"><dt>${label}</dt><dd>${figure(price, currency)}<small>${priceBasis(quote)}</small></dd></div>
  <div><dt>Cost</dt><dd>${figure(totals.cost, costCurrency)}<small>${averageCost.basis === 'list_prices' ? 'at list prices' : html`marginal; ${figure(averageCost.cost, costCurrency)} average`}</small></dd></div>
  <div><dt>Margin</dt><dd>${margin.amount === null ? unknown(margin) : html`<span class="${margin.amount.startsWith('-') ? 'bad' : ''}">${margin.amount} %</span>`}<small>${earned.amount === null ? '' : moneyInWords(twoDecimals(earned.amount), currency)}${targetMargin === null ? '' : ` at a target of ${targetMargin.percent} %`}</small></dd></div>
  <div><dt>Range</dt><dd>${range === null ? html`<span class="muted">–</span>` : html`${figure(range.low.invoiceAmount, currency)} – ${figure(range.high.invoiceAmount, currency)}`}<small>${range === null ? inWords(quote.rangeReason) : 'with light and heavy use'}</small></dd></div>
</dl>
${isOffered || targetMargin === null ? '' : html`<p class="notice warn">A margin of ${targetMargin.percent} % needs ${figure(targetMargin.invoiceAmount, currency)}, and there is no price that reaches it: the customer reads “on request”.</p>`}
${totals.invoiceAmount.amount === null && !isOffered ? html`<p class="notice warn">Some of it has no price (${inWords(totals.invoiceAmount.reason)}): the customer reads “on request”.</p>` : ''}`;
}

function priceBasis({
  plan,
  rateBasis,
  customerId,
  offer,
  totals,
  currency,
}: QuoteAnswerBody): Html | string {
  if (offer !== undefined && offer !== null) {
    const rates = ratesInWords(plan, rateBasis, customerId);
    return totals.invoiceAmount.amount === null
      ? 'for the target margin'
      : html`for the target margin; ${figure(totals.invoiceAmount, currency)} at ${rates}`;
  }
  return `at ${ratesInWords(plan, rateBasis, customerId)}`;
}

function ratesInWords(
  plan: QuoteAnswerBody['plan'],
  rateBasis: QuoteAnswerBody['rateBasis'],
  customerId: string | null,
): string {
  if (rateBasis === 'plan' && plan !== null) return `prices of ${plan.name}`;
  return rateBasis === 'customer' ? `prices of ${customerId}` : 'the usual prices';
}

/** The customer's page as it is sent, with its own sheet, which the console's does not meet. */
export function customerPart(
  quote: StoredQuoteBody | null,
  shown: { now: Date; seller: Seller; standing: Standing },
): Html {
  return html`<template shadowrootmode="open"><link rel="stylesheet" href="${QUOTE_STYLE_PATH}"><div class="sheet">${
    quote === null
      ? html`<p class="for">The customer’s page shows here once there is something to quote.</p>`
      : quoteSheet(quote, { ...shown, isPart: true })
  }</div></template>`;
}

export function linesTable(quote: QuoteAnswerBody): TableDefinition<Line> {
  const { currency, costCurrency } = quote;
  const amountOf = (text: string | null) => (text === null ? null : Number(text));
  return {
    name: 'lines',
    caption: 'What it costs and brings, line by line',
    empty: 'No usage.',
    columns: [
      {
        name: 'usage',
        title: 'Usage',
        kind: 'text',
        isRowHeader: true,
        cell: (line) =>
          html`${usageInWords(line.model, line.tokenType)} <span class="muted">${[line.feature, line.deployment, line.deploymentType, line.region].filter(Boolean).join(', ')}</span>`,
        csv: (line) => [line.model, line.tokenType].join(' '),
        sortBy: (line) => usageInWords(line.model, line.tokenType),
      },
      {
        name: 'tokens',
        title: 'Tokens',
        kind: 'number',
        cell: (line) => countCell(BigInt(line.tokenCount)),
        csv: (line) => line.tokenCount,
        sortBy: (line) => BigInt(line.tokenCount),
      },
      {
        name: 'cost',
        title: 'Cost',
        kind: 'number',
        cell: (line) => figure(line.cost, costCurrency),
        csv: (line) => line.cost.amount,
        sortBy: (line) => amountOf(line.cost.amount),
      },
      {
        name: 'price',
        title: 'Price',
        kind: 'number',
        cell: (line) => figure(line.price, currency),
        csv: (line) => line.price.amount,
        sortBy: (line) => amountOf(line.price.amount),
      },
      {
        name: 'margin',
        title: 'Margin',
        kind: 'number',
        cell: ({ marginPercent }) =>
          marginPercent.amount === null
            ? unknown(marginPercent)
            : html`<span class="${marginPercent.amount.startsWith('-') ? 'bad' : ''}">${marginPercent.amount} %</span>`,
        csv: (line) => line.marginPercent.amount,
        sortBy: (line) => amountOf(line.marginPercent.amount),
      },
    ],
  };
}

/** Lines, and on what it all rests, in our own words. */
export function insideOf(quote: QuoteAnswerBody, view: ConsoleView): Html {
  const { targetMargin, offer, totals } = quote;
  return html`${dataTable(linesTable(quote), quote.lines, view.address)}
${
  targetMargin === null
    ? ''
    : html`<p>A margin of ${targetMargin.percent} % is ${twoDecimals(targetMargin.markupPercent, 'up')} % on the cost.${offer?.discountPercent ? ` ${offer.discountPercent} % less than the quoted price reaches it.` : ''}</p>
${offer ? html`<details><summary>The plan with these prices</summary><p class="muted">Applied with <code>tallystick plans apply</code> it makes the quote true on the invoice.</p><div class="scroll" tabindex="0" role="group" aria-label="Plan file"><pre>${offer.planFile}</pre></div></details>` : ''}`
}
<h3>What this rests on</h3>
<ul class="rests">${quote.assumptions.map((sentence) => html`<li>${speakInstants(sentence)}</li>`)}</ul>
<p class="muted">${groupDigits(totals.tokenCount)} tokens, price book ${quote.priceBookVersion}</p>`;
}

/** An amount, or why there is none. */
function figure({ amount, reason }: Figure, currency: string): Html | string {
  return amount === null ? unknown({ reason }) : moneyCell(amount, currency);
}

const unknown = ({ reason }: { reason: string | null }) =>
  html`<span class="unknown">${inWords(reason)}</span>`;

const inWords = (reason: string | null) => (reason ?? 'unknown').replaceAll('_', ' ');
