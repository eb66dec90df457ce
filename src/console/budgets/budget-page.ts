import { html } from 'hono/html';
import { amountInWords, formatAmount } from '../../../pricing/budgets/amounts.ts';
import { isMoney } from '../../../pricing/budgets/budget.ts';
import { earlyBillInWords } from '../../../pricing/budgets/early-bill.ts';
import { formatMinor } from '../../../pricing/money.ts';
import type { ToldEarlyBill } from '../../billing/early/told.ts';
import { getBudget } from '../../budgets/budgets.ts';
import { type DrawnDay, readDrawnUse } from '../../budgets/drawn-use.ts';
import { listPastWindows, type PastWindow } from '../../budgets/past/windows.ts';
import {
  countedUntil,
  type Freshness,
  type KeptStanding,
  listHolders,
  overshootNow,
  readFreshness,
  readStandings,
  type StandingBudget,
} from '../../budgets/standings.ts';
import { listStepEvents, type StepEvent } from '../../budgets/step-events.ts';
import { type EnforcedStep, listEnforcedSteps } from '../../enforcement/steps.ts';
import { hasScope } from '../../identity/require-scope.ts';
import { lineChart } from '../../pages/charts/lines.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords, instantCell, unknownCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { actorInWords, nameCell, shortened } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { BUDGET_ACTS } from './acts.ts';
import { BUDGET_PATH, BUDGETS_PATH } from './address.ts';
import { type AskedDryRun, drawDryRun, dryRunTable, gatherDryRun } from './dry-run.ts';
import { budgetForms } from './forms.ts';
import { pastTable } from './past-table.ts';
import { STEP_ACTS } from './step-acts.ts';
import { stepsTable } from './steps-table.ts';
import { forecastInWords, ofWhom, percentOf, periodInWords, stepInWords, withdrawnInWords } from './words.ts';

/** More than a person reads of one budget. */
const MOST_LISTED = 200;
/** A year by weeks or months, and the last weeks by days; the API has the rest. */
const MOST_PAST = 53;

interface Material {
  row: StandingBudget;
  freshness: Freshness;
  holders: KeptStanding[];
  events: StepEvent[];
  days: DrawnDay[];
  enforced: EnforcedStep[];
  dryRun: AskedDryRun | null;
  past: PastWindow[];
}

export const budgetPage = definePage<Material>({
  path: BUDGET_PATH,
  title: 'Budget',
  scopes: ['sales', 'finance'],
  gather: async (snapshot, view) => {
    const { params, now } = view;
    const budget = await getBudget(snapshot, params.budgetId ?? '');
    const { budgetId } = budget;
    const [found] = await readStandings(snapshot, [budget], now);
    const row = found ?? { budget, standing: null, holderCount: 0n, overCount: 0n, open: [] };
    return {
      row,
      freshness: await readFreshness(snapshot, now),
      holders: budget.perUser ? await listHolders(snapshot, budgetId, { now, limit: MOST_LISTED }) : [],
      events: await listStepEvents(snapshot, { budgetId, limit: MOST_LISTED }),
      days: row.standing === null ? [] : await readDrawnUse(snapshot, budget, row.standing, now),
      enforced: await listEnforcedSteps(snapshot, { budgetId }, { beforeId: null, limit: MOST_LISTED, now }),
      dryRun: await gatherDryRun(snapshot, budget, view),
      past: await listPastWindows(snapshot, budget, { now, before: null, limit: MOST_PAST }),
    };
  },
  show: (material, view) => {
    const { row, holders, events, enforced, dryRun, past } = material;
    const { budget } = row;
    const holdersOf = holdersTable(row);
    const eventsOf = eventsTable(row, events, view);
    const stepsOf = stepsTable(view);
    const pastOf = pastTable(budget);
    return {
      title: `Budget: ${shortened(budget.name)}`,
      body: html`<p class="lead">${answer(row)}</p>
${budget.endedAt === null ? '' : html`<p class="notice">Ended by ${nameCell(actorInWords(budget.endedBy ?? ''), 60)}, ${instantCell(budget.endedAt)}.</p>`}
${row.standing === null ? '' : figures(material, row.standing, view)}
${drawUse(material)}
<dl class="facts">
<dt>Of</dt><dd>${ofWhom(budget)}</dd>
<dt>Each</dt><dd>${periodInWords(budget)}${row.standing === null ? '' : html`, this one from ${instantCell(row.standing.windowStart)} to ${instantCell(row.standing.windowEnd)}`}</dd>
<dt>Limit</dt><dd>${amountInWords(budget.limit, budget)} of ${budget.measure}${budget.grace === null ? '' : html`, and ${amountInWords(budget.grace.extra, budget)} more until ${instantCell(budget.grace.until)}: ${nameCell(budget.grace.reason, 200)}`}</dd>
<dt>Steps</dt><dd>${budget.steps.length === 0 ? html`<span class="muted">none</span>` : budget.steps.map((step) => html`<span>${stepInWords(step)}</span><br>`)}</dd>
<dt>Created</dt><dd>${instantCell(budget.createdAt)} by ${nameCell(actorInWords(budget.createdBy), 60)}</dd>
</dl>
${budget.perUser ? dataTable(holdersOf, holders, view.address) : ''}
${holders.length < MOST_LISTED ? '' : html`<p class="muted">The ${MOST_LISTED} who used most.</p>`}
${dataTable(stepsOf, enforced, view.address)}
${dataTable(eventsOf, events, view.address)}
${dataTable(pastOf, past, view.address)}
${drawDryRun(budget, dryRun, view)}
${hasScope(view.caller, ['finance']) ? budgetForms(budget, view) : ''}
<p class="links"><a href="${BUDGETS_PATH}">All budgets</a>${view.hasPage('/console/audit') ? html` <a href="/console/audit?target=${budget.budgetId}">In the audit log</a>` : ''}</p>`,
      csv: {
        users: () => csvOfTable(holdersOf, holders, view.address.query),
        events: () => csvOfTable(eventsOf, events, view.address.query),
        windows: () => csvOfTable(pastOf, past, view.address.query),
        steps: () => csvOfTable(stepsOf, enforced, view.address.query),
        'dry-run': () => csvOfTable(dryRunTable(), dryRun?.told?.holders ?? [], view.address.query),
      },
    };
  },
  acts: { ...BUDGET_ACTS, ...STEP_ACTS },
});

