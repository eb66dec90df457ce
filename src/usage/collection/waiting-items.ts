import { sql } from 'kysely';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { assignments, type RowFields, textField, unnestRows } from '../../platform/database/unnest-rows.ts';
import { addMeasurements } from './measured-figures.ts';
import { ITEM_FIELDS, ITEM_KEY, isOfDaysOf, type SourceItem } from './source-items.ts';

const TOLD_FIELDS: RowFields<SourceItem> = {
  ...ITEM_FIELDS,
  usage_event_id: textField((item) => item.usageEventId),
};
/** What an item says, beside what it is known by. */
const TOLD_COLUMNS = Object.keys(TOLD_FIELDS).filter((column) => !ITEM_KEY.includes(column));

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
    update source_items s set ${assignments(TOLD_COLUMNS, 'told')}, quarantine_reason = null,
      quarantine_detail = null, raw = null
    from ${unnestRows('told', items, TOLD_FIELDS)}
    where ${isOfDaysOf(items)} and s.event_day = told.event_day and s.source_item_id = told.source_item_id and s.metric_name = told.metric_name
      and s.quarantine_reason is not null and s.written_off_at is null`.execute(transaction);
  const itemCount = Number(updated.numAffectedRows ?? 0n);
  // Items that were taken up before abort the transaction: what is added here is of those that were not.
  await addMeasurements(transaction, items);
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
