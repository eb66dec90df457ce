import { html } from 'hono/html';
import { formatAmount } from '../../../pricing/budgets/amounts.ts';
import type { Budget } from '../../budgets/budgets.ts';
import type { Html } from '../../pages/html.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { seenField } from '../invoices/seen.ts';
import { budgetSeen } from './acts.ts';

/** What may be done with a budget that is not ended. */
export function budgetForms(
  budget: Budget,
  { address: { path }, formField, typed }: ConsoleView,
): Html | string {
  if (budget.endedAt !== null) return '';
  const seen = seenField(budgetSeen(budget));
  const unit = budget.currency?.toUpperCase() ?? budget.measure;
  return html`<section class="panel" id="acts"><h2>Change it</h2>
<p class="muted">Kept in the audit log with your name. Steps are judged anew within a minute: what is reached no longer is withdrawn, once.</p>
<form class="fields" method="post" action="${path}/change">${formField}${seen}
<label><span>Limit, ${unit}</span><input name="limit" inputmode="decimal" maxlength="40" value="${typed?.get('limit') ?? formatAmount(budget.limit, budget.measure)}" required></label>
<div class="acts"><button>Change the limit</button></div></form>
<form class="fields" method="post" action="${path}/grace">${formField}${seen}
<label><span>More until this window ends, ${unit}</span><input name="extra" inputmode="decimal" maxlength="40" value="${typed?.get('extra') ?? ''}" required></label>
<label><span>Why</span><textarea name="reason" maxlength="2000" required>${typed?.get('reason') ?? ''}</textarea><small>Once in a window.</small></label>
<div class="acts"><button class="quiet">Grant it</button></div></form>
<form class="fields" method="post" action="${path}/end">${formField}${seen}
<div class="acts"><button class="danger">End it: nothing is judged by it any more</button></div></form></section>`;
}
