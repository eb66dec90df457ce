import { html } from 'hono/html';
import type { LateItem } from '../../../billing/late-items.ts';
import type { CloseStep } from '../../../closing/desk.ts';
import type { Html } from '../../../pages/html.ts';
import { instantCell } from '../../../pages/numbers.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { dataTable } from '../../../pages/table/table.ts';
import { nameCell } from '../../../pages/texts.ts';
import { type ConsoleView, definePage, type PageContent } from '../../frame/define-page.ts';
import { AMOUNT, invoiceLink, PRODUCT, TOKENS } from '../columns.ts';
import { creditsTable } from '../credits/table.ts';
import { uninvoicedTable } from '../uninvoiced/table.ts';
import {
  minorCell,
  minorInMoney,
  nameOf,
  nextInWords,
  noteInWords,
  periodInWords,
  STATE_WORDS,
  stateTag,
  tokensInWords,
} from '../words.ts';
import { INVOICE_ACTS } from './acts.ts';
import { comparisonCsv, drawComparison, drawGround } from './comparison.ts';
import { choicePanel, heldPanel, isTakenBack } from './forms.ts';
import { gatherInvoice, type InvoiceMaterial } from './gather.ts';

const STEPS: TableDefinition<CloseStep> = {
  name: 'steps',
  caption: 'What was done',
  empty: 'No close has taken it up.',
  columns: [
    {
      name: 'state',
      title: 'Step',
      kind: 'text',
      isRowHeader: true,
      cell: ({ state }) => STATE_WORDS[state],
      csv: ({ state }) => state,
    },
    {
      name: 'at',
      title: 'When',
      kind: 'text',
      cell: ({ at }) => instantCell(at),
      csv: ({ at }) => at.toISOString(),
    },
    {
      name: 'note',
      title: 'Note',
      kind: 'text',
      cell: ({ note }) => nameCell(note === null ? '' : noteInWords(note), 400),
      csv: ({ note }) => note,
    },
  ],
};

function lateTable(name: 'late' | 'missed'): TableDefinition<LateItem> {
  const isOfOthers = name === 'late';
  return {
    name,
    caption: isOfOthers
      ? 'Late usage of earlier periods on it'
      : 'Its usage that came too late, on later invoices',
    empty: '',
    columns: [
      { ...PRODUCT, isRowHeader: true },
      {
        name: 'used',
        title: 'Used',
        kind: 'text',
        cell: ({ periodStart, periodEnd }) => periodInWords({ periodStart, periodEnd }),
        csv: ({ usedFrom, usedTo }) => `${usedFrom.toISOString()}/${usedTo.toISOString()}`,
      },
      {
        name: 'invoice',
        title: isOfOthers ? 'Missed' : 'On',
        kind: 'text',
        cell: (item) => invoiceLink(isOfOthers ? item.missedInvoiceId : item.invoiceId, '–'),
        csv: (item) => (isOfOthers ? item.missedInvoiceId : item.invoiceId),
      },
      TOKENS,
      AMOUNT,
      {
        name: 'state',
        title: 'State',
        kind: 'text',
        cell: ({ state }) => state.replaceAll('_', ' '),
        csv: ({ state }) => state,
      },
    ],
  };
}

function show(material: InvoiceMaterial, view: ConsoleView): PageContent {
  const { row, steps, comparison, certificate, credits, late, missed, uninvoiced } = material;
  const { address } = view;
  const differences = row.difference ?? [];
  const part = <Row>(definition: TableDefinition<Row>, rows: readonly Row[]) =>
    rows.length === 0 ? '' : dataTable(definition, rows, address);
  const given = creditsTable(view, '/console/invoices/credits');
  const without = uninvoicedTable(view, '/console/invoices/uninvoiced');
  return {
    title: `Invoice ${nameOf(row)}`,
    body: html`<p class="lead">${nameCell(row.customerName, 200)}, ${periodInWords(row)}</p>
${figures(material, view)}
${links(material, view)}
${row.closeState === 'held' ? heldPanel(material, view) : ''}
${isTakenBack(row) ? choicePanel(material, view) : ''}
${released(material)}
${part(given, credits)}
${part(without, uninvoiced)}
${part(lateTable('late'), late)}
${part(lateTable('missed'), missed)}
${
  comparison === null
    ? html`<h2>What was compared</h2><p class="muted">Nothing yet: it is compared once all usage of its period is delivered.</p>`
    : html`<h2>What was compared</h2>${drawComparison(comparison, differences, address)}${certificate === null ? drawGround(comparison) : ''}`
}
${dataTable(STEPS, steps, address)}`,
    csv: {
      steps: () => csvOfTable(STEPS, steps, address.query),
      credits: () => csvOfTable(given, credits, address.query),
      uninvoiced: () => csvOfTable(without, uninvoiced, address.query),
      late: () => csvOfTable(lateTable('late'), late, address.query),
      missed: () => csvOfTable(lateTable('missed'), missed, address.query),
      ...(comparison === null ? {} : comparisonCsv(comparison, differences, address)),
    },
  };
}

function figures({ row }: InvoiceMaterial, { now }: ConsoleView): Html {
  const { currency, totalMinor, creditedMinor, lateTokenCount, lateAmountMinor } = row;
  const isGoing = row.endedAt === null;
  return html`<dl class="figures">
  <div><dt>Sum</dt><dd>${minorInMoney(totalMinor, currency)}<small>${row.status === 'draft' ? 'of the draft, as last read' : 'after discounts and taxes'}</small></dd></div>
  <div><dt>State</dt><dd>${stateTag(row)}<small>${isGoing ? nextInWords(row, now) : instantCell(row.endedAt)}</small></dd></div>
  <div><dt>Late usage on it</dt><dd>${minorCell(lateAmountMinor, currency)}<small>${tokensInWords(lateTokenCount)} of earlier periods</small></dd></div>
  <div><dt>Credited</dt><dd>${minorCell(creditedMinor, currency)}<small>${row.proposedCreditCount === 0 ? 'nothing more is proposed' : `${row.proposedCreditCount} more proposed`}</small></dd></div>
</dl>`;
}

function links({ row, certificate }: InvoiceMaterial, view: ConsoleView): Html {
  const { path } = view.address;
  return html`<div class="acts links">
${certificate === null ? '' : html`<a class="button" href="${path}/certificate">Certificate</a>`}
<form method="post" action="${path}/statement">${view.formField}<button class="quiet">Link to its statement</button></form>
${view.hasPage('/console/customers/:customerId') ? html`<a href="/console/customers/${encodeURIComponent(row.customerId)}">${nameCell(row.customerName, 40)}</a>` : ''}
</div>`;
}

function released({ row }: InvoiceMaterial): Html | string {
  if (row.releasedBy === null) return '';
  return html`<p class="notice">Released in spite of what differs by ${nameCell(row.releasedBy, 80)}: ${nameCell(row.releasedReason ?? '', 1_000)}</p>`;
}

export const invoicePage = definePage<InvoiceMaterial>({
  path: '/console/invoices/:invoiceId',
  title: 'Invoice',
  scopes: ['finance'],
  gather: gatherInvoice,
  show,
  acts: INVOICE_ACTS,
});
