import { html } from 'hono/html';
import { pageDocument } from '../../pages/document.ts';
import { dayInWords, groupDigits, moneyInWords, monthInWords } from '../../pages/words.ts';
import type { StatementBody } from '../schemas.ts';
import { monthDrawing } from './drawing.ts';
import { breakdownTable, linesTable, MOST_USERS, spanInWords } from './tables.ts';

/** Where the page's own sheet is; the page loads nothing else. */
export const STATEMENT_STYLE_PATH = '/statements/style.css';

/** Where the same statement is to be had in other forms; the query is that of the link. */
export interface StatementAddress {
  csv: string;
  json: string;
}

/**
 * The page behind the link on an invoice: what was used and what it comes to, and nothing of ours. Several statements of
 * a customer with several subscriptions follow one another.
 */
export function statementPage(statements: readonly StatementBody[], address: StatementAddress) {
  const [first] = statements;
  const title = first === undefined ? 'Usage so far' : `Usage statement, ${titleOf(first)}`;
  return pageDocument(
    { title, stylePath: STATEMENT_STYLE_PATH },
    html`<main>
      ${statements.map((statement, index) => statementArticle(statement, { address, number: index + 1 }))}
      ${statements.length === 0 ? html`<header><div><p class="kicker">Usage so far</p><h1>No subscription is active</h1></div></header><p>There is nothing that a next invoice would hold.</p>` : ''}
    </main>`,
  );
}

/** For links that are wrong, altered or expired, and statements that do not exist: all look alike. */
export function missingStatementPage() {
  return pageDocument(
    { title: 'Statement not found', stylePath: STATEMENT_STYLE_PATH },
    html`<main>
      <header>
        <div>
          <p class="kicker">Usage statement</p>
          <h1>This statement cannot be shown</h1>
        </div>
      </header>
      <p>The link is incomplete, was changed, or has expired. Please ask for a new one.</p>
    </main>`,
  );
}

/** While the invoice's lines are not known and cannot be read. */
export function waitingStatementPage() {
  return pageDocument(
    { title: 'Statement not ready', stylePath: STATEMENT_STYLE_PATH },
    html`<main>
      <header>
        <div>
          <p class="kicker">Usage statement</p>
          <h1>This statement is being prepared</h1>
        </div>
      </header>
      <p>The invoice cannot be read at the moment. Please open the link again in some minutes.</p>
    </main>`,
  );
}

function statementArticle(
  statement: StatementBody,
  { address, number }: { address: StatementAddress; number: number },
) {
  const id = (name: string) => `${name}-${number}`;
  const users = statement.byUser.rows.length;
  return html`<article>
    ${headerOf(statement)} ${noticeOf(statement)} ${totalSection(statement)}
    ${drawingSection(statement, id('month'))}
    <h2 id="${id('lines')}">${statement.invoiceId === null ? 'Lines of the next invoice, so far' : 'Lines of the invoice'}</h2>
    ${linesTable(statement, id('lines'))} ${allowanceList(statement)} ${lateSection(statement)}
    <div class="pair">
      <section><h2>By model</h2>${breakdownTable(statement, 'model')}</section>
      <section><h2>By feature</h2>${breakdownTable(statement, 'feature')}</section>
    </div>
    <h2>By day</h2>
    <div class="columns days">${breakdownTable(statement, 'day')}</div>
    <h2>By user</h2>
    ${users > MOST_USERS ? html`<p class="detail">The ${MOST_USERS} users with the largest amounts; the CSV has all ${groupDigits(String(users))}.</p>` : ''}
    <div class="columns">${breakdownTable(statement, 'user')}</div>
    <h2>How this was metered</h2>
    <div class="how">
      <p>${statement.howMetered.join(' ')}</p>
      <p>${statement.rounding}${statement.byDay.rest === null ? '' : ` ${restInWords(statement)}`}</p>
    </div>
    ${footerOf(statement, address)}
  </article>`;
}

function headerOf(statement: StatementBody) {
  const { number, dataAsOf } = statement;
  return html`<header>
    <div>
      <p class="kicker">${statement.invoiceId === null ? 'Usage so far' : 'Usage statement'}</p>
      <h1>${titleOf(statement)}</h1>
      <p class="for">${statement.customerName}</p>
    </div>
    <dl class="facts">
      ${statement.invoiceId === null ? '' : html`<dt>Invoice</dt><dd>${number ?? 'not numbered yet'}</dd>`}
      <dt>From</dt>
      <dd>${instantInWords(statement.periodStart)}</dd>
      <dt>Until</dt>
      <dd>${instantInWords(statement.periodEnd)}</dd>
      <dt>Data as of</dt>
      <dd>${instantInWords(dataAsOf)}</dd>
    </dl>
  </header>`;
}

/** What becomes of the usage of an invoice that was taken back. */
const CHOICE_WORDS: Record<NonNullable<StatementBody['usageChoice']>, string> = {
  invoiced: 'Its usage counts as billed.',
  due_again: 'Its usage is billed again, on a later invoice.',
  written_off: 'Its usage is not billed any more.',
};

