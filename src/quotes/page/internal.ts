import { html } from 'hono/html';
import { speakInstants } from '../../../pricing/closing/words.ts';
import { dayInWords, groupDigits, moneyInWords, twoDecimals, usageInWords } from '../../pages/words.ts';
import type { StoredQuoteBody } from '../schemas.ts';

type Figure = { amount: string | null; reason: string | null };

/** What only our own people see: cost and margin of each line, and all assumptions in our own words. */
export function internalSection(quote: StoredQuoteBody) {
  const { totals, currency, costCurrency, targetMargin, offer } = quote;
  const cost = (figure: Figure) => show(figure, costCurrency);
  const price = (figure: Figure) => show(figure, currency);
  const percent = (figure: Figure) =>
    figure.amount === null ? inWords(figure.reason) : `${figure.amount} %`;
  return html`<section class="internal" aria-labelledby="internal">
    <h2 id="internal">Internal: cost and margin</h2>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Usage</th>
            <th scope="col" class="number">Tokens</th>
            <th scope="col" class="number">Cost</th>
            <th scope="col" class="number">Price</th>
            <th scope="col" class="number">Margin</th>
          </tr>
        </thead>
        <tbody>
          ${quote.lines.map(
            (line) => html`<tr>
              <th scope="row">
                ${usageInWords(line.model, line.tokenType)}
                <span class="detail">${[line.feature, line.deployment, line.deploymentType, line.region].filter(Boolean).join(', ')}</span>
              </th>
              <td class="number">${groupDigits(line.tokenCount)}</td>
              <td class="number">${cost(line.cost)}</td>
              <td class="number">${price(line.price)}</td>
              <td class="number">${percent(line.marginPercent)}</td>
            </tr>`,
          )}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">Total</th>
            <td class="number">${groupDigits(totals.tokenCount)}</td>
            <td class="number">${cost(totals.cost)}</td>
            <td class="number">${price(totals.price)}</td>
            <td class="number">${percent(totals.marginPercent)}</td>
          </tr>
        </tfoot>
      </table>
    </div>
    ${knownPart(totals, price)}
    ${
      targetMargin === null
        ? ''
        : html`<p>
            A margin of ${targetMargin.percent} % needs ${price(targetMargin.invoiceAmount)}: ${twoDecimals(targetMargin.markupPercent, 'up')} % on the cost.
            ${offer?.discountPercent ? `${offer.discountPercent} % less than the quoted ${price(totals.invoiceAmount)} reaches it.` : ''}
          </p>
          ${offer ? html`<p>A plan with these prices makes it true on the invoice (<code>tallystick plans apply</code>):</p><div class="scroll"><pre>${offer.planFile}</pre></div>` : ''}`
    }
    <ul class="assumptions">
      ${quote.assumptions.map((sentence) => html`<li>${speakInstants(sentence)}</li>`)}
    </ul>
    <p class="detail">Price book ${quote.priceBookVersion}${quote.pricesAsOf ? `, prices as of ${dayInWords(`${quote.pricesAsOf}T00:00:00Z`)}` : ''}, by ${quote.createdBy}</p>
  </section>`;
}

/** Where there is no margin of all of it. */
function knownPart(
  { knownMargin, unknownTokenPercent }: StoredQuoteBody['totals'],
  price: (figure: Figure) => string,
) {
  if (knownMargin === undefined || knownMargin.amount === null) return '';
  return html`<p>Of what is known the margin is ${price(knownMargin)}; ${unknownTokenPercent ?? '0'} % of the tokens are not in it.</p>`;
}

function show({ amount, reason }: Figure, currency: string): string {
  return amount === null ? inWords(reason) : moneyInWords(twoDecimals(amount), currency);
}

function inWords(reason: string | null): string {
  return (reason ?? 'unknown').replaceAll('_', ' ');
}
