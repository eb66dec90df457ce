import { html } from 'hono/html';
import type { Html } from '../../../pages/html.ts';
import { ageInWords, countCell, moneyCell, unknownCell } from '../../../pages/numbers.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { dataTable } from '../../../pages/table/table.ts';
import { nameCell } from '../../../pages/texts.ts';
import { groupDigits, moneyInWords } from '../../../pages/words.ts';
import type { SubscriptionPreviewBody } from '../../../previews/schemas.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { endInWords, rangeInWords } from '../../invoices/projection.ts';
import { periodInWords } from '../../invoices/words.ts';
import { inWords } from '../../pipeline/reason-words.ts';

type Line = SubscriptionPreviewBody['lines'][number];

/** A line of one of the next invoices. */
export interface LineRow {
  subscriptionId: string;
  currency: string;
  line: Line;
}

const WHY_NO_AMOUNT: Record<NonNullable<Line['reason']>, string> = {
  price_not_rateable: 'its price is of a kind that we cannot rate',
  billed_in_part: 'a billing threshold has invoiced a part of the period',
  price_changed_since_sync: 'its price has changed since it was read',
  usage_unpriced: 'what counts towards the minimum has no amount yet',
};

export const linesOf = (previews: readonly SubscriptionPreviewBody[]): LineRow[] =>
  previews.flatMap(({ subscriptionId, currency, lines }) =>
    lines.map((line) => ({ subscriptionId, currency, line })),
  );

export const LINES_TABLE: TableDefinition<LineRow> = {
  name: 'lines',
  caption: 'Its lines so far',
  empty: 'It has no line yet.',
  columns: [
    {
      name: 'description',
      title: 'Line',
      kind: 'text',
      isRowHeader: true,
      cell: ({ line }) => nameCell(line.description),
      csv: ({ line }) => line.description,
    },
    {
      name: 'quantity',
      title: 'Tokens',
      kind: 'number',
      cell: ({ line }) =>
        line.quantity === null ? html`<span class="muted">–</span>` : countCell(BigInt(line.quantity)),
      csv: ({ line }) => line.quantity,
    },
    {
      name: 'amount',
      title: 'Amount',
      kind: 'number',
      cell: ({ line, currency }) =>
        line.amount === null
          ? html`${unknownCell()}${line.reason === null ? '' : html` <small class="muted">${WHY_NO_AMOUNT[line.reason]}</small>`}`
          : moneyCell(line.amount, currency),
      csv: ({ line }) => line.amount,
    },
    {
      name: 'end',
      title: 'At the end',
      kind: 'number',
      cell: ({ line, currency }) => {
        const range = line.projected?.amount ?? null;
        return range === null
          ? html`<span class="muted">–</span>`
          : rangeInWords(range.p10, range.p90, currency);
      },
    },
    { name: 'end_low', title: 'From', kind: 'number', cell: () => '', csv: endOf('p10') },
    { name: 'end_high', title: 'To', kind: 'number', cell: () => '', csv: endOf('p90') },
    { name: 'currency', title: 'Currency', kind: 'text', cell: () => '', csv: ({ currency }) => currency },
    {
      name: 'subscription',
      title: 'Subscription',
      kind: 'text',
      cell: () => '',
      csv: ({ subscriptionId }) => subscriptionId,
    },
  ],
};

function endOf(end: 'p10' | 'p90') {
  return ({ line }: LineRow) => line.projected?.amount?.[end] ?? null;
}

/** Of what people see: the rest is for CSV alone. */
const SHOWN: TableDefinition<LineRow> = { ...LINES_TABLE, columns: LINES_TABLE.columns.slice(0, 4) };

/** The next invoices in the headline: so far, and at the end. */
export function nextInvoiceCard(previews: readonly SubscriptionPreviewBody[]): Html {
  if (previews.length === 0) {
    return html`<div><dt>Next invoice</dt><dd><span class="muted">none</span><small>no active subscription</small></dd></div>`;
  }
  const title = previews.length === 1 ? 'Next invoice' : `Next invoices (${previews.length})`;
  return html`<div><dt><a href="#next-invoice">${title}</a></dt>${previews.map(
    (preview) =>
      html`<dd>${totalOf(preview)}<small>${preview.projection.total === null ? endInWords(preview) : html`${endInWords(preview)} at the end`}</small></dd>`,
  )}</div>`;
}

const totalOf = ({ total, currency }: SubscriptionPreviewBody) =>
  total === null ? unknownCell() : moneyInWords(total, currency);

/** The next invoices in full, by the ledger alone, and how old what it knows of Stripe is. */
export function drawNextInvoices(previews: readonly SubscriptionPreviewBody[], view: ConsoleView): Html {
  if (previews.length === 0) {
    return html`<h2 id="next-invoice">Next invoice</h2>
<p class="muted">There is none to come: no subscription is active, so that nothing of this usage is billed.</p>`;
  }
  return html`<h2 id="next-invoice">${previews.length === 1 ? 'Next invoice' : 'Next invoices'}</h2>
${previews.map((preview) => facts(preview, view))}
${dataTable(SHOWN, linesOf(previews), view.address)}
<p class="muted">As if the period ended now, from the ledger; Stripe is not asked. What Stripe adds by itself, such as taxes, discounts and items that others made, is not in it.</p>`;
}

function facts(preview: SubscriptionPreviewBody, { now }: ConsoleView): Html {
  const { periodStart, periodEnd, lines, quarantined, ledger } = preview;
  const period = { periodStart: new Date(periodStart), periodEnd: new Date(periodEnd) };
  const readAts = lines.flatMap(({ price }) => (price.readAt === null ? [] : [Date.parse(price.readAt)]));
  return html`<dl class="facts">
  <dt>Period</dt><dd>${periodInWords(period)}</dd>
  <dt>So far</dt><dd>${totalOf(preview)}</dd>
  <dt>At the end</dt><dd>${endInWords(preview)}</dd>
  ${readAts.length === 0 ? '' : html`<dt>Prices</dt><dd>as Stripe had them ${ageInWords(now.getTime() - Math.min(...readAts))} ago</dd>`}
  ${ledger.openHourCount === '0' ? '' : html`<dt>Not settled yet</dt><dd>${ledger.openHourCount} ${ledger.openHourCount === '1' ? 'hour' : 'hours'} of it</dd>`}
  ${quarantined.map(({ reason, tokenCount }) => html`<dt>Waits</dt><dd>${groupDigits(tokenCount)} tokens: ${inWords(reason)}</dd>`)}
</dl>`;
}
