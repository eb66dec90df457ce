import { moveClose, type OpenClose, storeInvoiceStatus } from '../../src/closing/closes.ts';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import type { JobDependencies } from '../dependencies.ts';

/** A draft that is found late is given at least so long: a deadline in the past would be refused. */
const SHORTEST_HOLD_MS = 2 * HOUR_MS;

/**
 * Holds a draft back until its usage is proven. The deadline is a dead man's switch: should nobody ever come back,
 * Stripe finalizes it then with what it has, so that no invoice stays a draft for ever.
 */
export async function claimDraft(
  deps: JobDependencies,
  close: OpenClose,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { invoiceId, periodEnd } = close;
  const now = deps.clock.now();
  const latest = Math.max(
    addMs(periodEnd, deps.settings.closeHoldMs).getTime(),
    addMs(now, SHORTEST_HOLD_MS).getTime(),
  );
  const deadline = new Date(Math.floor(latest / 1_000) * 1_000);
  const outcome = await deps.invoicing.claimInvoice(
    invoiceId,
    { finalizeNoLaterThan: deadline, idempotencyKey: `tallystick_close_${invoiceId}` },
    signal,
  );
  if (outcome === 'claimed') {
    const note = `Stripe finalizes it at ${deadline.toISOString()} if nobody does`;
    await moveClose(deps.database, { invoiceId, from: ['found'], to: 'claimed', now, deadline, note });
    return;
  }
  await leaveDraft(deps, close, outcome);
}

/** The draft is none any more: what became of it is recorded, and is no failure. */
export async function leaveDraft(
  deps: JobDependencies,
  close: OpenClose,
  outcome: 'already_final' | 'deleted' | 'voided' | 'left_alone',
): Promise<void> {
  const { invoiceId, state } = close;
  const to = outcome === 'already_final' ? 'overtaken' : outcome;
  const moved = await moveClose(deps.database, { invoiceId, from: [state], to, now: deps.clock.now() });
  if (!moved || to === 'overtaken' || to === 'left_alone') return;
  await storeInvoiceStatus(deps.database, invoiceId, to === 'voided' ? 'void' : 'deleted');
  deps.log.warn(
    { invoiceId, customerId: close.customerId, state },
    `An invoice was ${to} while it was being closed`,
  );
}
