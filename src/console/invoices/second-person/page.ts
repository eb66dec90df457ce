import { html } from 'hono/html';
import { isSamePerson } from '../../../billing/second-person/people.ts';
import {
  getSecondPersonRequest,
  listSecondPersonRequests,
  type SecondPersonRequest,
} from '../../../billing/second-person/requests.ts';
import { readStanding, type StandingRequest } from '../../../closing/second-person/decide.ts';
import type { Html } from '../../../pages/html.ts';
import { ageInWords, instantCell } from '../../../pages/numbers.ts';
import { csvOfTable } from '../../../pages/table/page-of-rows.ts';
import { dataTable } from '../../../pages/table/table.ts';
import { nameCell } from '../../../pages/texts.ts';
import { ROW_ID } from '../../../platform/row-id.ts';
import { type ConsoleView, definePage } from '../../frame/define-page.ts';
import { mayDecide } from '../columns.ts';
import { SECOND_PERSON_ACTS } from './acts.ts';
import { endedTable, standingInWords, waitingTable } from './tables.ts';
import { actInWords, amountOf, capitalized, subjectPath } from './words.ts';

/** More than people agree to one by one: beyond it the page says that there is more. */
const MOST_WAITING = 100;
const MOST_ENDED = 500;

interface Material {
  waiting: StandingRequest[];
  /** The newest of what is over. */
  ended: SecondPersonRequest[];
  /** Which the address asks for; null: none. */
  chosen: StandingRequest | null;
}

export const secondPersonPage = definePage<Material>({
  path: '/console/invoices/second-person',
  title: 'Waits for a second person',
  scopes: ['finance'],
  gather: async (snapshot, { now, address, typed }) => {
    const listed = await listSecondPersonRequests(
      snapshot,
      { states: ['waiting'], now },
      { afterId: 0n, limit: MOST_WAITING },
    );
    const waiting: StandingRequest[] = [];
    for (const request of listed) waiting.push(await readStanding(snapshot, request));
    const ended = await listSecondPersonRequests(
      snapshot,
      { states: ['agreed', 'declined', 'withdrawn', 'expired', 'overtaken'], now },
      { afterId: 0n, limit: MOST_ENDED, isNewestFirst: true },
    );
    const asked = typed?.get('request') ?? address.query.get('request') ?? '';
    const known = waiting.find(({ request }) => String(request.requestId) === asked);
    const isId = ROW_ID.test(asked);
    const chosen =
      known ??
      (isId
        ? {
            request: await getSecondPersonRequest(snapshot, BigInt(asked), now),
            obstacle: null,
            changes: [],
            deadline: null,
          }
        : waiting.length === 1
          ? (waiting[0] ?? null)
          : null);
    return { waiting, ended, chosen };
  },
  show: ({ waiting, ended, chosen }, view) => {
    const { address, now } = view;
    const table = waitingTable(now);
    const over = endedTable(now);
    return {
      body: html`<p class="lead">${answer(waiting, view)}</p>
${waiting.length === MOST_WAITING ? html`<p class="notice warn">More waits than the ${MOST_WAITING} that are listed.</p>` : ''}
${chosen === null ? '' : panel(chosen, view)}
${dataTable(table, waiting, address)}
${dataTable(over, ended, address)}
<p class="links"><a href="/console/invoices">To the invoices</a></p>`,
      csv: {
        waiting: () => csvOfTable(table, waiting, address.query),
        ended: () => csvOfTable(over, ended, address.query),
      },
    };
  },
  acts: SECOND_PERSON_ACTS,
});

function answer(waiting: readonly StandingRequest[], { dependencies }: ConsoleView): string {
  if (waiting.length > 0)
    return `${waiting.length === 1 ? 'One act waits' : `${waiting.length} acts wait`} until somebody other than who asked agrees. Nothing of it is done before.`;
  return (dependencies.settings?.secondPerson ?? null) === null
    ? 'Nothing waits: one person decides whatever the amount, as this installation is configured.'
    : 'Nothing waits for a second person.';
}

/** One of them: what is agreed to, and what is done then. */
function panel(standing: StandingRequest, view: ConsoleView): Html {
  const { request } = standing;
  const { requestId, figures, reason, askedBy, askedAt, state, endedBy, endedReason, endedAt } = request;
  const facts = html`<dl class="facts">
  <dt>Asked for by</dt><dd>${nameCell(askedBy, 80)}, ${ageInWords(view.now.getTime() - askedAt.getTime())} ago</dd>
  <dt>Why</dt><dd>${nameCell(reason, 2_000)}</dd>
  <dt>Of customer</dt><dd>${nameCell(request.customerId, 80)}</dd>
  ${Object.entries(request.parameters).map(([name, value]) => html`<dt>${PARAMETER_WORDS[name] ?? name}</dt><dd>${value.replaceAll('_', ' ')}</dd>`)}
  ${Object.entries(figures).map(([name, figure]) => html`<dt>${capitalized(name)}</dt><dd>${nameCell(figure, 600)}</dd>`)}
  <dt>${state === 'waiting' ? 'Waits until' : 'Ended'}</dt><dd>${state === 'waiting' ? instantCell(request.expiresAt) : html`${state}${endedBy === null ? '' : html` by ${nameCell(endedBy, 80)}`}${endedAt === null ? '' : html`, ${instantCell(endedAt)}`}${endedReason === null ? '' : html`: ${nameCell(endedReason, 600)}`}`}</dd>
</dl>`;
  const title = html`<h2>${nameCell(capitalized(actInWords(request)), 80)}: ${amountOf(request)}</h2>`;
  const seeIt = html`<p class="links"><a href="${subjectPath(request)}">See what it is about</a></p>`;
  if (state !== 'waiting')
    return html`<section class="panel" id="request">${title}${facts}${seeIt}</section>`;
  const isMine = isSamePerson(request, view.caller);
  const words = standingInWords(standing, view.now);
  const canBeDone = standing.obstacle === null && standing.changes.length === 0;
  return html`<section class="panel" id="request">${title}
${words === null ? '' : html`<p class="notice warn">${words}</p>`}
${facts}${seeIt}
${mayDecide(view) ? forms(request, { isMine, canBeDone }, view) : html`<p class="muted">A key with the scope admin decides it.</p>`}
</section>`;

  function forms(
    { askedByName }: SecondPersonRequest,
    { isMine, canBeDone }: { isMine: boolean; canBeDone: boolean },
    { formField, address, typed }: ConsoleView,
  ): Html {
    const field = html`<input type="hidden" name="request" value="${requestId}">`;
    const agree = html`<form method="post" action="${address.path}/agree">${formField}${field}
<p>Agreed to, it is done at once, with ${nameCell(askedByName, 60)}’s name and yours, and cannot be taken back here.</p>
<div class="acts"><button>Agree: ${nameCell(actInWords(request), 60)}, ${amountOf(request)}</button></div></form>`;
    return html`${isMine ? html`<p>You asked for it: somebody else agrees, or you withdraw it.</p>` : canBeDone ? agree : ''}
<form class="fields" method="post" action="${address.path}/decline">${formField}${field}
<label><span>Why it is not done</span><textarea name="reason" required maxlength="2000">${typed?.get('reason') ?? ''}</textarea></label>
<div class="acts"><button class="danger">${isMine ? 'Withdraw it' : 'Decline it'}</button></div></form>`;
  }
}

const PARAMETER_WORDS: Record<string, string> = {
  paidPart: 'What was paid already goes to',
  choice: 'What becomes of its usage',
};
