import { html } from 'hono/html';
import { INVOICE_REASONS, TAKEN_UP_REASONS } from '../../../../pricing/closing/fate.ts';
import type { SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import type { UsageAmount } from '../../../billing/uninvoiced/amount.ts';
import type { UninvoicedGroup } from '../../../billing/uninvoiced/groups.ts';
import type { Html } from '../../../pages/html.ts';
import type { TableDefinition } from '../../../pages/table/columns.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { inWords } from '../../pipeline/reason-words.ts';
import {
  actsColumn,
  CUSTOMER,
  invoiceLink,
  mayDecide,
  periodColumn,
  sinceColumn,
  TOKENS,
} from '../columns.ts';
import { secondPersonNotice } from '../second-person/words.ts';
import { seenField } from '../seen.ts';
import { periodInWords, tokensInWords } from '../words.ts';
import { usageSeen } from './acts.ts';

/** Delivered usage that no invoice has. @param path of the page whose acts decide */
export function uninvoicedTable(
  view: ConsoleView,
  path: string,
  caption = 'Delivered usage that no invoice has',
): TableDefinition<UninvoicedGroup> {
  return {
    name: 'uninvoiced',
    caption,
    empty: 'All delivered usage is on an invoice, or will be by itself.',
    columns: [
      {
        name: 'id',
        title: 'Usage',
        kind: 'text',
        isRowHeader: true,
        cell: ({ uninvoicedId: id }) => String(id),
        csv: ({ uninvoicedId }) => String(uninvoicedId),
        sortBy: ({ uninvoicedId }) => uninvoicedId,
      },
      CUSTOMER,
      {
        name: 'reason',
        title: 'Why',
        kind: 'text',
        cell: ({ reason }) => inWords(reason),
        csv: ({ reason }) => reason,
        sortBy: ({ reason }) => reason,
      },
      {
        name: 'invoice',
        title: 'Invoice',
        kind: 'text',
        cell: ({ invoiceId }) => invoiceLink(invoiceId, 'none'),
        csv: ({ invoiceId }) => invoiceId,
      },
      periodColumn('Used'),
      TOKENS,
      {
        name: 'state',
        title: 'What becomes of it',
        kind: 'text',
        cell: fateCell,
        csv: ({ state }) => state,
        sortBy: ({ state }) => state,
      },
      sinceColumn('Found', ({ foundAt }) => foundAt, view.now),
      ...actsColumn(view, (group: UninvoicedGroup) => decideLink(group, path)),
    ],
  };
}

function fateCell(group: UninvoicedGroup): Html {
  const { state, reason, decidedBy, decidedReason } = group;
  const who =
    decidedBy === null
      ? ''
      : html`<br><span class="muted">by ${nameCell(decidedBy, 40)}: ${nameCell(decidedReason ?? '', 120)}</span>`;
  if (state !== 'open') {
    const words = {
      due_again: 'on the next invoice',
      taken_up: 'on a later invoice',
      written_off: 'given up',
      invoiced: 'billed as it was',
    };
    return html`${words[state]}${who}`;
  }
  return TAKEN_UP_REASONS.includes(reason)
    ? html`the next invoice takes it up`
    : html`<span class="tag warn">needs you</span>`;
}

function decideLink(
  { uninvoicedId: id, state, reason, invoiceId }: UninvoicedGroup,
  path: string,
): Html | string {
  if (state !== 'open' && state !== 'due_again') return '';
  return INVOICE_REASONS.includes(reason)
    ? html`<a href="/console/invoices/${encodeURIComponent(invoiceId ?? '')}#choice">with its invoice</a>`
    : html`<a href="${path}?decide=${id}#decide">decide<span class="unseen"> on usage ${id}</span></a>`;
}

/** What a word on one group of usage does, before it is said. */
export function decidePanel(
  waiting: readonly UninvoicedGroup[],
  { asked, amount }: { asked: readonly SecondPersonRequest[]; amount: UsageAmount | null },
  view: ConsoleView,
): Html | string {
  const id = view.typed?.get('usage') ?? view.address.query.get('decide');
  if (id === null || !mayDecide(view)) return '';
  const group = waiting.find(
    ({ uninvoicedId, reason }) => String(uninvoicedId) === id && !INVOICE_REASONS.includes(reason),
  );
  if (group === undefined)
    return html`<p class="notice" id="decide">Usage ${nameCell(id, 20)} waits for no decision.</p>`;
  const { state, reason, tokenCount, customerId } = group;
  const tokens = tokensInWords(tokenCount);
  return html`<section class="panel" id="decide"><h2>Usage ${id}: ${tokens} of ${nameCell(customerId, 60)}</h2>
<p>Used in ${periodInWords(group)}, delivered, and on no invoice: ${inWords(reason)}. Either the next invoice of <strong>${nameCell(customerId, 60)}</strong> has <strong>${tokens}</strong> as an item, at the price of then; or they are given up, and nobody is ever charged for them.</p>
${
  amount === null
    ? ''
    : secondPersonNotice(
        view,
        asked.find(({ target }) => target === `uninvoiced-${id}`),
        amount,
      )
}
<form class="fields" method="post" action="${view.address.path}/due-again">${view.formField}${seenField(usageSeen(group))}<input type="hidden" name="usage" value="${id}">
<label><span>Why</span><textarea name="reason" required maxlength="2000">${view.typed?.get('reason') ?? ''}</textarea></label>
<div class="acts">${state === 'open' ? html`<button>Give them to the next invoice</button>` : ''}<button class="danger" formaction="${view.address.path}/write-off">Give up ${tokens}</button></div>
</form></section>`;
}
