import { sql } from 'kysely';
import {
  addMinutes,
  FIGURE_BY_KIND,
  findPartFault,
  HELD_REASONS,
  sumMinute,
} from '../../pricing/usage/minutes.ts';
import { countedKey } from '../../pricing/usage/names.ts';
import { COUNTED_FIGURES, keyOf, type UsageKey, usageKeyText } from '../../pricing/usage/shape.ts';
import { floorToMinute } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { ValidationError } from '../platform/errors.ts';
import { readHeldItems } from '../usage/collection/held-items.ts';
import { selectKey } from '../usage/columns.ts';
import { readMinuteSums, sumSpellings } from '../usage/events/minute-sums.ts';
import { audit, getWaitingEntry, resolvedMeanwhile } from './desk.ts';
import type { QuarantineEntry } from './entries.ts';

/** Whether the minute of an entry can be taken as it was told. */
export function isAcceptable({ stage, reason }: Pick<QuarantineEntry, 'stage' | 'reason'>): boolean {
  return stage === 'source_item' && (HELD_REASONS as readonly string[]).includes(reason);
}

/**
 * Takes the minute of an entry as it was told, for when the row that is missing never comes: its parts are billed by the rule
 * of the model's maker, whatever its total says. All that waits of this minute and key, with one audit row in the same
 * transaction; the next synchronization takes it up.
 * @returns the entry, and how many rows and tokens of the minute are taken
 * @throws ValidationError when it waits for another reason, or parts are more than their whole: nobody can say then what to
 *   bill, and only a rule (MODEL_PROVIDERS) or the missing row cures it
 * @throws TallystickError NOT_FOUND, CONFLICT
 */
export async function acceptEntry(
  database: LedgerDatabase,
  given: { quarantineId: string; reason: string; actor: string; now: Date },
): Promise<{ entry: QuarantineEntry; rowCount: number; tokenCount: bigint }> {
  const reason = given.reason.trim();
  if (reason === '')
    throw new ValidationError('reason', 'is missing', 'Say why the minute is taken as told.');
  const entry = await getWaitingEntry(database, given.quarantineId);
  if (!isAcceptable(entry)) {
    throw new ValidationError(
      'id',
      `waits because of ${entry.reason}, which is nothing to accept`,
      'Retry it when its cause is gone, or write it off.',
    );
  }
  return await database.transaction().execute(async (transaction) => {
    const [row] = (
      await sql<UsageKey & { eventDay: string; eventTime: Date }>`
        select event_day as "eventDay", event_time as "eventTime", ${selectKey()} from source_items
        where quarantine_number = ${entry.key.row}::bigint and quarantine_reason = ${entry.reason}
          and written_off_at is null`.execute(transaction)
    ).rows;
    if (row === undefined) throw resolvedMeanwhile(given.quarantineId);
    const eventTime = floorToMinute(row.eventTime);
    const minute = { eventDay: row.eventDay, eventTime, key: countedKey(keyOf(row)) };
    const text = usageKeyText(eventTime, minute.key);
    const items = (await readHeldItems(transaction, [minute])).filter(
      (item) => usageKeyText(eventTime, countedKey(item.row)) === text,
    );
    const figures = sumMinute(
      items.flatMap(({ tokenKind, tokenCount, countsApart }) => {
        const figure = FIGURE_BY_KIND.get(tokenKind);
        return figure === undefined ? [] : [{ figure, tokenCount, countsApart }];
      }),
    );
    const sent = sumSpellings((await readMinuteSums(transaction, [[text, minute]])).get(text) ?? []);
    const whole =
      sent === null ? figures : addMinutes(figures, { figures: sent, apartTokenCount: 0n, told: new Set() });
    const fault = findPartFault(whole.figures);
    if (fault !== null) {
      throw new ValidationError(
        'id',
        `cannot be taken as told: ${fault}, so that nobody can say what to bill`,
        'Name how the model is counted (MODEL_PROVIDERS), wait for the missing row, or write it off.',
      );
    }
    const numbers = items.map((item) => String(item.quarantineNumber));
    const changed = await sql`
      update source_items set accepted_at = ${given.now}, retry_requested_at = ${given.now}
      where quarantine_number = any(${numbers}::bigint[]) and quarantine_reason is not null and written_off_at is null`.execute(
      transaction,
    );
    if (Number(changed.numAffectedRows) !== items.length) throw resolvedMeanwhile(given.quarantineId);
    const tokenCount = COUNTED_FIGURES.reduce((sum, name) => sum + figures.figures[name], 0n);
    await audit(transaction, 'quarantine.accept', entry, given, {
      reason,
      detail: entry.detail,
      row_count: items.length,
      minute_token_count: String(tokenCount),
    });
    return { entry, rowCount: items.length, tokenCount };
  });
}
