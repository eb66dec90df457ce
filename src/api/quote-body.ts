import { formatDecimal, minorUnitDigits, PICO_DIGITS } from '../../pricing/money.ts';
import type { QuoteInvoiceLine, QuoteLine, QuoteSide } from '../../pricing/quote.ts';
import type { QuoteAnswer, RangePoint } from '../../pricing/quote-answer.ts';
import { writeAssumptions } from './quote-assumptions.ts';
import { showAverage, showStep } from './quote-cost-body.ts';
import { type Formats, formatsOf } from './quote-formats.ts';
import type { QuoteAnswerBody } from './quote-schemas.ts';
import type { QuoteSnapshot } from './quote-snapshot.ts';

/** Per million tokens: six decimals of a token's price become whole. */
const MILLION_DIGITS = 6;

/**
 * A quote as the API shows and stores it: every figure as decimal text, or null with its reason. The same answer and
 * snapshot give the same text for ever: its hash proves that a quote was reproduced.
 */
export function showAnswer(
  answer: QuoteAnswer,
  snapshot: QuoteSnapshot,
  costCurrency: string,
): QuoteAnswerBody {
  const { quote, target, range } = answer;
  const format = formatsOf(quote.currency);
  const { cost, price, percent, minor, show } = format;
  const { totals } = quote;
  return {
    currency: quote.currency,
    costCurrency,
    priceBookVersion: quote.priceBookVersion,
    plan:
      snapshot.plan === null
        ? null
        : {
            planId: snapshot.plan.planId,
            name: snapshot.plan.name,
            versionId: snapshot.plan.versionId,
            minimumAmount: minor(snapshot.minimumAmountMinor),
          },
    rateBasis: snapshot.rateBasis,
    mode: snapshot.mode,
    customerId: snapshot.customerId,
    asOf: snapshot.at.toISOString(),
    usageBasis: snapshot.usageBasis,
    lines: quote.lines.map((line) => showLine(line, format)),
    invoiceLines: quote.invoiceLines.map((line) => showInvoiceLine(line, minor)),
    minimumTopUp: {
      before: minor(quote.minimumTopUpMinor.before),
      after: minor(quote.minimumTopUpMinor.after),
      added: minor(quote.minimumTopUpMinor.after - quote.minimumTopUpMinor.before),
    },
    totals: {
      tokenCount: String(totals.tokenCount),
      requestCount: String(totals.requestCount),
      cost: show(totals.cost, cost),
      price: show(totals.price, price),
      margin: show(totals.margin, price),
      marginPercent: show(totals.marginBasisPoints, percent),
      invoiceAmount: show(totals.invoiceAmountMinor, minor),
      knownCost: cost(totals.knownCost),
    },
    before: showSide(quote.before, format),
    after: showSide(quote.after, format),
    averageCost: showAverage(answer, snapshot.averagePicoUsdPerMillion, format),
    // Left out where there is none: older quotes have no such field, and are computed again to the letter.
    ...(quote.capacitySteps.length === 0
      ? {}
      : { boughtThroughput: quote.capacitySteps.map((step) => showStep(step, format)) }),
    pricePerMillionTokens: show(answer.pricePerMillionTokens, price),
    targetMargin:
      target === null
        ? null
        : {
            percent: snapshot.targetMarginPercent ?? '0',
            price: show(target.price, price),
            invoiceAmount: show(target.invoiceAmountMinor, minor),
            markupPercent: formatDecimal(target.markupPercentPico, PICO_DIGITS),
            rates: target.rates.map((rate) => ({
              model: rate.model,
              deploymentType: rate.deploymentType,
              region: rate.region,
              tokenType: rate.tokenType,
              costPerMillionTokens: formatDecimal(rate.picoUsdPerToken, PICO_DIGITS - MILLION_DIGITS, 2),
              pricePerMillionTokens: formatDecimal(
                rate.unitPicoMinor,
                PICO_DIGITS + minorUnitDigits(quote.currency) - MILLION_DIGITS,
                2,
              ),
              unitAmountDecimal: formatDecimal(rate.unitPicoMinor, PICO_DIGITS),
            })),
          },
    range:
      range === null
        ? null
        : {
            low: showSide(range.low, format),
            expected: showSide(range.expected, format),
            high: showSide(range.high, format),
          },
    rangeReason: range === null ? snapshot.rangeReason : null,
    assumptions: writeAssumptions(quote, snapshot),
    rounding:
      'Costs, prices and margins are exact; invoice lines are rounded as the invoice rounds them, to the minor unit, halves away from zero. Scaled and shared tokens are whole: what is left over goes to the largest remainders, so that parts sum.',
  };
}

function showLine(
  line: QuoteLine,
  { show, cost, price, percent }: Formats,
): QuoteAnswerBody['lines'][number] {
  return {
    model: line.model,
    feature: line.feature,
    deployment: line.deployment,
    deploymentType: line.deploymentType,
    region: line.region,
    tokenType: line.tokenType,
    tokenCount: String(line.tokenCount),
    costPerMillionTokens:
      line.picoUsdPerToken === null
        ? null
        : formatDecimal(line.picoUsdPerToken, PICO_DIGITS - MILLION_DIGITS, 2),
    cost: show(line.cost, cost),
    price: show(line.price, price),
    margin: show(line.margin, price),
    marginPercent: show(line.marginBasisPoints, percent),
    notes: line.notes,
  };
}

function showInvoiceLine(
  line: QuoteInvoiceLine,
  minor: (value: bigint) => string,
): QuoteAnswerBody['invoiceLines'][number] {
  const { rate } = line;
  const { price } = rate;
  return {
    rateId: line.rateId,
    description: rate.description,
    model: rate.model,
    feature: rate.feature,
    tokenType: rate.tokenType,
    quantity: String(line.quantityAfter - line.quantityBefore),
    quantityBefore: String(line.quantityBefore),
    unitAmountDecimal: price?.kind === 'per_unit' ? price.unitAmountDecimal : null,
    tiers:
      price?.kind === 'tiered'
        ? {
            mode: price.mode,
            tiers: price.tiers.map((tier) => ({
              ...tier,
              upTo: tier.upTo === null ? null : String(tier.upTo),
            })),
          }
        : null,
    amount:
      line.amountAfterMinor === null || line.amountBeforeMinor === null
        ? null
        : minor(line.amountAfterMinor - line.amountBeforeMinor),
  };
}

function showSide(side: QuoteSide | RangePoint, { show, cost, price, minor }: Formats) {
  return {
    tokenCount: String(side.tokenCount),
    cost: show(side.cost, cost),
    price: show(side.price, price),
    invoiceAmount: show(side.invoiceAmountMinor, minor),
  };
}
