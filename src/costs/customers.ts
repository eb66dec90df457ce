import { sql } from 'kysely';

/**
 * Whose a row of `hourly_usage as usage left join subjects` is: of the customer it was pushed to, or, until then, of
 * the customer its subject belongs to now. What decides it notes the day as due: see migration 0015.
 */
export const CUSTOMER_OF_COST = sql<string | null>`
  case when usage.meter_push_id is null and usage.uninvoiced_id is null then subjects.customer_id else usage.customer_id end`;
