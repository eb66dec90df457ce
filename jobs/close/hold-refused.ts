import { moveClose, type OpenClose } from '../../src/closing/closes.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { type FinalizationRefusal, speakRefusal } from '../../src/stripe/closing/refusals.ts';
import type { JobDependencies } from '../dependencies.ts';
import { backOff, nextLook } from './run-closes.ts';

/** So soon it is tried again by itself, then later and later, in case somebody has mended what stands in the way. */
const AGAIN_MS = 15 * MINUTE_MS;
const LONGEST_MS = 2 * HOUR_MS;
/** After its deadline nothing presses any more, and each try is a call or more. */
const LONGEST_LATE_MS = 12 * HOUR_MS;

/** Holds what Stripe does not finalize, with the code, the reason and what to do. Nothing of it is lost: it stays a draft. */
export async function holdRefused(
  deps: JobDependencies,
  close: OpenClose,
  refusal: FinalizationRefusal,
): Promise<void> {
  const { invoiceId, customerId, deadline, heldCount } = close;
  const now = deps.clock.now();
  const isLate = deadline !== null && deadline <= now;
  const waitMs = backOff(AGAIN_MS, heldCount, isLate ? LONGEST_LATE_MS : LONGEST_MS);
  const spoken = speakRefusal(refusal);
  const moved = await moveClose(deps.database, {
    invoiceId,
    from: [close.state],
    to: 'held',
    unseals: true,
    now,
    nextLookAt: nextLook(now, waitMs, deadline),
    refusal: spoken,
    note: spoken,
  });
  if (!moved) return;
  const { code, reason, fix } = refusal;
  deps.log.error(
    { invoiceId, customerId, deadline, code, reason, fix },
    'An invoice is held: Stripe does not finalize it',
  );
}
