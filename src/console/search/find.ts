import { sql } from 'kysely';
import { holding } from '../../platform/database/like-pattern.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';

export const FOUND_KINDS = ['customer', 'feature', 'invoice', 'quote'] as const;

export interface Found {
  kind: (typeof FOUND_KINDS)[number];
  id: string;
  name: string;
  /** What tells it from its like, such as the customer of an invoice. */
  note: string | null;
}

const PER_KIND = 20;

/** Whatever holds the text in its id or its name, the best of each kind first: what begins with it, then by name. */
export async function findEverywhere(snapshot: LedgerSnapshot, text: string): Promise<Found[]> {
  const part = holding(text);
  const { rows } = await sql<Found>`
    with found as (
      select 'customer' as kind, customer_id as id, coalesce(name, customer_id) as name, currency as note from customers
        where deleted_at is null and (customer_id ilike ${part} or name ilike ${part} or stripe_customer_id ilike ${part})
      union all
      select 'feature', feature, feature, null from (select distinct feature from daily_costs) as features where feature ilike ${part}
      union all
      select 'invoice', invoice_id, coalesce(number, invoice_id), customer_id from invoices
        where invoice_id ilike ${part} or number ilike ${part}
      union all
      select 'quote', quote_id, coalesce(title, quote_id), prepared_for from (
        select quote_id, request::jsonb ->> 'title' as title, request::jsonb ->> 'preparedFor' as prepared_for from quotes) as quotes
        where quote_id ilike ${part} or title ilike ${part} or prepared_for ilike ${part})
    select kind, id, name, note from (
      select found.*, row_number() over (partition by kind order by starts_with(lower(name), lower(${text})) desc, name, id) as place from found) as placed
    where place <= ${PER_KIND} order by kind, place`.execute(snapshot);
  return rows;
}