function answer({ budget, standing, holderCount, overCount }: StandingBudget): Html {
  if (standing === null) return html`Nothing is judged in this window yet.`;
  const share = percentOf(standing.used, standing.effectiveLimit);
  if (!budget.perUser)
    return html`${share} is used: ${amountInWords(standing.used, budget)} of ${amountInWords(standing.effectiveLimit, budget)}.`;
  return html`Of ${groupDigits(String(holderCount))} users, ${groupDigits(String(overCount))} used all of it; ${nameCell(standing.subject, 40)} used most, ${share}.`;
}

function figures(
  { row: { budget }, freshness }: Material,
  standing: KeptStanding,
  { now }: ConsoleView,
): Html {
  const until = countedUntil(standing, freshness);
  const overshoot = overshootNow(standing, freshness, now);
  const age = until === null ? 'never collected' : `data ${ageInWords(now.getTime() - until.getTime())} old`;
  return html`<dl class="figures">
<div class="chief"><dt>Used</dt><dd>${amountInWords(standing.used, budget)}<small>of ${amountInWords(standing.effectiveLimit, budget)}; ${age}</small></dd></div>
<div><dt>At the end of the window</dt><dd>${forecastInWords(standing, budget)}<small>if it goes on as before</small></dd></div>
<div><dt>Overshoot allowed</dt><dd>${overshoot === null ? unknownCell() : amountInWords(overshoot, budget)}<small>at the rate of late, until a step acts</small></dd></div>
</dl>
${standing.unpricedTokenCount === 0n ? '' : html`<p class="notice">${groupDigits(String(standing.unpricedTokenCount))} tokens have no price and are in no amount.</p>`}
${standing.unknownReason === null ? '' : html`<p class="notice">What is used now is unknown, for there is no exchange rate that holds: this is what was known before.</p>`}`;
}

function drawUse({ row: { budget, standing }, days }: Material): Html | string {
  if (standing === null || days.length === 0) return '';
  const unit = isMoney(budget.measure) ? 1e12 : 1;
  const value = (amount: bigint | null) =>
    amount === null
      ? { value: null, text: 'to come' }
      : { value: Number(amount) / unit, text: amountInWords(amount, budget) };
  return lineChart({
    id: 'use',
    title: 'Used so far against the limit, by day, UTC',
    description: `What was used from the beginning of the window to the end of each day, and the limit, in ${budget.currency?.toUpperCase() ?? budget.measure}.`,
    places: days.map(({ day }) => day.toISOString().slice(0, 10)),
    series: [
      { name: 'Used', values: days.map(({ usedSoFar }) => value(usedSoFar)) },
      { name: 'Limit', values: days.map(() => value(standing.effectiveLimit)) },
    ],
    scaleText: (top) => amountInWords(BigInt(Math.round(top * unit)), budget),
    words: {
      asTable: 'The same as a table',
      place: 'Day (UTC)',
      placeShort: (place) => place.slice(5),
      placeLong: (place) => place,
    },
  });
}

