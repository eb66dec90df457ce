import { formatDecimal, formatMinor, minorUnitDigits, PICO_DIGITS } from '../../pricing/money.ts';
import type { Figure, Figures, Quote } from '../../pricing/quote.ts';
import type { QuoteBody } from './quote-schemas.ts';

type QuoteFrame = Pick<
  QuoteBody,
  'quoteId' | 'createdAt' | 'createdBy' | 'costCurrency' | 'rateBasis' | 'customerId' | 'usageBasis'
>;

/** A quote as the API shows and stores it: every figure as decimal text, or null with its reason. */
export function showQuote(quote: Quote, frame: QuoteFrame): QuoteBody {
  const { currency } = quote;
  return {
    ...frame,
    currency,
    priceBookVersion: quote.priceBookVersion,
    lines: quote.lines.map((line) => ({
      model: line.model,
      feature: line.feature,
      deployment: line.deployment,
      tokenType: line.tokenType,
      tokenCount: String(line.tokenCount),
      ...showFigures(line, currency),
      notes: line.notes,
    })),
    invoiceLines: quote.invoiceLines.map((line) => ({
      description: line.description,
      stripeMeterId: line.rateId,
      quantity: String(line.quantity),
      unitAmountDecimal: line.unitAmountDecimal,
      amount: line.amountMinor === null ? null : formatMinor(line.amountMinor, currency),
    })),
    totals: {
      tokenCount: String(quote.totals.tokenCount),
      ...showFigures(quote.totals, currency),
      invoiceAmount: show(quote.totals.invoiceAmountMinor, (value) => formatMinor(value, currency)),
    },
    rounding:
      'Costs, prices and margins are exact; invoice lines are rounded once each to the minor unit, halves away from zero.',
  };
}

function showFigures(figures: Figures, currency: string) {
  // Pico of a minor unit has the minor unit's decimals more than pico of the unit.
  const priceDigits = PICO_DIGITS + minorUnitDigits(currency);
  return {
    cost: show(figures.cost, (value) => formatDecimal(value, PICO_DIGITS, 2)),
    price: show(figures.price, (value) => formatDecimal(value, priceDigits, 2)),
    margin: show(figures.margin, (value) => formatDecimal(value, priceDigits, 2)),
    marginPercent: show(figures.marginBasisPoints, (value) => formatDecimal(value, 2, 2)),
  };
}

function show(
  figure: Figure,
  format: (value: bigint) => string,
): { amount: string | null; reason: string | null } {
  return figure.value === null
    ? { amount: null, reason: figure.reason }
    : { amount: format(figure.value), reason: null };
}
