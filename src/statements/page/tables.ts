import { html } from 'hono/html';
import { dayShort, groupDigits, modelInWords, moneyInWords } from '../../pages/words.ts';
import type { StatementBody, StatementBreakdownBody } from '../schemas.ts';
import { rankModels, swatch } from './drawing.ts';
import { lineCount, linePrice } from './line-words.ts';

type Line = StatementBody['lines'][number];

/** More users than these go together on the page; the CSV has every one. */
export const MOST_USERS = 200;
const MOST_NAMES = 40;

/** The invoice's lines and its sum. Lines on which nothing was used are counted, not listed. */
export function linesTable(statement: StatementBody, id: string) {
  const { currency, totals, lines } = statement;
  const shown = lines.filter((line) => !isIdle(line));
  const idle = lines.length - shown.length;
  const money = (amount: string | null) =>
    amount === null ? 'not known yet' : moneyInWords(amount, currency);
  const isNothing = (amount: string | null) => amount !== null && !/[1-9]/.test(amount);
  const hasOther = !isNothing(totals.otherAmount);
  const hasAdjustment = !isNothing(totals.adjustmentAmount);
  const sums: [string, string | null, string][] = [
    ...(hasOther && totals.usageAmount !== null
      ? [['Usage of this period', totals.usageAmount, ''] as [string, string, string]]
      : []),
    ...(hasOther ? [['Other lines', totals.otherAmount, ''] as [string, string, string]] : []),
    ...(hasAdjustment && totals.adjustmentAmount !== null
      ? [['Discounts, credits and taxes', totals.adjustmentAmount, ''] as [string, string, string]]
      : []),
  ];
  return html`<table class="lines" aria-labelledby="${id}">
    <thead>
      <tr>
        <th scope="col">Usage</th>
        <th scope="col" class="number">Tokens</th>
        <th scope="col" class="number">Price</th>
        <th scope="col" class="number">Amount</th>
      </tr>
    </thead>
    <tbody>
      ${shown.map((line) => lineRow(line, statement, money))}
      ${
        idle > 0
          ? html`<tr class="zero"><th scope="row" colspan="4"><span class="detail">${idle === 1 ? 'One line' : `${idle} lines`} without usage, ${moneyInWords('0.00', currency)}</span></th></tr>`
          : ''
      }
    </tbody>
    <tfoot class="sums">
      ${sums.map(([label, amount], index) => html`<tr class="${index === 0 ? 'first' : ''}"><th scope="row">${label}</th><td></td><td></td><td class="number">${money(amount)}</td></tr>`)}
      <tr class="grand ${sums.length === 0 ? 'first' : ''}">
        <th scope="row">Total</th>
        <td class="number">${groupDigits(totals.usageTokenCount)}</td>
        <td></td>
        <td class="number">${money(totals.amount)}</td>
      </tr>
    </tfoot>
  </table>`;
}

function lineRow(
  line: Line,
  { billedLate, currency }: StatementBody,
  money: (amount: string | null) => string,
) {
  const late = billedLate.find(({ lineId }) => lineId === line.lineId);
  const used =
    late === undefined
      ? { from: line.periodStart, to: line.periodEnd }
      : { from: late.usedFrom, to: late.usedTo };
  return html`<tr>
    <th scope="row">
      ${line.name}${line.kind === 'late' ? html`<span class="tag">late</span>` : ''}${line.isIncluded ? html`<span class="tag">included</span>` : ''}
      ${line.kind === 'late' ? html`<span class="detail">used ${spanInWords(used.from, used.to)}</span>` : ''}
    </th>
    <td class="number">${lineCount(line)}</td>
    <td class="number unit">${linePrice(line, currency)}</td>
    <td class="number">${money(line.amount)}</td>
  </tr>`;
}

/** Nothing used, nothing charged. */
function isIdle({ kind, quantity, amount }: Line): boolean {
  return (
    kind === 'usage' && (quantity === null || quantity === '0') && amount !== null && !/[1-9]/.test(amount)
  );
}

