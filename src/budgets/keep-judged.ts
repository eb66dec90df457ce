import { sql } from 'kysely';
import { type BudgetStep, stepKey } from '../../pricing/budgets/budget.ts';
import { type AuditEntry, writeAudits } from '../platform/database/audit.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import {
  bigintField,
  fieldOf,
  instantField,
  namesOf,
  type RowFields,
  textField,
  unnestRows,
} from '../platform/database/unnest-rows.ts';
import type { JudgedHolder } from './judge-holders.ts';

const JOB = 'job:judge-budgets';

const numeric = <Row>(pick: (row: Row) => bigint | null) =>
  fieldOf<Row>('numeric', (row) => pick(row)?.toString() ?? null);

const HOLDER: RowFields<JudgedHolder> = {
  budget_id: textField(({ budgetId }) => budgetId),
  customer_id: textField(({ customerId }) => customerId),
  subject: textField(({ subject }) => subject),
  window_start: instantField(({ window }) => window.start),
  window_end: instantField(({ window }) => window.end),
  used: numeric(({ standing }) => standing.used),
  effective_limit: numeric(({ standing }) => standing.effectiveLimit),
  forecast: numeric(({ standing }) => standing.forecast),
};
const WINDOW: RowFields<JudgedHolder> = {
  ...HOLDER,
  unpriced_token_count: bigintField(({ unpricedTokenCount }) => unpricedTokenCount),
  unknown_reason: textField(({ unknownReason }) => unknownReason),
  forecast_reason: textField(({ forecastReason }) => forecastReason),
  hourly_rate: numeric(({ hourlyRate }) => hourlyRate),
};

/** An operator's word on a step; both null: there is none. */
interface Lift {
  liftedUntil: Date | null;
  liftedBy: string | null;
}
const NO_LIFT: Lift = { liftedUntil: null, liftedBy: null };

type Reached = JudgedHolder & { step: BudgetStep } & Lift;
const REACHED: RowFields<Reached> = {
  ...HOLDER,
  step_key: textField(({ step }) => stepKey(step)),
  step: fieldOf('jsonb', ({ step }) => JSON.stringify(step)),
};
const LIFTED: RowFields<Reached> = {
  ...REACHED,
  lifted_until: instantField(({ liftedUntil }) => liftedUntil),
  lifted_by: textField(({ liftedBy }) => liftedBy),
};

/** Keeps what was judged: where holders stand, steps that were reached or are withdrawn, each with an audit row. */
export async function keepJudged(
  transaction: LedgerTransaction,
  judged: readonly JudgedHolder[],
  { knownUntil, now }: { knownUntil: Date | null; now: Date },
): Promise<void> {
  if (judged.length === 0) return;
  await sql`
    insert into budget_windows as known (${namesOf(WINDOW)}, known_until, judged_at)
    select ${namesOf(WINDOW)}, ${knownUntil}::timestamptz, ${now}::timestamptz from ${unnestRows('told', judged, WINDOW)}
    on conflict (budget_id, customer_id, subject, window_start) do update
      set window_end = excluded.window_end, used = excluded.used, effective_limit = excluded.effective_limit,
        unpriced_token_count = excluded.unpriced_token_count, unknown_reason = excluded.unknown_reason,
        forecast = excluded.forecast, forecast_reason = excluded.forecast_reason, hourly_rate = excluded.hourly_rate,
        known_until = excluded.known_until, judged_at = excluded.judged_at`.execute(transaction);
  const withdrawn = judged.flatMap((holder) => holder.steps.withdrawn.map((step) => ({ ...step, holder })));
  const reached = await readLifts(
    transaction,
    judged.flatMap((holder) => holder.steps.reached.map((step) => ({ ...holder, ...NO_LIFT, step }))),
    now,
  );
  if (withdrawn.length > 0) {
    await sql`
      update budget_step_events as event set withdrawn_at = ${now}, withdrawn_reason = told.reason
      from unnest(${withdrawn.map(({ stepEventId }) => String(stepEventId))}::bigint[],
        ${withdrawn.map(({ reason }) => reason)}::text[]) as told(id, reason)
      where event.budget_step_event_id = told.id and event.withdrawn_at is null`.execute(transaction);
  }
  await carryOn(transaction, judged);
  if (reached.length > 0) {
    await sql`
      insert into budget_step_events (${namesOf(LIFTED)}, reached_at, known_until)
      select ${namesOf(LIFTED)}, ${now}::timestamptz, ${knownUntil}::timestamptz
      from ${unnestRows('told', reached, LIFTED)}
      on conflict (budget_id, customer_id, subject, window_start, step_key) where withdrawn_at is null do nothing`.execute(
      transaction,
    );
  }
  await writeAudits(transaction, [
    ...reached.map((holder) => {
      const { step, liftedUntil, liftedBy } = holder;
      const lift =
        liftedUntil === null ? {} : { lifted_until: liftedUntil.toISOString(), lifted_by: liftedBy };
      return auditOf(holder, 'budgets.reach', { step, ...lift }, now);
    }),
    ...withdrawn.map(({ holder, stepEventId, reason }) =>
      auditOf(holder, 'budgets.withdraw', { step_event: String(stepEventId), reason }, now),
    ),
  ]);
}

