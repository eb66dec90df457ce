import { html } from 'hono/html';
import { formatDecimal, parseDecimal } from '../../../pricing/money.ts';
import type { Html } from '../../pages/html.ts';
import { groupDigits } from '../../pages/words.ts';
import type { SimulatedFigures, SimulationResult } from '../../simulations/schemas.ts';
import { signedMoney } from './amounts.ts';
import { COST, MARGIN, REVENUE, type ShownFigure } from './figures.ts';

/** Sums before and after, for each currency that customers are billed in; they are never mixed. */
export function sumsOf(result: SimulationResult, scenario: string): Html {
  return html`${pairsOf(result, scenario).map(({ currency, customerCount, before, after }) => {
    if (currency === null) {
      return html`<p class="muted" data-currency="nobody">Usage that is nobody’s costs us ${COST.amount(after)}, and did ${COST.amount(before)}. Nobody pays for it.</p>`;
    }
    const then = after.currency === currency ? '' : `, then in ${after.currency?.toUpperCase()}`;
    const whose = `${customerCount} ${customerCount === 1 ? 'customer' : 'customers'} billed in ${currency.toUpperCase()}${then}`;
    return html`<section aria-label="${whose}" data-currency="${currency}"><h2>${whose}</h2><dl class="figures">
  ${part('They pay', REVENUE, before, after, changeOf(before, after, 'ratedRevenue', 'unratedTokenCount'))}
  ${part('It costs us', COST, before, after, changeOf(before, after, 'knownCost', 'unknownCostTokenCount'))}
  ${part('Margin', MARGIN, before, after, marginChange(before, after))}
</dl>${unknownShare(before, after)}</section>`;
  })}`;
}

/** The answer in a sentence: of those billed in the currency that most are. */
export function answerOf(result: SimulationResult, scenario: string): Html | string {
  const [chief] = pairsOf(result, scenario);
  if (chief === undefined || chief.currency === null) return '';
  const { currency, before, after } = chief;
  return html`Customers billed in ${currency.toUpperCase()} would pay ${REVENUE.amount(after)} instead of ${REVENUE.amount(before)}, cost us ${COST.amount(after)} instead of ${COST.amount(before)}, and leave a margin of ${MARGIN.amount(after)} instead of ${MARGIN.amount(before)}.${unknownInWords(before, after)}`;
}

/** What the sentence leaves out. */
function unknownInWords(before: SimulatedFigures, after: SimulatedFigures): Html | string {
  const share = Math.max(...[before, after].map((figures) => Number(figures.unknownTokenPercent ?? '0')));
  if (share === 0) return '';
  const percent = share < 0.1 ? '< 0.1' : share.toFixed(1);
  return html` <span class="unknown">Of ${percent} % of the tokens price or rate is unknown.</span>`;
}

interface Pair {
  /** Null: nobody's usage. */
  currency: string | null;
  customerCount: number;
  before: SimulatedFigures;
  after: SimulatedFigures;
}

/** As it was and as it would be, by the currency that customers are billed in; most customers first, nobody last. */
function pairsOf({ totals }: SimulationResult, scenario: string): Pair[] {
  return totals
    .flatMap(({ currency, customerCount, figures: [before, ...others] }) => {
      const after = others.find((entry) => entry.scenario === scenario);
      return before === undefined || after === undefined ? [] : [{ currency, customerCount, before, after }];
    })
    .sort((one, other) => other.customerCount - one.customerCount);
}

function part(
  title: string,
  { amount, unknown }: ShownFigure,
  before: SimulatedFigures,
  after: SimulatedFigures,
  change: Html | string,
): Html {
  return html`<div><dt>${title}</dt><dd>${amount(after)}${unknown(after)}<small>was ${amount(before)}${change === '' ? '' : html`; ${change}`}</small></dd></div>`;
}

function changeOf(
  before: SimulatedFigures,
  after: SimulatedFigures,
  amount: 'ratedRevenue' | 'knownCost',
  unknown: 'unratedTokenCount' | 'unknownCostTokenCount',
): Html | string {
  const [from, to] = [before[amount], after[amount]];
  const currency = amount === 'knownCost' ? 'usd' : before.currency;
  if (from === null || to === null || currency === null || before[unknown] !== after[unknown]) return '';
  if (amount === 'ratedRevenue' && after.currency !== before.currency) return '';
  return signedChange(from, to, currency);
}

function marginChange(before: SimulatedFigures, after: SimulatedFigures): Html | string {
  const [from, to] = [before.margin.amount, after.margin.amount];
  if (from === null || to === null || before.currency === null || before.currency !== after.currency)
    return '';
  return signedChange(from, to, before.currency);
}

function signedChange(from: string, to: string, currency: string): Html | string {
  const whole = Number(from);
  const share = whole === 0 ? null : (Number(to) - whole) / Math.abs(whole);
  const digits = Math.max(from.split('.')[1]?.length ?? 0, to.split('.')[1]?.length ?? 0);
  const delta = formatDecimal(parseDecimal(to, digits) - parseDecimal(from, digits), digits);
  if (/^-?0*(\.0*)?$/.test(delta)) return 'the same';
  const rounded = share === null ? null : (Math.abs(share) * 100).toFixed(1);
  return html`${signedMoney(delta, currency)}${rounded === null || share === null ? '' : ` (${share < 0 ? '−' : '+'}${rounded} %)`}`;
}

/** How much of the tokens has no rate or no price, and what that means. */
function unknownShare(before: SimulatedFigures, after: SimulatedFigures): Html | string {
  const known = (figures: SimulatedFigures) =>
    figures.unratedTokenCount === '0' && figures.unknownCostTokenCount === '0';
  if (known(before) && known(after)) return '';
  const said = (words: string, figures: SimulatedFigures) =>
    known(figures)
      ? ''
      : html`<li>${words}: ${groupDigits(figures.unratedTokenCount)} tokens have no rate, ${groupDigits(figures.unknownCostTokenCount)} no price, of ${groupDigits(figures.tokenCount)}.</li>`;
  return html`<div class="notice warn"><p>A part is unknown. It is in no amount; margins are of the tokens that have both.</p><ul>${said('As it was', before)}${said('As it would be', after)}</ul></div>`;
}
