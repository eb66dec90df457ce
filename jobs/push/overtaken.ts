import {
  endSummaryWait,
  type LaterHour,
  type MeterPair,
  noteSummaryWait,
  readLaterHour,
  readSummaryWait,
} from '../../src/billing/later-pushes.ts';
import { refundUnanswered, takeStripeRead } from '../../src/billing/stripe-reads.ts';
import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Where nothing later was sent that could tell, so long a silence says that a push did not count. */
const SILENCE_MS = DAY_MS;

/**
 * Whether Stripe's event summaries have passed what was sent at `sentAt` to this customer and meter: only then does a push
 * that they do not show not count. They may stand still for hours, and all they lack appears later. They have passed it
 * when they show something that was sent later, by the lag that they are known to have; of the same customer and meter,
 * or, where nothing was sent there since, of any. Where nothing at all was, a day of silence has to do.
 * @param shown when the newest push had been sent that was seen in summaries, by customer and meter; kept by a run
 * @returns `unread` when only Stripe could tell and the day's reads are used up
 * @throws UpstreamError when Stripe cannot be asked
 */
export async function isOvertaken(
  deps: JobDependencies,
  pair: MeterPair,
  sentAt: Date,
  shown: Map<string, Date>,
  signal?: AbortSignal,
): Promise<boolean | 'unread'> {
  const { database, settings, clock } = deps;
  const now = clock.now();
  const after = addMs(sentAt, settings.summaryLagMs);
  const own = await readLaterHour(database, { pair, after });
  const later = own ?? (await readLaterHour(database, { pair: null, after }));
  if (later === null) {
    if (addMs(sentAt, SILENCE_MS) <= now) {
      await endSummaryWait(database, pair);
      return true;
    }
    await noteSummaryWait(database, pair, { since: sentAt, now });
    return false;
  }
  const place = pairText(later);
  const seen = shown.get(place);
  if (seen !== undefined && seen >= after) {
    await endSummaryWait(database, pair);
    return true;
  }
  if (await waitsForSummaries(deps, pair)) return false;
  const read = { purpose: 'doubt', now, limitPerDay: settings.stripeDoubtReadsPerDay } as const;
  if (!(await takeStripeRead(database, read))) return 'unread';
  const counted = await refundUnanswered(database, read, () => countHour(deps, later, signal));
  if (counted === later.acknowledged) {
    shown.set(place, later.sentAt);
    await endSummaryWait(database, pair);
    return true;
  }
  await noteSummaryWait(database, pair, { since: sentAt, now });
  deps.log.warn(
    { pair, since: sentAt },
    "Stripe's summaries show nothing sent later; what they lack is waited for",
  );
  return false;
}

/** Whether Stripe was asked so lately in vain that it need not be asked again: reads are few. */
export async function waitsForSummaries(deps: JobDependencies, pair: MeterPair): Promise<boolean> {
  const lookedAt = await readSummaryWait(deps.database, pair);
  return lookedAt !== null && addMs(lookedAt, deps.settings.summaryLagMs / 4) > deps.clock.now();
}

async function countHour(deps: JobDependencies, hour: LaterHour, signal: AbortSignal | undefined) {
  const { stripeMeterId, stripeCustomerId, windowStart } = hour;
  const window = { start: windowStart, end: addMs(windowStart, HOUR_MS) };
  const summaries = await deps.billing.readEventSummaries(
    { stripeMeterId, stripeCustomerId, window },
    signal,
  );
  return summaries.reduce((sum, { value }) => sum + value, 0n);
}

function pairText({ customerId, stripeMeterId }: MeterPair): string {
  return `${customerId} ${stripeMeterId}`;
}
