import { sql } from 'kysely';
import { windowAt } from '../../pricing/budgets/windows.ts';
import {
  type ReplayedBill,
  type ReplayedHolder,
  type ReplayedHour,
  replay,
} from '../../pricing/enforcement/dry-run.ts';
import { readEventPrices } from '../anomalies/event-prices.ts';
import { type Budget, getBudget } from '../budgets/budgets.ts';
import { addMs, HOUR_MS, readMonth, type TimeWindow } from '../platform/clock.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';
import { ValidationError } from '../platform/errors.ts';
import { readPriceBook } from '../prices/book.ts';
import { sumTypedFigures, tokenParts } from '../usage/columns.ts';

export interface DryRun {
  budget: Budget;
  window: TimeWindow;
  holders: ReplayedHolder[];
  /** Tokens without a price cost nothing here, and would have been held back all the same. */
  unpricedTokenCount: bigint;
  /** What its steps would have billed early, with what that sells for; null: no revenue is known of it. */
  bills: (ReplayedBill & { revenue: { currency: string; amountPicoMinor: bigint } | null })[];
}

/**
 * What a budget would have stopped and slowed down in a time that is over, as though it had stood then.
 * @param stopAtPermille as though it stopped there, too
 * @throws TallystickError NOT_FOUND; ValidationError for what cannot be replayed by the hour
 */
export async function runDry(
  snapshot: LedgerSnapshot,
  {
    budgetId,
    window,
    stopAtPermille,
  }: { budgetId: string; window: TimeWindow; stopAtPermille: number | null },
): Promise<DryRun> {
  const budget = await getBudget(snapshot, budgetId);
  const { period, rollingDayCount, measure, limit, steps } = budget;
  if (measure === 'revenue' || (measure === 'cost' && budget.currency !== 'usd')) {
    throw new ValidationError(
      'budgetId',
      'is of revenue, or of another currency than costs',
      'Replay a budget of cost in usd, tokens or calls.',
    );
  }
  const begun = windowAt({ period, rollingDayCount }, window.start, null);
  if (begun === null) {
    throw new ValidationError('budgetId', 'is of a billing period', 'Replay one of a month or of days.');
  }
  const { hours, unpricedTokenCount } = await readHours(snapshot, budget, {
    start: begun.start,
    end: window.end,
  });
  const more = { sharePermille: stopAtPermille ?? 0, on: 'actual' as const, action: 'stop' as const };
  const ladder = stopAtPermille === null ? steps : [...steps, more];
  const terms = { period, rollingDayCount, measure, limit, steps: ladder };
  const holders = replay(hours, terms, window.start);
  const bills = await withRevenues(
    snapshot,
    budget,
    holders.flatMap((holder) => holder.bills),
  );
  return { budget, window, holders, unpricedTokenCount, bills };
}

async function withRevenues(
  snapshot: LedgerSnapshot,
  { customerId }: Budget,
  bills: readonly ReplayedBill[],
): Promise<DryRun['bills']> {
  if (bills.length === 0 || customerId === null) return [];
  const { rows } = await sql<{ place: number; currency: string; amount: string }>`
    with bill as (
      select place::int, since, until from unnest(${bills.map(({ since }) => since.toISOString())}::timestamptz[],
        ${bills.map(({ at }) => at.toISOString())}::timestamptz[]) with ordinality as told(since, until, place)),
    events as materialized (
      select bill.place, date_trunc('month', event.window_start at time zone 'UTC')::date as month, event.model, event.feature,
        event.counted_formerly, false as may_disagree, ${sumTypedFigures('event')}
      from bill join usage_events as event on event.window_start >= bill.since and event.window_start < bill.until
      join subjects using (subject)
      where event.kind = 'usage' and subjects.customer_id = ${customerId} group by 1, 2, 3, 4, 5),
    parts as (select place, month, model, feature, part.token_type, part.tokens from events as event, ${tokenParts('event')})
    select place, currency, sum(tokens * unit_pico_minor)::text as amount
    from parts join monthly_revenues as revenue using (month, model, feature, token_type)
    where revenue.customer_id = ${customerId} and unit_pico_minor is not null group by 1, 2 order by 1, 2`.execute(
    snapshot,
  );
  return bills.map((bill, index) => {
    const row = rows.find(({ place }) => place === index + 1);
    return {
      ...bill,
      revenue: row === undefined ? null : { currency: row.currency, amountPicoMinor: BigInt(row.amount) },
    };
  });
}

