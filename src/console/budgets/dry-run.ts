import { html } from 'hono/html';
import type { Budget } from '../../budgets/budgets.ts';
import { readOverMonth, runDry } from '../../enforcement/dry-run.ts';
import { type DryRunBody, showDryRun } from '../../enforcement/schemas.ts';
import { addressWith } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell, moneyCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits, moneyInWords, monthInWords, twoDecimals } from '../../pages/words.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { ValidationError } from '../../platform/errors.ts';
import type { ConsoleView } from '../frame/define-page.ts';

/** What was asked for, or why it cannot be told. */
export type AskedDryRun = { told: DryRunBody; problem: null } | { told: null; problem: string };

/** The month that the address asks for, `?dry-run=2026-10`, played through the budget; null: nothing is asked. */
export async function gatherDryRun(
  snapshot: LedgerSnapshot,
  { budgetId }: Budget,
  { address: { query }, now }: ConsoleView,
): Promise<AskedDryRun | null> {
  const period = query.get('dry-run');
  if (period === null) return null;
  try {
    const window = readOverMonth(period, now);
    const stopAtPermille = query.has('stop') ? 1_000 : null;
    return { told: showDryRun(await runDry(snapshot, { budgetId, window, stopAtPermille })), problem: null };
  } catch (error) {
    if (error instanceof ValidationError)
      return { told: null, problem: `${error.message.replace(/^\w+: /, 'it ')}. ${error.fix ?? ''}` };
    throw error;
  }
}

/** The links that ask, and below them the answer. */
export function drawDryRun(budget: Budget, asked: AskedDryRun | null, { address, now }: ConsoleView): Html {
  const last = readOverMonth(undefined, now).start;
  const link = (words: string, stop: string | null) =>
    html`<a href="${addressWith(address, { 'dry-run': last.toISOString().slice(0, 7), stop, csv: null })}#dry">${words}</a>`;
  const holdsBack = budget.steps.some(({ action }) => ['slow', 'stop', 'bill'].includes(action));
  return html`<section id="dry"><h2>Had it stood before</h2>
<p class="links">${holdsBack ? link(`${monthInWords(last)}, by its steps`, null) : ''} ${link(`${monthInWords(last)}, stopped at all of the limit`, '1')}</p>
${asked === null ? '' : answer(asked, address.query.has('stop'), address)}</section>`;
}

function answer({ told, problem }: AskedDryRun, isStopped: boolean, address: ConsoleView['address']): Html {
  if (told === null) return html`<p class="notice warn">It cannot be told: ${problem}</p>`;
  const { from, saved, used, holders, heldHolderCount, holderCount, unpricedTokenCount, bills } = told;
  const usd = (amount: string) => moneyInWords(twoDecimals(amount), 'usd');
  const cut = holders.length < Number(heldHolderCount);
  return html`<p>In ${monthInWords(new Date(from))}, ${isStopped ? 'stopped at all of the limit' : 'by its steps'}, it would have saved ${usd(saved)} of ${usd(used.cost)} of cost, had nobody tried again.</p>
${dataTable(dryRunTable(), holders, address)}
${bills.map(({ at, sharePermille, used: its, amount, currency }) => html`<p>At ${instantCell(new Date(at))}, ${sharePermille / 10} %, ${groupDigits(its.tokenCount)} tokens would have been invoiced early${amount === null || currency === null ? '' : html`: ${moneyInWords(twoDecimals(amount), currency)}`}.</p>`)}
${cut ? html`<p class="muted">${holders.length} of ${groupDigits(heldHolderCount)} that would have been held back, of ${groupDigits(holderCount)}.</p>` : ''}
${unpricedTokenCount === '0' ? '' : html`<p class="muted">${groupDigits(unpricedTokenCount)} tokens without a price cost nothing here.</p>`}`;
}

type Held = DryRunBody['holders'][number];

export function dryRunTable(): TableDefinition<Held> {
  const since = (instant: string | null) => instantCell(instant === null ? null : new Date(instant));
  return {
    name: 'dry-run',
    caption: 'Who would have been held back',
    empty: 'Nobody would have been stopped or slowed down.',
    columns: [
      {
        name: 'user',
        title: 'Who',
        kind: 'text',
        isRowHeader: true,
        cell: ({ subject, customerId }) =>
          subject === null
            ? 'all of whom it is'
            : html`${nameCell(subject, 40)}${customerId === null ? '' : html` of ${nameCell(customerId, 40)}`}`,
        csv: ({ subject }) => subject,
      },
      {
        name: 'stoppedSince',
        title: 'Stopped since',
        kind: 'text',
        cell: ({ firstStoppedAt }) => since(firstStoppedAt),
        csv: ({ firstStoppedAt }) => firstStoppedAt,
      },
      {
        name: 'stoppedCalls',
        title: 'Calls stopped',
        kind: 'number',
        cell: ({ stopped }) => groupDigits(stopped.callCount),
        csv: ({ stopped }) => stopped.callCount,
      },
      {
        name: 'stoppedCost',
        title: 'Their cost',
        kind: 'number',
        cell: ({ stopped }) => moneyCell(stopped.cost, 'usd'),
        csv: ({ stopped }) => stopped.cost,
      },
      {
        name: 'slowedSince',
        title: 'Slowed since',
        kind: 'text',
        cell: ({ firstSlowedAt }) => since(firstSlowedAt),
        csv: ({ firstSlowedAt }) => firstSlowedAt,
      },
      {
        name: 'slowedCost',
        title: 'Cost beyond the rate',
        kind: 'number',
        cell: ({ slowed }) => moneyCell(slowed.cost, 'usd'),
        csv: ({ slowed }) => slowed.cost,
      },
      {
        name: 'usedCost',
        title: 'Of all its cost',
        kind: 'number',
        cell: ({ used }) => moneyCell(used.cost, 'usd'),
        csv: ({ used }) => used.cost,
      },
    ],
  };
}
