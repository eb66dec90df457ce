import { effectiveInstant } from '../../../pricing/retail/timeline.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { lockPriceBook } from '../book.ts';
import { addListedPrices } from './book.ts';
import { forgetSeenMeter, markDecided, type PriceSyncItem, takePendingItem } from './items.ts';

export interface PriceDecision {
  itemId: bigint;
  /** Why, in a person's words. */
  reason: string;
  actor: string;
  now: Date;
}

/**
 * Takes a listed price into the book, from the list's own instant or the next whole hour, whichever is later: what is
 * past stays as it is. A meter that disappeared is only acknowledged: its price stays in the book.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND; CONFLICT when it was decided already, or when
 *   it is nothing that the book could take (an unmapped meter must be mapped first)
 */
export async function acceptPriceItem(
  database: LedgerDatabase,
  decision: PriceDecision,
): Promise<PriceSyncItem> {
  const reason = readReason(decision.reason, 'Say why this price is right.');
  return await database.transaction().execute(async (transaction) => {
    await lockPriceBook(transaction);
    const item = await takePendingItem(transaction, decision.itemId);
    const effectiveFrom = await takeIntoBook(transaction, item, reason, decision);
    return await decide(transaction, item, { ...decision, reason, status: 'accepted', effectiveFrom });
  });
}

/**
 * Leaves the book as it is. The same is not asked again; another price, or another date, is.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND, CONFLICT
 */
export async function rejectPriceItem(
  database: LedgerDatabase,
  decision: PriceDecision,
): Promise<PriceSyncItem> {
  const reason = readReason(decision.reason, 'Say why the book stays as it is.');
  return await database.transaction().execute(async (transaction) => {
    const item = await takePendingItem(transaction, decision.itemId);
    const { effectiveFrom } = item;
    return await decide(transaction, item, { ...decision, reason, status: 'rejected', effectiveFrom });
  });
}

async function takeIntoBook(
  transaction: LedgerTransaction,
  item: PriceSyncItem,
  reason: string,
  { actor, now }: PriceDecision,
): Promise<Date | null> {
  if (item.verdict === 'disappeared') return null;
  const { target, newPicoPerUnit, listedFrom } = item;
  if (target === null || newPicoPerUnit === null || listedFrom === null) {
    throw new TallystickError(`The book cannot take ${item.meterName} as it is listed.`, {
      code: 'CONFLICT',
      retry: false,
      fix:
        item.verdict === 'unmapped'
          ? `Say what it is first: tallystick prices map ${item.meterId} --model ... ; the next synchronization compares it.`
          : `It is listed in a way that has no exact place there (${item.reason}); add the price by hand, and reject this.`,
    });
  }
  const effectiveFrom = effectiveInstant(listedFrom, now);
  await addListedPrices(transaction, [{ ...item, target, newPicoPerUnit, listedFrom, effectiveFrom }], {
    actor,
    reason,
    now,
    isPersonsWord: true,
  });
  return effectiveFrom;
}

async function decide(
  transaction: LedgerTransaction,
  item: PriceSyncItem,
  decision: PriceDecision & { status: 'accepted' | 'rejected'; effectiveFrom: Date | null },
): Promise<PriceSyncItem> {
  if (item.verdict === 'disappeared') await forgetSeenMeter(transaction, item.meterId);
  const decided = await markDecided(transaction, item.priceSyncItemId, decision);
  await writeAudit(transaction, {
    actor: decision.actor,
    action: decision.status === 'accepted' ? 'price_sync.accept' : 'price_sync.reject',
    target: String(item.priceSyncItemId),
    details: {
      subject: item.subject,
      verdict: item.verdict,
      meter_id: item.meterId,
      retail_price: item.retailPrice,
      unit_of_measure: item.unitOfMeasure,
      effective_from: decision.effectiveFrom?.toISOString() ?? null,
      reason: decision.reason,
    },
    now: decision.now,
  });
  return decided;
}

function readReason(text: string, fix: string): string {
  const reason = text.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', fix);
  return reason;
}
