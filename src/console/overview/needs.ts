import { html } from 'hono/html';
import { amountInWords } from '../../../pricing/budgets/amounts.ts';
import { formatMinor } from '../../../pricing/money.ts';
import type { ListedAlert } from '../../alerts/list.ts';
import { operatorMessage } from '../../alerts/words.ts';
import type { StandingBudget } from '../../budgets/standings.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords } from '../../pages/numbers.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits, moneyInWords } from '../../pages/words.ts';
import { ALERT_PATH, alertPath } from '../alerts/address.ts';
import { FINDING_PATH, findingPath } from '../anomalies/address.ts';
import { shapeInWords } from '../anomalies/words.ts';
import { BUDGET_PATH, budgetPath } from '../budgets/address.ts';
import { ofWhom } from '../budgets/words.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import {
  actInWords,
  amountOf,
  capitalized,
  requestPath,
  SECOND_PERSON_PATH,
} from '../invoices/second-person/words.ts';
import { inWords } from '../pipeline/reason-words.ts';
import { PRICES_PATH } from '../prices/address.ts';
import { changeOf, namePrice } from '../prices/waiting-table.ts';
import { changeInWords, verdictInWords } from '../prices/words.ts';
import { dollars } from '../rollups/draw.ts';
import { type Desk, MOST_LISTED } from './gather.ts';

/** One thing to do: what it is, since when, and what becomes of it if nobody acts. */
interface Need {
  what: Html;
  sinceMs: number | null;
  otherwise: string;
  href: string | null;
}

const PIPELINE = '/console/pipeline';

/** What a person must look at, the most pressing first. */
function listNeeds(desk: Desk, view: ConsoleView): Need[] {
  const { now } = view;
  const pipeline = (rest: string) => (view.hasPage(PIPELINE) ? `${PIPELINE}${rest}` : null);
  const asked = desk.asked.map((request) => ({
    what: html`${nameCell(
      capitalized(actInWords(request)),
      60,
    )} of ${nameCell(request.customerId)}, ${amountOf(request)}, waits for a second person`,
    sinceMs: now.getTime() - request.askedAt.getTime(),
    otherwise: `It is dropped in ${ageInWords(request.expiresAt.getTime() - now.getTime())}.`,
    href: view.hasPage(SECOND_PERSON_PATH) ? requestPath(request) : null,
  }));
  const targets = new Set(desk.asked.map(({ target }) => target));
  const undecided = desk.held.filter(({ invoiceId }) => !targets.has(invoiceId));
  const held = undecided.slice(0, MOST_LISTED).map((close) => ({
    what: html`The invoice of ${nameCell(close.customerName)} is held${close.totalMinor === null ? '' : html`, ${moneyInWords(formatMinor(close.totalMinor, close.currency), close.currency)}`}`,
    sinceMs: now.getTime() - close.stateAt.getTime(),
    otherwise: deadlineInWords(close.deadline, now),
    href: view.hasPage('/console/invoices/:invoiceId')
      ? `/console/invoices/${encodeURIComponent(close.invoiceId)}`
      : null,
  }));
  const found = desk.findings.slice(0, MOST_LISTED).map((finding) => ({
    what: html`${nameCell(finding.customerName)} costs ${dollars(finding.excessPicoUsd)} more than usual: ${shapeInWords(finding)}`,
    sinceMs: now.getTime() - finding.firstHour.getTime(),
    otherwise:
      finding.state === 'open'
        ? `Another day of it costs ${dollars(finding.dayAheadPicoUsd)} more than usual.`
        : 'It goes on no longer.',
    href: view.hasPage(FINDING_PATH) ? findingPath(finding) : null,
  }));
  const usedUp = desk.usedUp.slice(0, MOST_LISTED).map((row) => budgetNeed(row, view));
  const givenUp = desk.givenUp.slice(0, MOST_LISTED).map((alert) => alertNeed(alert, view));
  const [oldestDrift] = desk.drifts;
  const drifts =
    oldestDrift === undefined
      ? []
      : [
          {
            what: html`${countOf(desk.drifts.length, 'sum differs', 'sums differ')} from the ledger’s`,
            sinceMs: now.getTime() - oldestDrift.firstSeenAt.getTime(),
            otherwise: 'Repairs run by themselves; what is unexplained stays.',
            href: pipeline('#drift'),
          },
        ];
  const quarantined = desk.alarming.map(({ reason, tokenCount, oldestAt, metricName }) => ({
    what: html`${groupDigits(String(tokenCount))} tokens wait in quarantine: ${inWords(reason)}${metricName === null ? '' : html` ${nameCell(metricName)}`}`,
    sinceMs: now.getTime() - oldestAt.getTime(),
    otherwise: 'They are not billed until then.',
    href: pipeline(`?reason=${encodeURIComponent(reason)}#quarantine`),
  }));
  const unpriced = desk.unpriced
    .filter(({ tokenCount }) => tokenCount > 0n)
    .map(({ model, reason, tokenCount, oldestDay }) => ({
      what: html`${groupDigits(String(tokenCount))} tokens of ${nameCell(model)} have no cost: ${inWords(reason)}`,
      sinceMs: now.getTime() - Date.parse(oldestDay),
      otherwise: 'Their cost and margin stay unknown.',
      href: view.hasPage(PRICES_PATH) ? `${PRICES_PATH}?${new URLSearchParams({ model })}#book` : null,
    }));
  const prices = desk.prices.slice(0, MOST_LISTED).map((item) => {
    const change = changeOf(item);
    return {
      what: html`The listed price of ${item.target === null ? nameCell(item.meterName, 60) : namePrice(item)} waits${change === '' ? '' : ` (${changeInWords(change)})`}: ${verdictInWords(item.verdict)}`,
      sinceMs: now.getTime() - item.foundAt.getTime(),
      otherwise: 'The price book stays as it is until somebody decides.',
      href: view.hasPage(PRICES_PATH) ? `${PRICES_PATH}#waiting-head` : null,
    };
  });
  return [
    ...asked,
    ...held,
    ...found,
    ...usedUp,
    ...givenUp,
    ...drifts,
    ...quarantined,
    ...unpriced,
    ...prices,
  ];
}