/** A statement that may still change, or was taken back, says so first. */
function noticeOf({ status, usageChoice, collectedThrough, openHourCount }: StatementBody) {
  const chosen = usageChoice === null ? '' : CHOICE_WORDS[usageChoice];
  if (status === 'final') return chosen === '' ? '' : html`<aside class="notice"><p>${chosen}</p></aside>`;
  if (status === 'void') {
    return html`<aside class="notice"><p>This invoice was voided: nothing of it is to be paid. ${chosen}</p></aside>`;
  }
  return html`<aside class="notice">
    <p>
      ${status === 'draft' ? 'The invoice is a draft and may still change.' : 'This is the month so far; the invoice will hold more.'}
      ${collectedThrough === null ? '' : `Usage is known up to ${instantInWords(collectedThrough)}.`}
      ${openHourCount === 0 ? '' : `${openHourCount === 1 ? 'One hour is' : `${openHourCount} hours are`} still being counted a second time.`}
    </p>
  </aside>`;
}

function totalSection({ totals, currency, invoiceId }: StatementBody) {
  const label = invoiceId === null ? 'So far' : 'Total of the invoice';
  const isReduced = totals.amountDue !== null && totals.amountDue !== totals.amount;
  return html`<section class="total" aria-label="${label}">
    <span class="label">${label}</span>
    <span class="amount">${totals.amount === null ? 'Not known yet' : moneyInWords(totals.amount, currency)}</span>
    <p class="note">
      For ${groupDigits(totals.usageTokenCount)} tokens.
      ${totals.amount === null ? 'Some of the usage has no price yet.' : ''}
      ${isReduced ? `To be paid: ${moneyInWords(totals.amountDue ?? '', currency)}, after credits and payments.` : ''}
    </p>
  </section>`;
}

function allowanceList({ allowances }: StatementBody) {
  if (allowances.length === 0) return '';
  return html`<h2>Included allowances</h2>
    <ul class="plain">
      ${allowances.map(
        ({ name, includedTokenCount, usedTokenCount }) =>
          html`<li>${name}: ${groupDigits(usedTokenCount)} of ${groupDigits(includedTokenCount)} included tokens used${usedTokenCount === includedTokenCount ? ', all of them' : ''}.</li>`,
      )}
    </ul>`;
}

function drawingSection(statement: StatementBody, id: string) {
  const drawing = monthDrawing(statement, id);
  return drawing === '' ? '' : html`<h2>Tokens by day</h2>${drawing}`;
}

function lateSection({ missed, lines, billedLate, currency }: StatementBody) {
  const late = lines.filter(({ kind }) => kind === 'late');
  if (missed.length === 0 && late.length === 0) return '';
  return html`<h2>What was late</h2>
    <ul class="plain">
      ${late.map((line) => {
        const of = billedLate.find(({ lineId }) => lineId === line.lineId);
        const missedInvoice = of?.missedInvoiceNumber
          ? `invoice ${of.missedInvoiceNumber}`
          : 'the invoice of its own period';
        return html`<li>
          From before: ${line.name}${line.quantity === null ? '' : `, ${groupDigits(line.quantity)} tokens`}, used ${spanInWords(of?.usedFrom ?? line.periodStart, of?.usedTo ?? line.periodEnd)}, came too late for ${missedInvoice} and ${line.amount === null ? 'is' : `is ${moneyInWords(line.amount, currency)}`} on this one.
        </li>`;
      })}
      ${missed.map(
        (row) => html`<li>
          ${row.name}, ${groupDigits(row.tokenCount)} tokens used ${spanInWords(row.usedFrom, row.usedTo)}, came too late for this invoice and
          ${row.billedOnInvoiceId === null ? 'will be on the next one.' : 'is on a later one.'}
        </li>`,
      )}
    </ul>`;
}

/** Never hidden: what the lines and the usage differ by. */
function restInWords({ byDay, currency }: StatementBody): string {
  if (byDay.rest === null) return '';
  const { tokenCount, amount } = byDay.rest;
  if (tokenCount === '0') {
    return `${moneyInWords(amount, currency)} are base amounts that belong to no token, shown as "Base amounts".`;
  }
  return tokenCount.startsWith('-')
    ? `The usage known here is ${groupDigits(tokenCount.slice(1))} tokens more than the lines bill; nothing is charged for those, shown as "Not on these lines".`
    : `The lines bill ${groupDigits(tokenCount)} tokens that are not divided here, shown as "Not divided".`;
}

function footerOf({ invoiceId, certificate, dataAsOf }: StatementBody, address: StatementAddress) {
  return html`<footer>
    <p class="screen"><a href="${address.csv}">Download as CSV</a>, every user included. <a href="${address.json}">The same as JSON</a>.</p>
    <p>
      ${invoiceId === null ? '' : `Reference ${invoiceId}. `}Data as of ${instantInWords(dataAsOf)}. All days and hours are UTC.
      ${certificate === null ? '' : html`Closed with certificate <span class="hash">${certificate.sha256}</span>.`}
    </p>
  </footer>`;
}

/** `November 2026` for a calendar month, else its days. */
function titleOf({ periodStart, periodEnd }: StatementBody): string {
  const start = new Date(periodStart);
  const end = new Date(periodEnd);
  const next = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1));
  const isMonth =
    start.getUTCDate() === 1 && periodStart.endsWith('T00:00:00.000Z') && end.getTime() === next.getTime();
  if (!isMonth) return spanInWords(periodStart, periodEnd);
  return monthInWords(start);
}

/** `1 November 2026, 00:00 UTC`. */
function instantInWords(instant: string): string {
  return `${dayInWords(instant)}, ${instant.slice(11, 16)} UTC`;
}
