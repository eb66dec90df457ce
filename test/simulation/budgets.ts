import { sql } from 'kysely';
import { createBudget } from '../../src/budgets/desk.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { countedTokens } from '../../src/usage/columns.ts';
import { budgetTerms } from '../budgets/terms.ts';
import type { World } from './world.ts';

const TERMS = budgetTerms({
  scope: 'all',
  customerId: null,
  limit: 50_000n,
  steps: [
    { sharePermille: 500, on: 'actual', action: 'tell' },
    { sharePermille: 1_000, on: 'actual', action: 'stop' },
  ],
});

/** A budget of everything, and one of each user for a day. */
export async function createBudgets(ledger: LedgerDatabase, now: Date): Promise<void> {
  const by = { actor: 'simulation', now };
  await createBudget(ledger, { ...TERMS, name: 'everything' }, by);
  await createBudget(
    ledger,
    { ...TERMS, name: 'each user', perUser: true, period: 'day', limit: 2_000n },
    by,
  );
}

/** Budgets hold every collected token once, say of each window what its hours come to, and told of each step once. */
export async function checkBudgets({ witness }: World, ledger: LedgerDatabase): Promise<void> {
  const sums = await sql<{ name: string; summed: string; collected: string }>`
    select name,
      (select coalesce(sum(amount), 0) from budget_hours as hour where hour.budget_id = budgets.budget_id)::text as summed,
      (select coalesce(sum(${countedTokens('event')}), 0) from usage_events as event
       where event.kind = 'usage' and event.window_start >= budgets.summed_from)::text as collected
    from budgets order by name`.execute(ledger);
  for (const { name, summed, collected } of sums.rows) {
    if (summed !== collected)
      witness.report(`budget ${name} sums ${summed} of ${collected} collected tokens`);
  }
  const odd = await sql<{ what: string }>`
    select 'a window says ' || used || ' of ' || coalesce(hours, 0) as what
    from budget_windows as kept join budgets using (budget_id)
    left join lateral (
      select sum(amount) as hours from budget_hours as hour
      where hour.budget_id = kept.budget_id and hour.customer_id = kept.customer_id and hour.subject = kept.subject
        and hour.window_start >= kept.window_start and hour.window_start < kept.window_end) as summed on true
    where kept.window_start >= summed_from and used <> coalesce(hours, 0)
    union all
    select 'a step told of at ' || event.used || ' of ' || event.effective_limit || ' stands in a window of ' || kept.used
    from budget_step_events as event join budget_windows as kept using (budget_id, customer_id, subject, window_start)
    where withdrawn_at is null and kept.used * 1000 < kept.effective_limit * (step ->> 'sharePermille')::int
    union all
    select action || ' is in the audit log ' || told || ' times and happened ' || happened || ' times'
    from (select action, count(*) as told from audit_log where action in ('budgets.reach', 'budgets.withdraw') group by 1) as audits
    join (select 'budgets.reach' as action, count(*) as happened from budget_step_events
          union all select 'budgets.withdraw', count(*) from budget_step_events where withdrawn_at is not null) as facts
      using (action)
    where told <> happened`.execute(ledger);
  for (const { what } of odd.rows) witness.report(what);
}
