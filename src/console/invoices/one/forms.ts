import { html } from 'hono/html';
import { INVOICE_CHOICES } from '../../../billing/uninvoiced/choices.ts';
import type { InvoiceRow } from '../../../closing/invoice-list.ts';
import type { Html } from '../../../pages/html.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { mayDecide } from '../columns.ts';
import { secondPersonNotice } from '../second-person/words.ts';
import { seenField } from '../seen.ts';
import {
  deadlineInWords,
  heldBecause,
  minorInMoney,
  nameOf,
  periodInWords,
  tokensInWords,
} from '../words.ts';
import { CHOICE_WORDS, choiceSeen, heldSeen } from './acts.ts';
import type { InvoiceMaterial } from './gather.ts';

const ADMIN_ALONE = html`<p class="muted">A key with the scope admin decides it.</p>`;

/** Why it is held, and what a release does, before it is done. */
export function heldPanel({ row, waiting }: InvoiceMaterial, view: ConsoleView): Html {
  const sum = minorInMoney(row.totalMinor, row.currency);
  const period = periodInWords(row);
  const customer = nameCell(row.customerName, 60);
  const otherwise =
    row.deadline === null || row.lastError !== null
      ? 'If nobody acts, it stays a draft.'
      : html`If nobody acts, ${deadlineInWords(row.deadline, view.now)}, as it is then.`;
  return html`<section class="panel" id="held">
<h2>Why it is held</h2>
<ul class="reasons">${heldBecause(row).map((reason) => html`<li>${nameCell(reason, 1_000)}</li>`)}</ul>
<p>${otherwise} It is looked at again by itself; what has come through by then lets it go on.</p>
<h2>Release it in spite of that</h2>
<p>Stripe charges <strong>${customer}</strong> <strong>${sum}</strong> for ${period}, as the invoice is. What differs, your name and the reason go into its certificate for good. It cannot be taken back here: what was too much can be credited later, and what was too little comes on a later invoice.</p>
${secondPersonNotice(view, waiting, { amountMinor: row.totalMinor, currency: row.currency })}
${
  mayDecide(view)
    ? html`<form class="fields" method="post" action="${view.address.path}/release">${view.formField}${seenField(heldSeen(row))}
<label><span>Why it may go as it is</span><textarea name="reason" required maxlength="2000">${view.typed?.get('reason') ?? ''}</textarea></label>
<div><button>Release ${sum} to ${nameCell(row.customerName, 40)}</button></div></form>`
    : ADMIN_ALONE
}
</section>`;
}

/** Whether a person may say what becomes of its usage. */
export function isTakenBack({ status, isCreditedInFull }: InvoiceRow): boolean {
  return status === 'void' || status === 'uncollectible' || isCreditedInFull;
}

/** What is to become of the usage of an invoice that was taken back; said once. */
export function choicePanel({ row, choice, waiting }: InvoiceMaterial, view: ConsoleView): Html {
  if (choice !== null) {
    return html`<section class="panel"><h2>What becomes of its usage</h2>
<p>${CHOICE_WORDS[choice.choice].replace(/^./, (first) => first.toUpperCase())}. Said by ${nameCell(choice.decidedBy, 60)}: ${nameCell(choice.decidedReason, 1_000)}</p></section>`;
  }
  const how =
    row.status === 'void' ? 'voided' : row.isCreditedInFull ? 'credited in full' : 'marked uncollectible';
  const usage = row.undecidedTokenCount === 0n ? 'its usage' : tokensInWords(row.undecidedTokenCount);
  const typed = view.typed?.get('choice');
  return html`<section class="panel" id="choice"><h2>What becomes of its usage</h2>
<p>${nameOf(row)} over ${minorInMoney(row.totalMinor, row.currency)} of <strong>${nameCell(row.customerName, 60)}</strong> was ${how}. Say once what becomes of ${usage}; it cannot be said otherwise later.</p>
${secondPersonNotice(view, waiting, { amountMinor: row.totalMinor, currency: row.currency })}
${
  mayDecide(view)
    ? html`<form class="fields" method="post" action="${view.address.path}/choose">${view.formField}${seenField(choiceSeen(row))}
<fieldset class="stack"><legend class="unseen">What becomes of it</legend>${INVOICE_CHOICES.map((known) => html`<label class="choice"><input type="radio" name="choice" value="${known}" required${known === typed ? html` checked` : ''}> ${CHOICE_WORDS[known]}</label>`)}</fieldset>
<label><span>Why</span><textarea name="reason" required maxlength="2000">${view.typed?.get('reason') ?? ''}</textarea></label>
<div><button>Say so for ${usage}</button></div></form>`
    : ADMIN_ALONE
}</section>`;
}
