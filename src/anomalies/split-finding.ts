import { sql } from 'kysely';
import type { LedgerTransaction } from '../platform/database/database.ts';

/**
 * What a person is told of begins with the hours that speak for it. Where a finding that needed nobody has others beside them,
 * these hours leave it for a finding of their own.
 * @returns the finding of these hours; null: they stay where they are
 */
export async function splitFinding(
  transaction: LedgerTransaction,
  { findingId, hours, now }: { findingId: bigint; hours: readonly Date[]; now: Date },
): Promise<bigint | null> {
  const id = sql`${String(findingId)}::bigint`;
  const ofRun = sql`any(${hours.map((hour) => hour.toISOString())}::timestamptz[])`;
  const opened = await sql<{ id: bigint }>`
    insert into anomaly_findings (customer_id, first_hour, last_hour, state, cost_pico_usd, usual_pico_usd, excess_pico_usd,
      day_ahead_pico_usd, is_above_sigma, opened_at, changed_at)
    select customer_id, ${hours[0]}, ${hours.at(-1)}, 'open', 0, 0, 0, 0, false, ${now}, ${now} from anomaly_findings
    where anomaly_finding_id = ${id} and raised_at is null and exists (
      select from anomaly_finding_hours as kept where kept.anomaly_finding_id = ${id} and kept.window_start <> all(${hours.map((hour) => hour.toISOString())}::timestamptz[]))
    returning anomaly_finding_id as id`.execute(transaction);
  const [own] = opened.rows;
  if (own === undefined) return null;
  await sql`
    update anomaly_finding_hours set anomaly_finding_id = ${String(own.id)}::bigint
    where anomaly_finding_id = ${id} and window_start = ${ofRun}`.execute(transaction);
  // What these hours said of the finding is not said of what is left.
  await sql`
    update anomaly_findings as finding set shape = null, explanations = '{}', moved = '[]', score = null, day_ahead_pico_usd = 0
    where anomaly_finding_id = ${id} and not exists (
      select from anomaly_finding_hours as kept where kept.anomaly_finding_id = ${id} and kept.moved <> '')`.execute(
    transaction,
  );
  return own.id;
}
