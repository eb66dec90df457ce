import { html } from 'hono/html';
import { readStoredInvoice } from '../../billing/invoice-lines.ts';
import { type DisplayNames, readDisplayNames } from '../../catalog/display-names.ts';
import type { Html } from '../../pages/html.ts';
import { nameCell } from '../../pages/texts.ts';
import { addMs } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import { CUSTOMER_PATIENCE } from '../../previews/dependencies.ts';
import { statementTable } from '../../statements/csv.ts';
import { decideInvoiceStatement, type Statement } from '../../statements/decide.ts';
import {
  type InvoiceMaterial,
  prepareInvoiceStatement,
  readInvoiceMaterial,
} from '../../statements/gather.ts';
import { showStatement } from '../../statements/show.ts';
import { type DaySpan, periodsOfGroups, readSpanUsers } from '../../statements/spans.ts';
import type { StatementUsageRows } from '../../statements/usage.ts';
import { definePage, type PortalView } from '../frame/define-page.ts';
import { allowancesSection } from '../statement/allowances.ts';
import { daysSection } from '../statement/days.ts';
import { linesCsv, linesSection } from '../statement/lines.ts';
import { amountCell, partsCsv, partsTables } from '../statement/parts.ts';
import { readSpan } from '../statement/span.ts';
import { stateOf } from '../statement/stated.ts';
import { periodInWords } from '../usage/invoices.ts';
import type { ReaderLocale } from '../words/reader.ts';

interface Material {
  material: InvoiceMaterial;
  statement: Statement;
  names: DisplayNames;
  asked: { span: DaySpan; users: StatementUsageRows['users'] } | null;
}

/** One invoice of the reader's, divided. */
export const invoicePage = definePage({
  path: '/invoices/:invoiceId',
  of: 'customer',
  parameters: ['from', 'to', 'csv', 'user', 'users-page', 'users-sort', 'models-sort', 'days-sort'],
  prepare: async (view) => {
    const invoiceId = await requireOwn(view.dependencies.database, view);
    await prepareInvoiceStatement({ ...view.dependencies, stripePatience: CUSTOMER_PATIENCE }, invoiceId);
    return invoiceId;
  },
  gather: async (snapshot, view, invoiceId): Promise<Material> => {
    await requireOwn(snapshot, view);
    const { customerId } = view.reader;
    const material = await readInvoiceMaterial(snapshot, invoiceId, view.now);
    const statement = decideInvoiceStatement(material);
    const span = readSpan(view.address.query);
    const isOpen = material.invoice.status === 'draft';
    const periods = periodsOfGroups(statement);
    return {
      material,
      statement,
      names: await readDisplayNames(snapshot, customerId),
      asked:
        span === null
          ? null
          : { span, users: await readSpanUsers(snapshot, { customerId, periods, span, isOpen }) },
    };
  },
  show: ({ material, statement, names, asked }: Material, view) => {
    const { locale } = view;
    const { words } = locale;
    const { number } = statement.head;
    const period = periodInWords(statement.period, locale);
    const stated = stateOf(statement, material.usage.users, { names, asked, index: 0 });
    return {
      title: number === null ? words.invoice.unnumbered(period) : words.invoice.title(number),
      dataAsOf: statement.head.dataAsOf,
      body: html`
        <p class="lead">${nameCell(statement.head.customerName)}, ${spanInWords(statement, locale)}</p>
        ${sums(statement, locale)}
        ${noticeOf(statement, locale)}
        ${allowancesSection(statement, locale)}
        ${daysSection(stated, view)}
        ${partsTables(stated, view)}
        ${linesSection(stated, view)}
        ${missedList(statement, locale)}
        <p class="muted">${words.invoice.rounding}</p>
        ${certificateOf(statement, locale)}
        <p><a href="${wholeCsv(view)}">${words.invoice.csv}</a> · <a href="${view.href('')}">${words.invoices.back}</a></p>`,
      csv: {
        ...partsCsv(stated, view),
        ...linesCsv(stated, view),
        statement: () => statementTable([showStatement(statement)]),
      },
    };
  },
});

/** @throws TallystickError NOT_FOUND, for an invoice of somebody else as for none */
async function requireOwn(database: LedgerDatabase, { params, reader }: PortalView): Promise<string> {
  const { invoiceId = '' } = params;
  const isId = /^[A-Za-z0-9_-]{1,255}$/.test(invoiceId);
  const invoice = isId ? await readStoredInvoice(database, invoiceId) : null;
  if (invoice === null || invoice.customerId !== reader.customerId || invoice.status === 'deleted') {
    throw new TallystickError('The reader has no such invoice.', { code: 'NOT_FOUND', retry: false });
  }
  return invoiceId;
}

function spanInWords({ period: { start, end } }: Statement, { words, day }: ReaderLocale): string {
  return words.days.span(day(start), day(addMs(end, -1)));
}

function sums({ totals, head }: Statement, locale: ReaderLocale): Html {
  const { words } = locale;
  const { currency, amountDueMinor } = head;
  const isReduced = amountDueMinor !== null && amountDueMinor !== totals.invoiceMinor;
  return html`<dl class="figures">
    <div class="chief"><dt>${words.invoice.total}</dt><dd>${amountCell(totals.isUnpriced ? null : totals.invoiceMinor, currency, locale)}</dd></div>
    ${isReduced ? html`<div><dt>${words.invoice.toPay}</dt><dd>${locale.minor(amountDueMinor, currency)}<small>${words.invoice.toPayNote}</small></dd></div>` : ''}
    <div><dt>${words.period.tokens}</dt><dd>${locale.count(totals.tokenCount)}</dd></div>
  </dl>`;
}

/** An invoice that may still change, or was taken back, says so first. */
function noticeOf({ head: { status, usageChoice } }: Statement, { words }: ReaderLocale): Html | string {
  const notices = [
    ...(status === 'draft' ? [words.invoice.draft] : status === 'void' ? [words.invoice.voided] : []),
    ...(usageChoice === null ? [] : [words.invoice.chosen[usageChoice]]),
  ];
  return notices.length === 0
    ? ''
    : html`<div class="notice">${notices.map((notice) => html`<p>${notice}</p>`)}</div>`;
}

function missedList({ facts: { missed } }: Statement, locale: ReaderLocale): Html | string {
  if (missed.length === 0) return '';
  return html`<ul class="plain-words">${missed.map(
    ({ model, tokenType, tokenCount, billedOnInvoiceId }) =>
      html`<li>${locale.words.invoice.missed(locale.usage({ model, tokenType, feature: null }), locale.count(tokenCount), billedOnInvoiceId !== null)}</li>`,
  )}</ul>`;
}

function certificateOf({ facts: { certificate } }: Statement, { words }: ReaderLocale): Html | string {
  return certificate === null
    ? ''
    : html`<p class="muted hash">${words.invoice.certificate(certificate.sha256)}</p>`;
}

function wholeCsv({ address }: PortalView): string {
  return `${address.path}?csv=statement`;
}
