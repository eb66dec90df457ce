import type { CloseState } from '../../src/billing/states.ts';
import { type OpenClose, postponeClose, readDueCloses } from '../../src/closing/closes.ts';
import { addMs, MINUTE_MS } from '../../src/platform/clock.ts';
import { type TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import { runKeyedLanes } from '../../src/stripe/keyed-lanes.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Calls about invoices in flight; the rate limiter of the Stripe client paces them. */
const CONCURRENCY = 32;
/** Closes of one page: bounds memory, and what is read from the ledger in one statement. */
const PAGE_SIZE = 500;
const RETRY_AFTER_MS = 2 * MINUTE_MS;
const LONGEST_RETRY_MS = 60 * MINUTE_MS;
/** Not even just before a deadline is a close looked at more often. */
const SHORTEST_LOOK_MS = 5 * MINUTE_MS;

/** After so many looks without a result the next one is so much later. */
export function backOff(firstMs: number, attemptCount: number, longestMs: number): number {
  return Math.min(firstMs * 2 ** Math.min(attemptCount, 10), longestMs);
}

/**
 * When a close is looked at again: after `waitMs`, and no later than half-way to a deadline to come, so that what is mended
 * in the last hours of a draft is seen while it is open.
 */
export function nextLook(now: Date, waitMs: number, deadline: Date | null): Date {
  if (deadline === null || deadline <= now) return addMs(now, waitMs);
  const halfLeftMs = (deadline.getTime() - now.getTime()) / 2;
  return addMs(now, Math.min(waitMs, Math.max(halfLeftMs, SHORTEST_LOOK_MS)));
}

/**
 * Does one step for every close that is due for it, one call in flight for a customer. A close that fails is noted and
 * looked at again later, and holds up no other; when the outside does not answer at all, the rest waits for the next run.
 * @throws the failure of the outside, after what was in flight has ended
 */
export async function runCloses(
  deps: JobDependencies,
  given: {
    states: readonly CloseState[];
    /** Given: what is read for the step, in this order, before it is done. */
    reading?: {
      /** Of a page, what must be known to ask. */
      begin: (page: readonly OpenClose[]) => Promise<void>;
      /** Asks the outside for a close. Those of which it fails are left out of what follows. */
      ask: (close: OpenClose) => Promise<void>;
      /** Reads the ledger for the page, once everything was asked. */
      gather: (page: readonly OpenClose[]) => Promise<void>;
    };
    run: (close: OpenClose) => Promise<void>;
  },
  signal: AbortSignal | undefined,
): Promise<number> {
  let doneCount = 0;
  let failure: TallystickError | null = null;
  const seen = new Set<string>();
  while (failure === null) {
    const due = await readDueCloses(deps.database, {
      states: given.states,
      now: deps.clock.now(),
      limit: PAGE_SIZE + seen.size,
    });
    const page = due.filter((close) => !seen.has(close.invoiceId)).slice(0, PAGE_SIZE);
    if (page.length === 0) return doneCount;
    for (const close of page) seen.add(close.invoiceId);
    let ready: readonly OpenClose[] = page;
    if (given.reading !== undefined) {
      await given.reading.begin(page);
      ready = await runLanes(page, given.reading.ask);
      await given.reading.gather(ready);
    }
    doneCount += (await runLanes(ready, given.run)).length;
  }
  throw failure;

  /** @returns those that it went well for */
  async function runLanes(
    tasks: readonly OpenClose[],
    run: (close: OpenClose) => Promise<void>,
  ): Promise<OpenClose[]> {
    const done: OpenClose[] = [];
    await runKeyedLanes<OpenClose>({
      tasks,
      keyOf: (close) => close.customerId,
      concurrency: CONCURRENCY,
      ...(signal === undefined ? {} : { signal }),
      run: async (close) => {
        try {
          await run(close);
          done.push(close);
          return 'continue';
        } catch (error) {
          if (signal?.aborted === true) throw error;
          const known = toTallystickError(error);
          await noteFailure(deps, close, known);
          if (known.code !== 'UPSTREAM_UNAVAILABLE' && known.code !== 'UPSTREAM_THROTTLED') return 'continue';
          failure ??= known;
          return 'stop';
        }
      },
    });
    return done;
  }
}

async function noteFailure(deps: JobDependencies, close: OpenClose, error: TallystickError): Promise<void> {
  const { invoiceId, state, attemptCount, deadline } = close;
  const now = deps.clock.now();
  const { stripeCode } = error.context;
  const waitMs = backOff(RETRY_AFTER_MS, attemptCount, LONGEST_RETRY_MS);
  await postponeClose(deps.database, {
    invoiceId,
    state,
    nextLookAt: error.retry ? now : nextLook(now, waitMs, deadline),
    error: stripeCode === undefined ? error.message : `${error.message} (${stripeCode})`,
  });
  deps.log.error({ invoiceId, state, code: error.code, reason: error.message }, 'A step of a close failed');
}
