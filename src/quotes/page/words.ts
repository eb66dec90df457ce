import { dayInWords, groupDigits, minorInWords, modelInWords, perMillion } from '../../pages/words.ts';
import type { StoredQuoteBody } from '../schemas.ts';

type InvoiceLine = StoredQuoteBody['invoiceLines'][number];

/** What a line's tokens cost, for people: `$3.00 per million`, or its tiers in short. */
export function priceInWords(line: InvoiceLine, currency: string): string {
  if (line.unitAmountDecimal !== null) return perMillion(line.unitAmountDecimal, currency);
  if (line.package !== undefined) {
    const { size, unitAmountDecimal, round } = line.package;
    const begun = round === 'up' ? ', a begun one as a whole' : ', whole ones only';
    return `${minorInWords(unitAmountDecimal, currency)} for each ${groupDigits(size)}${begun}`;
  }
  const tiers = line.tiers?.tiers ?? [];
  const [first, second] = tiers;
  const last = tiers.at(-1);
  if (first === undefined || last === undefined) return 'on request';
  const isFree = !/[1-9]/.test(first.unitAmountDecimal) && !/[1-9]/.test(first.flatAmountDecimal ?? '0');
  if (line.tiers?.mode === 'graduated' && isFree && first.upTo !== null && second !== undefined) {
    const further = tiers.length > 2 ? 'from ' : '';
    const least = tiers.length > 2 ? last : second;
    return `${groupDigits(first.upTo)} included, then ${further}${perMillion(least.unitAmountDecimal, currency)}`;
  }
  if (tiers.length === 1) return perMillion(first.unitAmountDecimal, currency);
  return `by volume, ${perMillion(first.unitAmountDecimal, currency)} to ${perMillion(last.unitAmountDecimal, currency)}`;
}

function likeInWords(part: StoredQuoteBody['usageBasis']['extrapolated']): string {
  if (part === undefined) return 'The usage is estimated from comparable use.';
  const dayCount = Math.floor((Date.parse(part.to) - Date.parse(part.from)) / 86_400_000);
  return `The usage of a month is estimated from ${dayCount} days of comparable use, brought to ${part.monthDayCount} days.`;
}

/** What the quote rests on, for the customer: without our costs, our other customers and our words. */
export function customerAssumptions(quote: StoredQuoteBody): string[] {
  const { usageBasis, mode } = quote;
  const models = [...new Set(quote.lines.map(({ model }) => modelInWords(model)))];
  return [
    ...(usageBasis.kind === 'active_users'
      ? (usageBasis.activeUsers ?? []).map(
          ({ feature, count }) =>
            `${groupDigits(count)} active users of ${feature || 'the service'}, each using what comparable users use in a month of 30 days.`,
        )
      : []),
    ...(usageBasis.kind === 'like_customer' ? [likeInWords(usageBasis.extrapolated)] : []),
    ...(usageBasis.kind === 'given' ? ['The usage is that of one month, as it was discussed.'] : []),
    ...(mode === 'merge' ? ['It comes on top of what is used already in the current billing period.'] : []),
    ...(mode === 'replace' ? ['It replaces what is used already in the current billing period.'] : []),
    ...(models.length > 0 ? [`Models: ${models.join(', ')}.`] : []),
    'You pay for what is used: tokens are counted each hour, and each line of the invoice is rounded once.',
    `Prices as of ${dayInWords(quote.asOf)}, valid until ${dayInWords(quote.validUntil)}. Taxes are not included.`,
  ];
}
