import { sql } from 'kysely';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { type SourceItem, toJson } from './source-items.ts';

/**
 * Takes items out of quarantine: the source has told them again, and now they are sound. What they say now
 * replaces what they said then; each feeds the usage event named on it. An item that somebody else took up or
 * wrote off in the meantime is left alone. Audited.
 * @returns how many were taken up
 */
export async function takeUpItems(
  transaction: LedgerTransaction,
  items: readonly SourceItem[],
  now: Date,
): Promise<number> {
  if (items.length === 0) return 0;
  const updated = await sql`
    update source_items s set event_time = told.event_time, ingested_at = told.ingested_at, subject = told.subject,
      tenant_key = told.tenant_key, feature = told.feature, model = told.model, deployment = told.deployment,
      token_kind = told.token_kind, token_count = told.token_count, request_count = told.request_count,
      usage_event_id = told.usage_event_id, request_facts = told.request_facts, quarantine_reason = null, raw = null
    from unnest(
      ${items.map((item) => item.eventDay)}::date[],
      ${items.map((item) => item.row.sourceItemId)}::text[],
      ${items.map((item) => item.row.metricName)}::text[],
      ${items.map((item) => item.row.eventTime?.toISOString() ?? null)}::timestamptz[],
      ${items.map((item) => item.row.ingestedAt.toISOString())}::timestamptz[],
      ${items.map((item) => item.row.subject)}::text[],
      ${items.map((item) => item.row.tenantKey)}::text[],
      ${items.map((item) => item.row.feature)}::text[],
      ${items.map((item) => item.row.model)}::text[],
      ${items.map((item) => item.row.deployment)}::text[],
      ${items.map((item) => item.tokenKind)}::text[],
      ${items.map((item) => String(item.tokenCount))}::bigint[],
      ${items.map((item) => String(item.requestCount))}::bigint[],
      ${items.map((item) => item.usageEventId)}::text[],
      ${items.map(({ row }) => (row.request === undefined ? null : toJson(row.request)))}::jsonb[])
      as told(event_day, source_item_id, metric_name, event_time, ingested_at, subject, tenant_key, feature, model,
        deployment, token_kind, token_count, request_count, usage_event_id, request_facts)
    where s.event_day = told.event_day and s.source_item_id = told.source_item_id and s.metric_name = told.metric_name
      and s.quarantine_reason is not null and s.written_off_at is null`.execute(transaction);
  const itemCount = Number(updated.numAffectedRows ?? 0n);
  if (itemCount > 0) {
    await writeAudit(transaction, {
      actor: 'job:take-up-items',
      action: 'quarantine.take_up',
      target: 'source_items',
      details: { item_count: itemCount },
      now,
    });
  }
  return itemCount;
}
