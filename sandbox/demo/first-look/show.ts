import { EXPERIMENTATION_LIMIT } from '../../../pricing/budgets/templates.ts';
import { speakNote } from '../../../pricing/closing/words.ts';
import {
  divideHalfUp,
  formatDecimal,
  groupDigits,
  PICO_DIGITS,
  parseDecimal,
} from '../../../pricing/money.ts';
import { columnsOf, paintsFor, wrapWords } from '../terminal-text.ts';
import type { FirstLook } from './decide.ts';
import type { FirstLookFacts, SwapQuote } from './gather.ts';

/** What there is to see, a paragraph each; only what this run holds. */
export function showFirstLook(
  look: FirstLook,
  facts: FirstLookFacts,
  swap: SwapQuote | null,
  nameOf: (customerId: string) => string,
): string {
  const paragraphs: [title: string, text: string][] = [];
  const { loser, wrongModel, oddDay, waited, stopped } = look;
  const period = facts.lookedAt.name;
  if (loser !== null) {
    paragraphs.push([
      nameOf(loser.customerId),
      `costs more than it brings: ${loser.tokenPercent} % of all tokens of ${period} cost ${usd(loser.cost)} and brought ${groupDigits(loser.revenue)} ${loser.currency.toUpperCase()}.`,
    ]);
  }
  if (wrongModel !== null) {
    const { feature, model, cost, timesTenths } = wrongModel;
    const saved =
      swap === null
        ? ''
        : ` The same tokens on ${swap.model} cost ${usd(parseDecimal(swap.cost, PICO_DIGITS))} (nobody measured the quality).`;
    paragraphs.push([
      feature,
      `has the wrong model: ${usd(cost)} on ${model} in ${period}, ${formatDecimal(timesTenths, 1, 1)} times the next feature.${saved}`,
    ]);
  }
  if (oddDay !== null) {
    const { day, customerId, feature, cost, times } = oddDay;
    paragraphs.push([
      dayName(day),
      `${nameOf(customerId)} cost ${usd(cost)} on this one day, ${times} times its usual, most of it ${feature}: an integration ran in a loop.`,
    ]);
  }
  if (stopped !== null) {
    const { passedCallCount, stoppedCallCount } = stopped;
    const count = (number: number) => groupDigits(String(number));
    paragraphs.push([
      'Experiments',
      `of the house reached their cap of ${EXPERIMENTATION_LIMIT} USD a month: the gateway let ${count(passedCallCount)} calls through and stopped ${count(stoppedCallCount)}, which nobody metered and nobody is billed.`,
    ]);
  }
  if (waited !== null) {
    const { close, from, to, note } = waited;
    const total =
      close.total === null ? '' : ` of ${groupDigits(close.total)} ${close.currency.toUpperCase()}`;
    paragraphs.push([
      close.customerName,
      `has an invoice${total} that waited from ${instantName(from)} to ${instantName(to)}${note === null ? '' : ` (${speakNote(note).because})`}, and then went out by itself, certified.`,
    ]);
  }
  if (paragraphs.length === 0) return '';
  const { bold } = paintsFor(process.stdout);
  const width = Math.max(...paragraphs.map(([title]) => title.length));
  const indent = ' '.repeat(width + 4);
  return [
    bold('What to look at'),
    ...paragraphs.map(([title, text]) => {
      const room = columnsOf(process.stdout) - indent.length;
      return `  ${bold(title.padEnd(width))}  ${wrapWords(text, room, '').replaceAll('\n', `\n${indent}`)}`;
    }),
  ].join('\n');
}

/** Pico of a dollar, to the cent. */
function usd(amountPico: bigint): string {
  const cents = divideHalfUp(amountPico, 10n ** BigInt(PICO_DIGITS - 2));
  return `${groupDigits(formatDecimal(cents, 2, 2))} USD`;
}

function dayName(day: string): string {
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', timeZone: 'UTC' }).format(
    new Date(day),
  );
}

function instantName(instant: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: 'UTC',
  }).format(new Date(instant));
}