/** A month that is over, or the last that is. @throws ValidationError */
export function readOverMonth(period: string | undefined, now: Date): TimeWindow {
  const thisMonth = readMonth(now.toISOString().slice(0, 7));
  const last = addMs(thisMonth?.start ?? now, -1)
    .toISOString()
    .slice(0, 7);
  const window = readMonth(period ?? last);
  if (window === null) throw new ValidationError('period', 'is no month', 'Name one such as 2026-10.');
  if (window.end > now) throw new ValidationError('period', 'is not over', 'Name a month that is.');
  return window;
}

async function readHours(
  snapshot: LedgerSnapshot,
  { customerId, subject, feature, perUser }: Budget,
  { start, end }: TimeWindow,
): Promise<{ hours: ReplayedHour[]; unpricedTokenCount: bigint }> {
  const count = Math.ceil((end.getTime() - start.getTime()) / HOUR_MS);
  const prices = await readEventPrices(snapshot, {
    hours: Array.from({ length: count }, (_, place) => addMs(start, place * HOUR_MS)),
    customerId,
    book: await readPriceBook(snapshot),
  });
  const { rows } = await sql<{
    hour: Date;
    customerId: string;
    subject: string;
    cost: string;
    unpriced: string;
    tokens: string;
    calls: string;
  }>`
    with priced as materialized (${prices}),
    events as materialized (
      select event.window_start, ${perUser ? sql`coalesce(subjects.customer_id, '')` : sql`''::text`} as customer_id,
        ${perUser ? sql`event.subject` : sql`''::text`} as subject, event.model, event.deployment, event.counted_formerly,
        false as may_disagree, ${sumTypedFigures('event')}, sum(event.request_count) as request_count
      from usage_events as event left join subjects using (subject)
      where event.window_start >= ${start} and event.window_start < ${end} and event.kind = 'usage'
        and ${customerId === null ? sql`true` : sql`subjects.customer_id = ${customerId}`}
        and ${subject === null ? sql`true` : sql`event.subject = ${subject}`}
        and ${feature === null ? sql`true` : sql`event.feature = ${feature}`}
      group by 1, 2, 3, 4, 5, 6, 7),
    parts as (
      select window_start, customer_id, subject, model, deployment, part.token_type, part.tokens
      from events as event, ${tokenParts('event')}),
    costs as (
      select part.window_start, part.customer_id, part.subject, sum(part.tokens) as tokens,
        coalesce(sum(part.tokens * pico_usd), 0) as cost,
        coalesce(sum(part.tokens) filter (where pico_usd is null), 0) as unpriced
      from parts as part
      left join priced on priced.model = part.model and priced.deployment = part.deployment
        and priced.token_type = part.token_type and part.window_start >= starts_at and part.window_start < ends_at
      group by 1, 2, 3),
    calls as (select window_start, customer_id, subject, sum(request_count) as calls from events group by 1, 2, 3)
    select window_start as hour, customer_id as "customerId", subject, cost::text, unpriced::text, tokens::text, calls::text
    from costs join calls using (window_start, customer_id, subject) order by window_start, customer_id, subject`.execute(
    snapshot,
  );
  return {
    hours: rows.map(({ cost, tokens, calls, unpriced: _, ...row }) => ({
      ...row,
      costPicoUsd: BigInt(cost),
      tokenCount: BigInt(tokens),
      callCount: BigInt(calls),
    })),
    unpricedTokenCount: rows.reduce((sum, { unpriced }) => sum + BigInt(unpriced), 0n),
  };
}
