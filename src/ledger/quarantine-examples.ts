import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';
import { type QuarantineSummary, REFUSED_BY_STRIPE } from './status.ts';

export interface QuarantineExample {
  stage: QuarantineSummary['stage'];
  reason: string;
  eventTime: Date | null;
  subject: string;
  feature: string;
  model: string;
  tokenCount: bigint;
}

/** The newest few rows that wait for each stage and reason, to show a person what they are. */
export async function readQuarantineExamples(
  database: LedgerDatabase,
  countPerReason: number,
): Promise<QuarantineExample[]> {
  const result = await sql<{
    stage: QuarantineSummary['stage'];
    reason: string;
    event_time: Date | null;
    subject: string;
    feature: string;
    model: string;
    token_count: bigint;
  }>`
    select stage, reason, event_time, subject, feature, model, token_count
      from (
        select waiting.*, row_number() over (
                 partition by stage, reason order by event_time desc nulls last, subject, model, token_count desc
               ) as place
          from (
            select 'source_item' as stage, quarantine_reason as reason, event_time, subject, feature, model,
                   token_count
              from source_items where quarantine_reason is not null
            union all
            select 'usage_event', quarantine_reason, event_time, subject, feature, model,
                   prompt_token_count + completion_token_count
              from usage_events where status = 'quarantined' and kind = 'usage'
            union all
            select 'hourly_usage', quarantine_reason, window_start, subject, feature, model, delta_token_count
              from hourly_usage where quarantine_reason is not null
            union all
            select 'meter_push', ${REFUSED_BY_STRIPE}, usage.window_start, usage.subject, usage.feature, usage.model,
                   usage.delta_token_count
              from meter_pushes as push join hourly_usage as usage on usage.meter_push_id = push.meter_push_id
             where push.status = 'refused'
          ) as waiting
      ) as numbered
     where place <= ${countPerReason}
     order by stage, reason, place`.execute(database);
  return result.rows.map((row) => ({
    stage: row.stage,
    reason: row.reason,
    eventTime: row.event_time,
    subject: row.subject,
    feature: row.feature,
    model: row.model,
    tokenCount: row.token_count,
  }));
}
