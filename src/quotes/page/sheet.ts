import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { dayInWords, groupDigits, moneyInWords, usageInWords } from '../../pages/words.ts';
import type { Seller } from '../../platform/seller.ts';
import type { StoredQuoteBody } from '../schemas.ts';
import { acceptanceSection, type Standing } from './acceptance.ts';
import { contractInWords, letterhead, termsSection } from './seller.ts';
import { customerAssumptions, priceInWords } from './words.ts';

/** Beyond so many rows a quote would not fit on two pages; the smallest go together. */
const MOST_ROWS = 30;
const NO_PRICE_FOR_THE_TARGET = 'no_price_for_the_target';

/**
 * What a customer reads of a quote: what is included in people's words, its monthly price, and on what it rests. Cost,
 * margin, other customers and names of ours are not in it.
 * @param options `isPart`: it stands in another page, whose heading is its own
 */
export function quoteSheet(
  asked: StoredQuoteBody,
  options: { now: Date; isPart: boolean; seller: Seller; standing: Standing },
): Html {
  const quote = asOffered(asked);
  const title = quote.title ?? 'Quote for AI usage';
  const isExpired = Date.parse(quote.validUntil) <= options.now.getTime();
  const contractMonths = quote.contractMonths ?? null;
  return html`${letterhead(options.seller)}<header>
        <div>
          <p class="kicker">Quote</p>
          ${options.isPart ? html`<p class="title">${title}</p>` : html`<h1>${title}</h1>`}
          ${quote.preparedFor === null ? '' : html`<p class="for">Prepared for ${quote.preparedFor}</p>`}
        </div>
        <dl class="facts">
          <dt>Date</dt>
          <dd>${dayInWords(quote.createdAt)}</dd>
          <dt>Valid until</dt>
          <dd>${dayInWords(quote.validUntil)}${isExpired ? ' (expired)' : ''}</dd>
          ${quote.pricesAsOf ? html`<dt>Prices as of</dt><dd>${dayInWords(`${quote.pricesAsOf}T00:00:00Z`)}</dd>` : ''}
          ${contractMonths === null ? '' : html`<dt>Contract</dt><dd>${contractInWords(contractMonths)}</dd>`}
        </dl>
      </header>
      ${totalSection(quote)}
      <h2 id="included">What is included</h2>
      ${linesTable(quote)} ${rangeSection(quote)}
      <h2>What this rests on</h2>
      <ul class="assumptions">
        ${customerAssumptions(quote).map((sentence) => html`<li>${sentence}</li>`)}
      </ul>
      ${termsSection(options.seller, contractMonths)}
      ${acceptanceSection(options.standing, hasOfferedPrice(asked), isExpired)}`;
}

/** Whether it says a price, which can be agreed to. */
export function hasOfferedPrice(quote: StoredQuoteBody): boolean {
  return asOffered(quote).totals.invoiceAmount.amount !== null;
}

/** Whoever asked for a margin offers its price; where there is none yet, no other price stands in for it. */
function asOffered(quote: StoredQuoteBody): StoredQuoteBody {
  const { offer, totals } = quote;
  if (offer === undefined) return quote;
  const none = { amount: null, reason: NO_PRICE_FOR_THE_TARGET };
  const nothing = '0';
  return {
    ...quote,
    lines:
      offer === null
        ? quote.lines
        : quote.lines.map((line) => ({ ...line, price: { amount: nothing, reason: null } })),
    invoiceLines:
      offer?.invoiceLines ??
      quote.invoiceLines.map((line) => ({ ...line, unitAmountDecimal: null, tiers: null, amount: null })),
    minimumTopUp: { before: nothing, after: nothing, added: nothing },
    totals: { ...totals, invoiceAmount: offer?.invoiceAmount ?? none },
    range: offer?.range ?? null,
  };
}

