import { html } from 'hono/html';
import { doOrAsk } from '../../../billing/second-person/do-or-ask.ts';
import { INVOICE_CHOICE } from '../../../billing/second-person/usage-acts.ts';
import { INVOICE_CHOICES } from '../../../billing/uninvoiced/choices.ts';
import type { InvoiceRow } from '../../../closing/invoice-list.ts';
import { CLOSE_RELEASE } from '../../../closing/second-person/release-act.ts';
import { instantCell } from '../../../pages/numbers.ts';
import { ValidationError } from '../../../platform/errors.ts';
import { askForStep } from '../../../platform/http/dependencies.ts';
import { makeStatementLink } from '../../../statements/links.ts';
import type { PageAct } from '../../frame/define-page.ts';
import { requiredText } from '../../frame/fields.ts';
import { askedNotice } from '../second-person/words.ts';
import { requireSeen, type Seen } from '../seen.ts';
import { minorInMoney, nameOf, tokensInWords } from '../words.ts';
import { getInvoice } from './gather.ts';

const REASON_LENGTH = 2_000;

/** What a release is about. */
export const heldSeen = ({ totalMinor, difference, lastError }: InvoiceRow): Seen => [
  totalMinor,
  JSON.stringify(difference),
  lastError,
];

/** What a choice is about. */
export const choiceSeen = ({ status, undecidedTokenCount, isCreditedInFull }: InvoiceRow): Seen => [
  status,
  undecidedTokenCount,
  String(isCreditedInFull),
];

export const CHOICE_WORDS: Record<(typeof INVOICE_CHOICES)[number], string> = {
  invoiced: 'it is billed as it was, another way',
  due_again: 'the next invoice of the customer has it, as an item',
  written_off: 'it is given up: nobody is ever charged for it',
};

/** What a person does about one invoice: by the functions of the API's routes. */
export const INVOICE_ACTS: Readonly<Record<string, PageAct>> = {
  release: {
    scopes: [],
    run: async (form, { caller, dependencies, params }) => {
      const row = await getInvoice(dependencies.database, params.invoiceId ?? '');
      const reason = requiredText(form, 'reason', 'Say why it may go as it is.', REASON_LENGTH);
      if (row.closeState === 'held') requireSeen(form, heldSeen(row), `Invoice ${nameOf(row)}`);
      const asked = await doOrAsk(dependencies, CLOSE_RELEASE, { subjectId: row.invoiceId, reason, caller });
      if (asked !== null) return askedNotice(asked);
      await askForStep(dependencies, 'close-invoices', 'release');
      const sum = minorInMoney(row.totalMinor, row.currency);
      return {
        notice: `${nameOf(row)} over ${sum} is released; the jobs finalize it and write its certificate.`,
      };
    },
  },
  choose: {
    scopes: [],
    run: async (form, { caller, dependencies, params }) => {
      const row = await getInvoice(dependencies.database, params.invoiceId ?? '');
      const choice = INVOICE_CHOICES.find((known) => known === form.get('choice'));
      if (choice === undefined) throw new ValidationError('choice', 'is missing', 'Choose one of the three.');
      const reason = requiredText(form, 'reason', 'Say why.', REASON_LENGTH);
      requireSeen(form, choiceSeen(row), `Invoice ${nameOf(row)}`);
      const given = { subjectId: row.invoiceId, parameters: { choice }, reason, caller };
      const asked = await doOrAsk(dependencies, INVOICE_CHOICE, given);
      if (asked !== null) return askedNotice(asked);
      await askForStep(dependencies, 'close-invoices', 'invoice usage');
      const usage =
        row.undecidedTokenCount === 0n
          ? 'The usage'
          : `The usage, ${tokensInWords(row.undecidedTokenCount)},`;
      return { notice: `${usage} of ${nameOf(row)}: ${CHOICE_WORDS[choice]}.` };
    },
  },
  statement: {
    scopes: ['finance'],
    makes: true,
    run: async (_form, { caller, dependencies, params, origin }) => {
      const row = await getInvoice(dependencies.database, params.invoiceId ?? '');
      const { url, expiresAt } = await makeStatementLink(
        dependencies,
        { invoiceId: row.invoiceId },
        { origin, actor: caller.actor },
      );
      const body = html`<p class="lead">Whoever has this link reads the statement, until ${instantCell(expiresAt)}.</p>
<p class="panel"><a href="${url}">Open the statement</a></p>
<p><a href="/console/invoices/${encodeURIComponent(row.invoiceId)}">Back to the invoice</a></p>`;
      return { shown: { title: `Statement of ${nameOf(row)}`, body } };
    },
  },
};
