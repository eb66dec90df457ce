import { speakInstants } from '../../pricing/closing/words.ts';
import { groupDigits, renderTable } from '../platform/terminal/output.ts';
import type { QuoteBody } from './schemas.ts';

type Figure = {
  amount: string | null;
  reason: string | null;
  atLeast?: string | undefined;
  atMost?: string | undefined;
};

const show = ({ amount, reason, atLeast, atMost }: Figure) =>
  amount ??
  (atLeast === undefined || atMost === undefined
    ? `unknown: ${reason}`
    : `unknown: ${reason}, from ${atLeast} to ${atMost}`);

/** A quote for the terminal: its lines, what they sum to, and what they rest on. */
export function renderQuote(quote: QuoteBody): string {
  const cost = quote.costCurrency.toUpperCase();
  const price = quote.currency.toUpperCase();
  const { totals } = quote;
  const lines = quote.lines.map((line) => [
    line.model,
    line.feature,
    line.tokenType,
    groupDigits(line.tokenCount),
    show(line.cost),
    show(line.price),
    show(line.margin),
  ]);
  return [
    renderTable(
      ['model', 'feature', 'token type', 'tokens', `cost ${cost}`, `price ${price}`, 'margin'],
      lines,
      [3, 4, 5, 6],
    ),
    `cost ${show(totals.cost)} ${cost}, price ${show(totals.price)} ${price}, margin ${show(totals.margin)} (${show(totals.marginPercent)} %)`,
    `on the invoice: ${show(totals.invoiceAmount)} ${price}; a million tokens cost ${show(quote.averageCost.perMillionTokens)} ${cost} on average`,
    ...knownLines(quote, price),
    ...targetLines(quote, price),
    ...rangeLines(quote, price),
    ...quote.assumptions.map((sentence) => `- ${speakInstants(sentence)}`),
    `${quote.quoteId}, price book ${quote.priceBookVersion}${quote.pricesAsOf ? `, prices as of ${quote.pricesAsOf}` : ''}, ${quote.createdAt}, valid until ${quote.validUntil}`,
    quote.pageUrl ?? 'Its link was withdrawn.',
  ].join('\n');
}

function knownLines({ totals, exchange }: QuoteBody, price: string): string[] {
  const { knownMargin, unknownTokenPercent } = totals;
  return [
    ...(exchange
      ? [`costs at ${exchange.rate} ${price} for a dollar of ${exchange.day} (${exchange.source})`]
      : []),
    ...(knownMargin === undefined
      ? []
      : [
          `margin of what is known: ${show(knownMargin)} ${price}; not in it: ${unknownTokenPercent ?? '0'} % of the tokens`,
        ]),
  ];
}

function targetLines({ targetMargin, offer }: QuoteBody, price: string): string[] {
  if (targetMargin === null) return [];
  return [
    `for a margin of ${targetMargin.percent} %: ${show(targetMargin.price)} ${price}, a markup of ${targetMargin.markupPercent} %`,
    ...(offer
      ? [
          `  offered: ${show(offer.invoiceAmount)} ${price}, a margin of ${show(offer.marginPercent)} %${offer.discountPercent === null ? '' : `; ${offer.discountPercent} % off the quoted price reaches it too`}`,
        ]
      : offer === null
        ? ['  nothing is offered for it: the page says "On request"']
        : []),
    ...targetMargin.rates.map(
      (rate) => `  ${rate.model} ${rate.tokenType}: ${rate.pricePerMillionTokens} ${price} per million`,
    ),
    ...(offer ? ['  its plan, for "tallystick plans check":', offer.planFile.trimEnd()] : []),
  ];
}

function rangeLines({ range, rangeReason }: QuoteBody, price: string): string[] {
  if (range === null) return [`no range: ${rangeReason}`];
  const { low, expected, high } = range;
  return [
    `price from ${show(low.invoiceAmount)} to ${show(high.invoiceAmount)} ${price}, expected ${show(expected.invoiceAmount)}`,
  ];
}