type Figures = { tokenCount: string; amount: string };

export type BreakdownKind = 'day' | 'model' | 'feature' | 'user';

const HEADS: Record<BreakdownKind, string> = { day: 'Day', model: 'Model', feature: 'Feature', user: 'User' };

/** One way to divide the usage; its rows sum to the usage lines, and the last row says so. */
export function breakdownTable(statement: StatementBody, kind: BreakdownKind) {
  const { currency } = statement;
  const table = tableOf(statement, kind);
  const ranks = kind === 'model' ? rankModels(statement.days) : null;

  const limit = kind === 'user' ? MOST_USERS : kind === 'day' ? table.rows.length : MOST_NAMES;
  const shown = table.rows.slice(0, limit);
  const others = table.rows.slice(limit);
  const row = (name: string, figures: Figures, look: { isRest?: boolean; rank?: number | undefined } = {}) =>
    html`<tr${look.isRest === true ? html` class="rest"` : ''}><th scope="row">${look.rank === undefined ? '' : swatch(look.rank)}${name}</th><td class="number">${groupDigits(figures.tokenCount)}</td><td class="number">${moneyInWords(figures.amount, currency)}</td></tr>`;
  return html`<table class="breakdown">
    <thead><tr><th scope="col">${HEADS[kind]}</th><th scope="col" class="number">Tokens</th><th scope="col" class="number">Amount</th></tr></thead>
    <tbody>
      ${shown.map((entry) => row(nameOf(entry.name, kind), entry, { rank: ranks?.get(entry.name) }))}
      ${others.length === 0 ? '' : row(`${groupDigits(String(others.length))} others`, sumOf(others))}
      ${table.rest === null ? '' : row(restName(table.rest), table.rest, { isRest: true })}
    </tbody>
    <tfoot>${row('Usage lines', table.total)}</tfoot>
  </table>`;
}

function tableOf(
  { byDay, byModel, byFeature, byUser }: StatementBody,
  kind: BreakdownKind,
): StatementBreakdownBody {
  return { day: byDay, model: byModel, feature: byFeature, user: byUser }[kind];
}

function nameOf(name: string, kind: BreakdownKind): string {
  if (kind === 'day') return dayShort(name);
  if (name === '') return kind === 'user' ? 'No user named' : 'No feature named';
  return kind === 'model' ? modelInWords(name) : name;
}

/** What no usage explains: see `rest` of the statement. */
function restName({ tokenCount }: { tokenCount: string }): string {
  if (tokenCount === '0') return 'Base amounts';
  return tokenCount.startsWith('-') ? 'Not on these lines' : 'Not divided';
}

/** Exact: the amounts of one currency have the same decimals. */
function sumOf(rows: StatementBreakdownBody['rows']): Figures {
  const [, fraction = ''] = (rows[0]?.amount ?? '0').split('.');
  const scale = 10n ** BigInt(fraction.length);
  const minor = rows.reduce((sum, { amount }) => sum + BigInt(amount.replace('.', '')), 0n);
  const sign = minor < 0n ? '-' : '';
  const size = minor < 0n ? -minor : minor;
  const amount =
    fraction === ''
      ? String(minor)
      : `${sign}${size / scale}.${String(size % scale).padStart(fraction.length, '0')}`;
  return { tokenCount: String(rows.reduce((sum, row) => sum + BigInt(row.tokenCount), 0n)), amount };
}

/** `28 October to 31 October 2026`; hours are UTC, and the last instant is not included. */
export function spanInWords(from: string, to: string): string {
  const last = new Date(Date.parse(to) - 1).toISOString();
  const [start, end] = [from, last].map((instant) => dayShort(instant));
  const year = last.slice(0, 4);
  return start === end ? `${start} ${year}` : `${start} to ${end} ${year}`;
}
