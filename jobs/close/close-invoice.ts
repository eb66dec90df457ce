import { proposeCredits } from '../../src/billing/propose-credits.ts';
import { restoreFound } from '../../src/billing/uninvoiced/restore.ts';
import { findNewCloses, moveClose } from '../../src/closing/closes.ts';
import { confirmCloses, countOpenCloses } from '../../src/closing/desk.ts';
import {
  findStuckCloses,
  moveAndSealPushed,
  moveCollected,
  moveOvertaken,
  moveSettled,
  takeUpHeld,
} from '../../src/closing/progress.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { startAttempts } from '../attempts.ts';
import type { JobDependencies } from '../dependencies.ts';
import { claimDraft } from './claim-drafts.ts';
import { InvoiceComparer } from './compare-invoices.ts';
import { createCredits } from './create-credits.ts';
import { annotateInvoice, certifyIssued, examineOvertaken, finalizeInvoice } from './finish-invoices.ts';
import { placeUsage } from './place-usage.ts';
import { rescanTail } from './rescan-tail.ts';
import { runCloses } from './run-closes.ts';

/** Usage that does not come through in so long is told to a person; it is looked at again all the same. */
const PATIENCE_MS = 2 * HOUR_MS;

export interface CloseOutcome {
  /** Invoices taken up, and claimed. */
  foundCount: number;
  claimedCount: number;
  rescannedNewRowCount: number;
  /** Held now for the first time, or again. */
  heldCount: number;
  finalizedCount: number;
  /** Final without us, and examined. */
  overtakenCount: number;
  proposedCreditCount: number;
  createdCreditCount: number;
  /** Tokens that were delivered, and that no invoice has. */
  uninvoicedTokenCount: bigint;
}

/**
 * Step 5: ends billing periods. Every draft whose period is over is claimed, waits for its last usage, is held against
 * the ledger, described, finalized and certified, each step committed before the next call; one that differs is held,
 * and the others go on. Cheap when nothing is to be closed.
 * @throws UpstreamError when an outside system does not answer; everything that needs only the others was done
 */
export async function closeInvoices(deps: JobDependencies, signal?: AbortSignal): Promise<CloseOutcome> {
  const outcome: CloseOutcome = {
    foundCount: 0,
    claimedCount: 0,
    rescannedNewRowCount: 0,
    heldCount: 0,
    finalizedCount: 0,
    overtakenCount: 0,
    proposedCreditCount: 0,
    createdCreditCount: 0,
    uninvoicedTokenCount: 0n,
  };
  const { database, settings, source } = deps;
  if (!settings.closesInvoices) {
    outcome.uninvoicedTokenCount = await placeUsage(deps, signal);
    return outcome;
  }
  const { attempt, end } = startAttempts(signal);
  outcome.foundCount = await findNewCloses(database, deps.clock.now());
  if ((await countOpenCloses(database)) > 0n) {
    const comparer = new InvoiceComparer(deps, signal);
    // A draft that was heard of late has this usage on its line: it must be no item of it too.
    await restoreFound(database, deps.clock.now());
    await moveOvertaken(database, deps.clock.now());
    await attempt(async () => {
      const states = ['found'] as const;
      outcome.claimedCount = await runCloses(
        deps,
        { states, run: (close) => claimDraft(deps, close, signal) },
        signal,
      );
    });
    await moveCollected(database, {
      source: source.name,
      sourceWaitMs: settings.closeSourceWaitMs,
      now: deps.clock.now(),
    });
    await attempt(async () => {
      outcome.rescannedNewRowCount = await rescanTail(deps, signal);
    });
    await takeUpHeld(database, deps.clock.now());
    await moveSettled(database, deps.clock.now());
    await moveAndSealPushed(database, {
      aggregationWaitMs: settings.closeAggregationWaitMs,
      now: deps.clock.now(),
    });
    await attempt(async () => {
      const states = ['pushed', 'released'] as const;
      const reading = comparer.readingOf('draft');
      await runCloses(deps, { states, reading, run: (close) => comparer.compareDraft(close) }, signal);
    });
    await attempt(async () => {
      const states = ['compared'] as const;
      await runCloses(deps, { states, run: (close) => annotateInvoice(deps, close, signal) }, signal);
    });
    await attempt(async () => {
      const states = ['annotated'] as const;
      outcome.finalizedCount = await runCloses(
        deps,
        { states, run: (close) => finalizeInvoice(deps, comparer, close, signal) },
        signal,
      );
    });
    await attempt(async () => {
      const states = ['issued'] as const;
      const run = (close: Parameters<typeof claimDraft>[1]) => certifyIssued(deps, comparer, close);
      await runCloses(deps, { states, reading: comparer.readingOf('final'), run }, signal);
    });
    await attempt(async () => {
      const states = ['overtaken'] as const;
      const run = (close: Parameters<typeof claimDraft>[1]) =>
        examineOvertaken(deps, comparer, close, signal);
      const reading = comparer.readingOf('final');
      outcome.overtakenCount = await runCloses(deps, { states, reading, run }, signal);
    });
    outcome.heldCount = comparer.heldCount + (await holdStuck(deps));
  }
  const mismatches = await confirmCloses(database, deps.clock.now());
  for (const mismatch of mismatches) {
    deps.log.error(mismatch, 'A closed invoice has another total than its certificate');
  }
  outcome.proposedCreditCount = await proposeCredits(database, deps.clock.now());
  if (outcome.proposedCreditCount > 0) {
    deps.log.warn({ count: outcome.proposedCreditCount }, 'Credits are proposed; a person decides');
  }
  await attempt(async () => {
    outcome.createdCreditCount = await createCredits(deps, signal);
  });
  await attempt(async () => {
    outcome.uninvoicedTokenCount = await placeUsage(deps, signal);
  });
  end();
  return outcome;
}

/** What waits for usage that does not come through is held, for a person to see; it goes on by itself when it does. */
async function holdStuck(deps: JobDependencies): Promise<number> {
  const now = deps.clock.now();
  const stuck = await findStuckCloses(deps.database, {
    patienceMs: PATIENCE_MS,
    sourceWaitMs: deps.settings.closeSourceWaitMs,
    now,
  });
  for (const { invoiceId, state, reason } of stuck) {
    await moveClose(deps.database, {
      invoiceId,
      from: [state],
      to: 'held',
      now,
      note: reason,
      // Whether it has come through, the ledger alone says: every run looks.
      nextLookAt: now,
    });
    deps.log.error({ invoiceId, reason }, 'An invoice is held: its usage does not come through');
  }
  return stuck.length;
}
