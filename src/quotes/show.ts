import { createHash } from 'node:crypto';
import { formatDecimal, minorUnitDigits, PICO_DIGITS } from '../../pricing/money.ts';
import { pricesAsOf } from '../../pricing/prices/age.ts';
import type { QuoteAnswer, RangePoint } from '../../pricing/quotes/answer.ts';
import type { DecidedQuote } from '../../pricing/quotes/decide.ts';
import type { QuoteGround } from '../../pricing/quotes/ground.ts';
import { offerPlanFile } from '../../pricing/quotes/offer-plan.ts';
import type { Quote, QuoteInvoiceLine, QuoteLine, QuoteSide } from '../../pricing/quotes/quote.ts';
import { unknownPercent } from '../../pricing/rating/margin.ts';
import { showConversion } from '../costs/exchange/schemas.ts';
import { writeAssumptions } from './assumptions.ts';
import { type Formats, formatsOf } from './formats.ts';
import type { QuoteAnswerBody } from './schemas.ts';
import { showAverage, showStep } from './show-costs.ts';

/** Per million tokens: six decimals of a token's price become whole. */
const MILLION_DIGITS = 6;

/** A quote for those who asked. */
export interface ShownQuote {
  body: QuoteAnswerBody;
  /** The body's JSON, which is stored and answered to the letter, and its SHA-256. */
  text: string;
  hash: string;
}

/** The same answer and ground give the same text for ever: its hash proves that a quote was reproduced. */
export function showQuote(decided: DecidedQuote): ShownQuote {
  const body = showAnswer(decided);
  const text = JSON.stringify(body);
  return { body, text, hash: createHash('sha256').update(text).digest('hex') };
}

/** A quote as the API shows and stores it: every figure as decimal text, or null with its reason. */
function showAnswer({ answer, ground, priceBook }: DecidedQuote): QuoteAnswerBody {
  const { quote, target, range } = answer;
  const format = formatsOf(quote.currency);
  const { cost, price, percent, minor, show } = format;
  const { totals } = quote;
  return {
    currency: quote.currency,
    costCurrency: priceBook.currency,
    ...(ground.conversion === undefined ? {} : { exchange: showConversion(ground.conversion) }),
    priceBookVersion: quote.priceBookVersion,
    // Left out of quotes from before, which are computed again to the letter.
    ...(ground.saysPricesAsOf === true ? { pricesAsOf: pricesAsOf(priceBook, quote.lines, ground.at) } : {}),
    plan:
      ground.plan === null
        ? null
        : {
            planId: ground.plan.planId,
            name: ground.plan.name,
            versionId: ground.plan.versionId,
            minimumAmount: minor(ground.minimumAmountMinor),
          },
    rateBasis: ground.rateBasis,
    mode: ground.mode,
    customerId: ground.customerId,
    asOf: ground.at.toISOString(),
    usageBasis: ground.usageBasis,
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
      ...(ground.saysKnownPart === true ? showKnownPart(totals, format) : {}),
    },
    before: showSide(quote.before, format),
    after: showSide(quote.after, format),
    averageCost: showAverage(answer, ground.averagePicoUsdPerMillion, format),
    // Left out where there is none: older quotes have no such field, and are computed again to the letter.
    ...(quote.capacitySteps.length === 0
      ? {}
      : { boughtThroughput: quote.capacitySteps.map((step) => showStep(step, format)) }),
    pricePerMillionTokens: show(answer.pricePerMillionTokens, price),
    targetMargin:
      target === null
        ? null
        : {
            percent: ground.targetMarginPercent ?? '0',
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
    ...(ground.isOffered === true ? { offer: showOffer(answer, ground, format) } : {}),
    range: showRange(range, format),
    rangeReason: range === null ? ground.rangeReason : null,
    assumptions: writeAssumptions(quote, ground),
    rounding:
      'Costs, prices and margins are exact; invoice lines are rounded as the invoice rounds them, to the minor unit, halves away from zero. Scaled and shared tokens are whole: what is left over goes to the largest remainders, so that parts sum.',
  };
}

/** The margin of what is known of both, and how many tokens are not in it. */
function showKnownPart({ knownMargin, tokenCount, margin }: Quote['totals'], { price }: Formats) {
  return {
    knownMargin:
      knownMargin === null
        ? { amount: null, reason: margin.reason }
        : { amount: price(knownMargin.picoMinor), reason: null },
    unknownTokenPercent: unknownPercent(tokenCount, knownMargin?.tokenCount ?? 0n),
  };
}

/** What reaches the target margin, and what makes it true on an invoice. */
function showOffer(
  { offer }: QuoteAnswer,
  { targetMarginPercent, at }: QuoteGround,
  format: Formats,
): QuoteAnswerBody['offer'] {
  if (offer === null) return null;
  const { quote, rates, discountHundredths, range } = offer;
  const { show, minor, price, percent } = format;
  return {
    invoiceLines: quote.invoiceLines.map((line) => showInvoiceLine(line, minor)),
    invoiceAmount: show(quote.totals.invoiceAmountMinor, minor),
    margin: show(quote.totals.margin, price),
    marginPercent: show(quote.totals.marginBasisPoints, percent),
    discountPercent: discountHundredths === null ? null : formatDecimal(discountHundredths, 2, 2),
    range: showRange(range, format),
    planFile: offerPlanFile(rates, { percent: targetMarginPercent ?? '0', at, currency: quote.currency }),
  };
}

function showRange(range: QuoteAnswer['range'], format: Formats): QuoteAnswerBody['range'] {
  if (range === null) return null;
  return {
    low: showSide(range.low, format),
    expected: showSide(range.expected, format),
    high: showSide(range.high, format),
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
    ...(line.serviceTier === undefined ? {} : { serviceTier: line.serviceTier }),
    ...(line.requestInputTokenCount === undefined
      ? {}
      : { requestInputTokenCount: String(line.requestInputTokenCount) }),
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
    ...(price?.kind === 'per_package'
      ? {
          package: {
            unitAmountDecimal: price.unitAmountDecimal,
            size: String(price.packageSize),
            round: price.round,
          },
        }
      : {}),
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
