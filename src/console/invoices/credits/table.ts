import { html } from 'hono/html';
import { speakProduct } from '../../../../pricing/usage/words.ts';
import { amountToCredit, type CreditProposal } from '../../../billing/credits.ts';
import type { SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import type { Html } from '../../../pages/html.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import {
  AMOUNT,
  actsColumn,
  CUSTOMER,
  invoiceLink,
  mayDecide,
  PRODUCT,
  sinceColumn,
  TOKENS,
} from '../columns.ts';
import { secondPersonNotice } from '../second-person/words.ts';
import { seenField } from '../seen.ts';
import { minorInMoney, periodInWords, tokensInWords } from '../words.ts';
import { creditSeen, PAID_PARTS } from './acts.ts';

const CAUSES: Record<CreditProposal['cause'], string> = {
  corrected_usage: 'usage was corrected',
  invoice_above_ledger: 'billed more than was delivered',
};

/** Credits, with what a person can decide. @param path of the page whose acts decide */
export function creditsTable(
  view: ConsoleView,
  path: string,
  caption = 'Credits',
): TableDefinition<CreditProposal> {
  return {
    name: 'credits',
    caption,
    empty: 'Nothing is to be given back.',
    columns: [
      {
        name: 'id',
        title: 'Credit',
        kind: 'text',
        isRowHeader: true,
        cell: ({ creditProposalId: id }) => String(id),
        csv: ({ creditProposalId }) => String(creditProposalId),
        sortBy: ({ creditProposalId }) => creditProposalId,
      },
      CUSTOMER,
      {
        name: 'invoice',
        title: 'Invoice',
        kind: 'text',
        cell: ({ invoiceId }) => invoiceLink(invoiceId, ''),
        csv: ({ invoiceId }) => invoiceId,
      },
      PRODUCT,
      TOKENS,
      AMOUNT,
      {
        name: 'cause',
        title: 'Cause',
        kind: 'text',
        cell: ({ cause }) => CAUSES[cause],
        csv: ({ cause }) => cause,
      },
      {
        name: 'state',
        title: 'State',
        kind: 'text',
        cell: stateCell,
        csv: ({ state }) => state,
        sortBy: ({ state }) => state,
      },
      sinceColumn('Proposed', ({ proposedAt }) => proposedAt, view.now),
      ...actsColumn(view, (credit: CreditProposal) => decideLink(credit, path)),
    ],
  };
}

function stateCell({ state, decidedBy, decidedReason, lastError }: CreditProposal): Html {
  const who =
    decidedBy === null
      ? ''
      : html`<br><span class="muted">by ${nameCell(decidedBy, 40)}${decidedReason === null ? '' : html`: ${nameCell(decidedReason, 120)}`}</span>`;
  const trouble = lastError === null ? '' : html`<br><span class="bad">${nameCell(lastError, 200)}</span>`;
  return html`<span class="tag ${state === 'proposed' ? 'warn' : state === 'created' ? 'good' : ''}">${state === 'created' ? 'given back' : state}</span>${who}${trouble}`;
}

function decideLink({ creditProposalId: id, state }: CreditProposal, path: string): Html | string {
  return state === 'proposed'
    ? html`<a href="${path}?decide=${id}#decide">decide<span class="unseen"> on credit ${id}</span></a>`
    : '';
}

/** What a decision on one of them does, before it is made. */
export function decidePanel(
  waiting: readonly CreditProposal[],
  asked: readonly SecondPersonRequest[],
  view: ConsoleView,
): Html | string {
  const id = view.typed?.get('credit') ?? view.address.query.get('decide');
  const credit = waiting.find(({ creditProposalId }) => String(creditProposalId) === id);
  if (id === null || !mayDecide(view)) return '';
  if (credit?.state !== 'proposed')
    return html`<p class="notice" id="decide">Credit ${nameCell(id, 20)} waits for no decision.</p>`;
  const { currency, invoiceId, customerId, tokenCount, productName } = credit;
  const before = (field: string) => view.typed?.get(field) ?? '';
  const amount = minorInMoney(amountToCredit(credit), currency);
  return html`<section class="panel" id="decide"><h2>Credit ${id}: ${amount} of ${nameCell(invoiceId, 40)}</h2>
<p>${tokensInWords(tokenCount)} of ${nameCell(speakProduct(productName), 60)} in ${periodInWords(credit)} were billed to <strong>${nameCell(customerId, 60)}</strong> and not used. Given back, Stripe makes a credit note over <strong>${amount}</strong>, once. Rejected, nothing is ever given back for them. Neither can be taken back.</p>
${secondPersonNotice(
  view,
  asked.find(({ target }) => target === `credit-${id}`),
  { amountMinor: amountToCredit(credit), currency },
)}
<form class="fields" method="post" action="${view.address.path}/approve">${view.formField}${seenField(creditSeen(credit))}<input type="hidden" name="credit" value="${id}">
<label><span>What was paid already goes</span><select name="paidPart">${Object.entries(PAID_PARTS).map(([value, words]) => html`<option value="${value}"${value === before('paidPart') ? html` selected` : ''}>${words}</option>`)}</select></label>
<label><span>Why</span><textarea name="reason" required maxlength="2000">${before('reason')}</textarea></label>
<div class="acts"><button>Give ${amount} back</button><button class="danger" formaction="${view.address.path}/reject">Reject</button></div>
</form></section>`;
}