function holdersTable({ budget }: StandingBudget): TableDefinition<KeptStanding> {
  return {
    name: 'users',
    caption: 'Users, by what they used',
    empty: 'No user used anything in this window.',
    columns: [
      {
        name: 'user',
        title: 'User',
        kind: 'text',
        isRowHeader: true,
        cell: ({ subject }) => nameCell(subject, 40),
        csv: ({ subject }) => subject,
        sortBy: ({ subject }) => subject,
      },
      {
        name: 'customerId',
        title: 'Customer',
        kind: 'text',
        cell: ({ customerId }) => nameCell(customerId, 40),
        csv: ({ customerId }) => customerId,
        sortBy: ({ customerId }) => customerId,
      },
      {
        name: 'used',
        title: 'Used',
        kind: 'number',
        cell: ({ used }) => amountInWords(used, budget),
        csv: ({ used }) => formatAmount(used, budget.measure),
        sortBy: ({ used }) => used,
      },
      {
        name: 'share',
        title: 'Share',
        kind: 'number',
        cell: ({ used, effectiveLimit }) => percentOf(used, effectiveLimit),
        csv: ({ used, effectiveLimit }) => (Number((used * 1_000n) / effectiveLimit) / 1_000).toFixed(3),
        sortBy: ({ used }) => used,
      },
    ],
  };
}

function eventsTable(
  { budget }: StandingBudget,
  events: readonly StepEvent[],
  view: ConsoleView,
): TableDefinition<StepEvent> {
  const bills = events.some(({ earlyBills }) => earlyBills.length > 0);
  return {
    name: 'events',
    caption: 'What was reached',
    empty: 'No step was reached yet.',
    columns: [
      instantColumn<StepEvent>('reachedAt', 'When', ({ reachedAt }) => reachedAt),
      {
        name: 'step',
        title: 'Step',
        kind: 'text',
        isRowHeader: true,
        cell: ({ step }) => stepInWords(step),
        csv: ({ stepKey }) => stepKey,
      },
      {
        name: 'user',
        title: 'User',
        kind: 'text',
        cell: ({ subject }) => (subject === '' ? html`<span class="muted">–</span>` : nameCell(subject, 40)),
        csv: ({ subject }) => subject,
      },
      {
        name: 'used',
        title: 'Used then',
        kind: 'number',
        cell: ({ used }) => amountInWords(used, budget),
        csv: ({ used }) => formatAmount(used, budget.measure),
      },
      {
        name: 'limit',
        title: 'Limit then',
        kind: 'number',
        cell: ({ effectiveLimit }) => amountInWords(effectiveLimit, budget),
        csv: ({ effectiveLimit }) => formatAmount(effectiveLimit, budget.measure),
      },
      {
        name: 'withdrawn',
        title: 'Withdrawn',
        kind: 'text',
        cell: ({ withdrawnReason, withdrawnAt }) =>
          withdrawnReason === null
            ? html`<span class="muted">no</span>`
            : html`${instantCell(withdrawnAt)}: ${withdrawnInWords(withdrawnReason)}`,
        csv: ({ withdrawnReason }) => withdrawnReason,
      },
      ...(bills ? [earlyBillColumn(view)] : []),
    ],
  };
}

function earlyBillColumn(view: ConsoleView): TableDefinition<StepEvent>['columns'][number] {
  return {
    name: 'earlyBill',
    title: 'Invoiced early',
    kind: 'text',
    cell: ({ earlyBills }) =>
      earlyBills.length === 0
        ? html`<span class="muted">–</span>`
        : html`${earlyBills.map((bill) => html`<span>${earlyBill(bill, view)}</span><br>`)}`,
    csv: ({ earlyBills }) =>
      earlyBills.map(({ state, reason, invoiceId }) => invoiceId ?? reason ?? state).join(' '),
  };
}

function earlyBill(bill: ToldEarlyBill, view: ConsoleView): Html | string {
  const { invoiceId, invoiceNumber, totalMinor, currency, problem } = bill;
  if (invoiceId === null)
    return html`${earlyBillInWords(bill)}${problem === null ? '' : html` (${nameCell(problem, 200)})`}`;
  const path = `/console/invoices/${encodeURIComponent(invoiceId)}`;
  const name = nameCell(invoiceNumber ?? invoiceId, 40);
  const total =
    totalMinor === null || currency === null
      ? ''
      : `, ${formatMinor(totalMinor, currency)} ${currency.toUpperCase()}`;
  return html`${view.hasPage('/console/invoices/:invoiceId') ? html`<a href="${path}">${name}</a>` : name}${total}`;
}
