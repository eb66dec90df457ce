import { sql } from 'kysely';
import type { CloseComparison } from '../../pricing/closing/certificate.ts';
import { hashContent } from '../../src/closing/certificates.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { BELIEVED_MS } from './closing/money.ts';
import type { World } from './world.ts';

/**
 * At the end every period that was to be closed is: no draft is left past its deadline, every certificate is what was
 * written, and what we finalized ourselves, without anybody's release, has no drift but what a swapped price left without
 * a line.
 */
export async function checkCloses(world: World, ledger: LedgerDatabase): Promise<void> {
  const { witness, clock } = world;
  const rows = await sql<{
    invoice_id: string;
    state: string;
    deadline: Date | null;
    content: string | null;
    sha256: string | null;
    drift: bigint | null;
  }>`
    select c.invoice_id, c.state, c.deadline, x.content, x.sha256, x.drift_token_count as drift
    from closes c left join close_certificates x on x.invoice_id = c.invoice_id order by 1`.execute(ledger);
  const items = await sql<{ key: string; priceSince: Date | null }>`
    select i.customer_id || ' ' || m.event_name as key, i.price_since as "priceSince"
    from subscription_items i join stripe_meters m using (stripe_meter_id) where i.active`.execute(ledger);
  const priceSince = new Map(items.rows.map((row) => [row.key, row.priceSince?.getTime() ?? null]));
  for (const row of rows.rows) {
    const isFinal = row.state === 'finalized' || row.state === 'finalized_without_us';
    if (!['finalized', 'finalized_without_us', 'deleted', 'voided', 'left_alone'].includes(row.state))
      witness.report(`the close of ${row.invoice_id} ended as ${row.state}`);
    if (!isFinal && row.deadline !== null && row.deadline.getTime() < clock.nowMs())
      witness.report(`the close of ${row.invoice_id} is ${row.state} past its deadline`);
    if (isFinal && (row.content === null || hashContent(row.content) !== row.sha256))
      witness.report(`${row.invoice_id} is final without a sound certificate`);
    if (row.state !== 'finalized' || row.content === null) continue;
    const lineless = linelessTokens(world, JSON.parse(row.content) as CloseComparison, priceSince);
    if (row.drift !== lineless)
      witness.report(
        `${row.invoice_id} was finalized with a drift of ${row.drift} tokens, and swaps left ${lineless} without a line`,
      );
  }
}

/**
 * What Stripe's meters counted in an invoice's period before a swap that made no line for it: because nothing was to be
 * prorated, or there was nothing yet, and it came when the pipeline did not know of the swap. Who hears of a swap only after
 * its period has ended is told by Stripe's items of the next period alone, and takes the price for one from then on.
 */
function linelessTokens(
  { person, stripe }: World,
  { customerId, period, comparedAt }: CloseComparison,
  priceSince: ReadonlyMap<string, number | null>,
): bigint {
  const startMs = Date.parse(period.start);
  const endMs = Date.parse(period.end);
  const comparedMs = Date.parse(comparedAt);
  let tokens = 0n;
  for (const { tenantKey, eventName, atMs, madeMs, isForgoing } of person.swaps) {
    if (tenantKey !== customerId || atMs <= startMs || atMs >= endMs) continue;
    const receivedUntil = (receivedUntilMs: number) =>
      stripe.usageBetween(tenantKey, startMs, atMs, { eventName, receivedUntilMs });
    if (!isForgoing && receivedUntil(madeMs) !== 0n) continue;
    const isHeardLate = priceSince.get(`${tenantKey} ${eventName}`) === endMs;
    tokens += receivedUntil(isHeardLate ? comparedMs : Math.min(comparedMs, madeMs + BELIEVED_MS));
  }
  return tokens;
}
