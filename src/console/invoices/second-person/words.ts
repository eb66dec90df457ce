import { html } from 'hono/html';
import { type GuardedActName, needsSecondPerson } from '../../../billing/second-person/guarded-act.ts';
import type { SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import type { Html } from '../../../pages/html.ts';
import { instantCell } from '../../../pages/numbers.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { minorInMoney } from '../words.ts';

export const SECOND_PERSON_PATH = '/console/invoices/second-person';

const ACT_WORDS: Record<GuardedActName, (subjectId: string) => string> = {
  'close.release': (id) => `release of ${id}`,
  'credit.approve': (id) => `credit ${id}, to be given back`,
  'credit.reject': (id) => `credit ${id}, to be rejected`,
  'uninvoiced.write_off': (id) => `usage ${id}, to be given up`,
  'uninvoiced.due_again': (id) => `usage ${id}, for the next invoice`,
  'invoice.choose': (id) => `usage of ${id}`,
};

/** `release of in_1Q2w3E`. */
export const actInWords = ({ act, subjectId }: Pick<SecondPersonRequest, 'act' | 'subjectId'>) =>
  ACT_WORDS[act](subjectId);

export const capitalized = (words: string) => words.replace(/^./, (first) => first.toUpperCase());

/** What it is done to, where one sees it. */
export function subjectPath({ act, subjectId }: SecondPersonRequest): string {
  const id = encodeURIComponent(subjectId);
  if (act === 'credit.approve' || act === 'credit.reject')
    return `/console/invoices/credits?decide=${id}#decide`;
  if (act === 'uninvoiced.write_off' || act === 'uninvoiced.due_again')
    return `/console/invoices/uninvoiced?decide=${id}#decide`;
  return `/console/invoices/${id}`;
}

/** Where another person agrees. */
export const requestPath = ({ requestId }: SecondPersonRequest) =>
  `${SECOND_PERSON_PATH}?request=${requestId}#request`;

export function amountOf({ amountMinor, currency }: SecondPersonRequest): string {
  return amountMinor === null || currency === null
    ? 'an unknown amount'
    : minorInMoney(amountMinor, currency);
}

/** What the next page says of an act that was only asked for. */
export function askedNotice(request: SecondPersonRequest): { notice: string; to: string } {
  const until = request.expiresAt.toISOString().replace('T', ', ').slice(0, 17);
  return {
    notice: `Not done yet: ${amountOf(request)} needs a second person. It waits until ${until} UTC.`,
    to: requestPath(request),
  };
}

/** Above the form of an act: that it will wait, or that it waits. */
export function secondPersonNotice(
  view: ConsoleView,
  waiting: SecondPersonRequest | undefined,
  of: { amountMinor: bigint | null; currency: string | null },
): Html | string {
  if (waiting !== undefined)
    return html`<p class="notice warn"><a href="${requestPath(waiting)}">It waits for a second person</a>: ${actInWords(waiting)}, asked for by ${nameCell(waiting.askedBy, 60)}, until ${instantCell(waiting.expiresAt)}.</p>`;
  const rule = view.dependencies.settings?.secondPerson ?? null;
  if (rule === null || !needsSecondPerson(rule, of)) return '';
  const { amountMinor, currency } = of;
  if (amountMinor === null || currency === null)
    return html`<p class="notice">Nothing tells what it comes to: it is asked for here, and done once a second person agrees.</p>`;
  const above = minorInMoney(rule.above.get(currency) ?? 0n, currency);
  return html`<p class="notice">Above ${above} a second person must agree: it is asked for here, and done once somebody else says so.</p>`;
}