function budgetNeed({ budget, standing, overCount, open }: StandingBudget, view: ConsoleView): Need {
  const { now } = view;
  const used =
    standing === null
      ? ''
      : html`: ${amountInWords(standing.used, budget)} of ${amountInWords(standing.effectiveLimit, budget)}`;
  const reachedAt = open
    .filter(({ step }) => step.on === 'actual' && step.sharePermille >= 1_000)
    .map((event) => event.reachedAt.getTime());
  return {
    what: budget.perUser
      ? html`${countOf(Number(overCount), 'user', 'users')} used all that the budget ${nameCell(budget.name, 40)} gives to ${ofWhom(budget)}`
      : html`The budget ${nameCell(budget.name, 40)} of ${ofWhom(budget)} is used up${used}`,
    sinceMs: reachedAt.length === 0 ? null : now.getTime() - Math.min(...reachedAt),
    otherwise:
      standing === null
        ? ''
        : `Its window ends in ${ageInWords(standing.windowEnd.getTime() - now.getTime())}${budget.steps.length === 0 ? '' : '; its steps act until then'}.`,
    href: view.hasPage(BUDGET_PATH) ? budgetPath(budget) : null,
  };
}

function alertNeed(alert: ListedAlert, view: ConsoleView): Need {
  const routes = alert.deliveries.filter(({ state }) => state === 'given_up');
  return {
    what: html`An alert could not be sent to ${routes.map(({ routeName }, place) => html`${place === 0 ? '' : ', '}${nameCell(routeName, 30)}`)}: ${nameCell(operatorMessage(alert).subject, 80)}`,
    sinceMs: view.now.getTime() - alert.raisedAt.getTime(),
    otherwise: 'It is tried no more, until somebody sends it again.',
    href: view.hasPage(ALERT_PATH) ? alertPath(alert.alertId) : null,
  };
}

export function drawNeeds(desk: Desk, view: ConsoleView): Html {
  const needs = listNeeds(desk, view);
  const hasMore = [desk.held, desk.findings, desk.usedUp, desk.givenUp, desk.prices].some(
    ({ length }) => length > MOST_LISTED,
  );
  if (needs.length === 0) {
    return html`<h2>Needs you</h2><p class="muted">Nothing. No invoice is held, no usage stands out, no budget is used up, no alert was given up, every sum agrees, nothing waits for too long, everything has a price, and no listed price waits.</p>`;
  }
  return html`<h2>Needs you (${needs.length}${hasMore ? ' and more' : ''})</h2>
<ul class="todo">${needs.map(
    ({ what, sinceMs, otherwise, href }) =>
      html`<li><span>${href === null ? what : html`<a href="${href}">${what}</a>`}</span><small class="muted">${sinceMs === null ? '' : `for ${ageInWords(sinceMs)}. `}${otherwise}</small></li>`,
  )}</ul>`;
}

function deadlineInWords(deadline: Date | null, now: Date): string {
  if (deadline === null) return 'It stays a draft until then.';
  const leftMs = deadline.getTime() - now.getTime();
  return leftMs <= 0 ? 'Its deadline has passed.' : `Stripe finalizes it by itself in ${ageInWords(leftMs)}.`;
}

const countOf = (count: number, one: string, more: string) =>
  `${groupDigits(String(count))} ${count === 1 ? one : more}`;