function totalSection({ totals, currency, mode }: StoredQuoteBody) {
  const { amount, reason } = totals.invoiceAmount;
  const whyNot =
    reason === NO_PRICE_FOR_THE_TARGET
      ? 'Its price is yet to be agreed.'
      : 'Some of the usage has no price yet.';
  const label = mode === 'new' ? 'Price per month' : 'Change of the monthly price';
  return html`<section class="total" aria-label="${label}">
    <span class="label">${label}</span>
    <span class="amount">${amount === null ? 'On request' : moneyInWords(amount, currency)}</span>
    <p class="note">
      ${amount === null ? whyNot : `For ${groupDigits(totals.tokenCount)} tokens a month, before taxes.`}
    </p>
  </section>`;
}

function linesTable(quote: StoredQuoteBody) {
  const { currency, totals, minimumTopUp } = quote;
  const shown = quote.invoiceLines.slice(0, MOST_ROWS);
  const others = quote.invoiceLines.length - shown.length;
  const unpriced = quote.lines.filter(({ price }) => price.reason === 'no_sell_rate').slice(0, MOST_ROWS);
  const topUp = minimumTopUp.added;
  return html`<table class="lines" aria-labelledby="included">
    <thead>
      <tr>
        <th scope="col">Usage</th>
        <th scope="col" class="number">Tokens a month</th>
        <th scope="col" class="number">Price</th>
        <th scope="col" class="number">Per month</th>
      </tr>
    </thead>
    <tbody>
      ${shown.map(
        (line) => html`<tr>
          <th scope="row">
            ${usageInWords(line.model, line.tokenType)}
            ${line.feature === '*' || line.feature === '' ? '' : html`<span class="detail">for ${line.feature}</span>`}
          </th>
          <td class="number">${groupDigits(line.quantity)}</td>
          <td class="number unit">${priceInWords(line, currency)}</td>
          <td class="number">${line.amount === null ? 'on request' : moneyInWords(line.amount, currency)}</td>
        </tr>`,
      )}
      ${unpriced.map(
        (line) => html`<tr>
          <th scope="row">${usageInWords(line.model, line.tokenType)}</th>
          <td class="number">${groupDigits(line.tokenCount)}</td>
          <td class="number unit"></td>
          <td class="number">on request</td>
        </tr>`,
      )}
      ${others > 0 ? html`<tr><th scope="row" colspan="4">and ${others} further lines</th></tr>` : ''}
      ${
        /[1-9]/.test(topUp)
          ? html`<tr>
              <th scope="row">Up to the monthly minimum</th>
              <td class="number"></td>
              <td class="number unit"></td>
              <td class="number">${moneyInWords(topUp, currency)}</td>
            </tr>`
          : ''
      }
    </tbody>
    <tfoot>
      <tr>
        <th scope="row">Total</th>
        <td class="number">${groupDigits(totals.tokenCount)}</td>
        <td class="number unit"></td>
        <td class="number">
          ${totals.invoiceAmount.amount === null ? 'on request' : moneyInWords(totals.invoiceAmount.amount, currency)}
        </td>
      </tr>
    </tfoot>
  </table>`;
}

function rangeSection({ range, currency }: StoredQuoteBody) {
  if (range === null) return '';
  const ends = [
    { name: 'With light use', point: range.low, className: '' },
    { name: 'Expected', point: range.expected, className: 'expected' },
    { name: 'With heavy use', point: range.high, className: '' },
  ];
  if (ends.some(({ point }) => point.invoiceAmount.amount === null)) return '';
  return html`<h2>What it may vary between</h2>
    <ul class="range">
      ${ends.map(
        ({ name, point, className }) => html`<li class="${className}">
          <span class="name">${name}</span>
          <span class="value">${moneyInWords(point.invoiceAmount.amount ?? '0', currency)}</span>
          <span class="detail">${groupDigits(point.tokenCount)} tokens</span>
        </li>`,
      )}
    </ul>`;
}