/** With the lift that each step had when it was withdrawn in this window, while that lasts: it was given for a time. */
async function readLifts(
  transaction: LedgerTransaction,
  reached: readonly Reached[],
  now: Date,
): Promise<Reached[]> {
  if (reached.length === 0) return [];
  const placed = reached.map((holder, place) => ({ ...holder, place }));
  const { rows } = await sql<Lift & { place: number }>`
    select distinct on (place) place, lifted_until as "liftedUntil", lifted_by as "liftedBy"
    from ${unnestRows('told', placed, { ...REACHED, place: fieldOf('int', ({ place }) => place) })}
    join budget_step_events as event using (budget_id, customer_id, subject, step_key)
    where event.withdrawn_at is not null and event.window_start < told.window_end and event.window_end > told.window_start
    order by place, budget_step_event_id desc`.execute(transaction);
  const lifts = new Map(rows.map(({ place, ...lift }) => [place, lift]));
  return reached.map((holder, place) => {
    const lift = lifts.get(place) ?? NO_LIFT;
    return lift.liftedUntil !== null && lift.liftedUntil > now ? { ...holder, ...lift } : holder;
  });
}

/** What stands says what its step is now, and of a window that rolls, how long it stands. */
async function carryOn(transaction: LedgerTransaction, judged: readonly JudgedHolder[]): Promise<void> {
  const running = judged.filter(({ isOver }) => !isOver);
  const steps = [...new Map(running.map(({ budgetId, budget }) => [budgetId, budget])).values()].flatMap(
    ({ budgetId, steps }) => steps.map((step) => ({ budgetId, step })),
  );
  if (steps.length === 0) return;
  await sql`
    update budget_step_events as event set step = told.step
    from unnest(${steps.map(({ budgetId }) => budgetId)}::text[], ${steps.map(({ step }) => stepKey(step))}::text[],
      ${steps.map(({ step }) => JSON.stringify(step))}::jsonb[]) as told(budget_id, step_key, step)
    where (event.budget_id, event.step_key) = (told.budget_id, told.step_key) and withdrawn_at is null
      and event.step is distinct from told.step`.execute(transaction);
  await sql`
    update budget_step_events as event set window_end = told.window_end
    from ${unnestRows('told', running, HOLDER)}
    where (event.budget_id, event.customer_id, event.subject) = (told.budget_id, told.customer_id, told.subject)
      and withdrawn_at is null and event.window_end > told.window_start and event.window_start < told.window_end
      and event.window_end <> told.window_end`.execute(transaction);
}

function auditOf(
  { budget, customerId, subject, window, standing }: JudgedHolder,
  action: string,
  details: Record<string, unknown>,
  now: Date,
): AuditEntry {
  const owner = customerId === '' ? budget.customerId : customerId;
  return {
    actor: JOB,
    action,
    target: budget.budgetId,
    details: {
      ...(owner === null ? {} : { customer_id: owner }),
      ...(subject === '' ? {} : { subject }),
      window_start: window.start.toISOString(),
      used: String(standing.used),
      effective_limit: String(standing.effectiveLimit),
      ...details,
    },
    now,
  };
}
