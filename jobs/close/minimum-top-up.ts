import { type CloseComparison, minimumTopUp } from '../../pricing/closing/certificate.ts';
import { speakMinimum } from '../../pricing/closing/words.ts';
import { formatMinor } from '../../pricing/money.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import type { JobDependencies } from '../dependencies.ts';
import { MINIMUM_METADATA_KEY } from './build-comparison.ts';

/**
 * Brings a draft up to its plans' minimums, which Stripe's prices know nothing of. What is on the draft already is read
 * from the draft itself, so a crash after the call adds nothing; two workers that saw the same draft use the same key.
 * The item of a draft that was topped up and then got more usage is made smaller, or goes: an item below zero would be
 * refused where Stripe Tax is on, and no discount would be taken of it.
 * @throws UpstreamError
 */
export async function addMinimumTopUps(
  deps: JobDependencies,
  close: OpenClose,
  comparison: CloseComparison,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { invoiceId, stripeCustomerId, currency, periodStart: start, periodEnd: end } = close;
  for (const minimum of comparison.minimums) {
    const wanted = minimumTopUp(minimum, currency);
    const amountMinor = wanted - BigInt(minimum.topUpMinor);
    if (amountMinor === 0n) continue;
    const { planId, planName, versionId, topUpLineIds } = minimum;
    if (topUpLineIds.length > 0) {
      await changeTopUp(deps, close, { planId, wanted }, signal);
      continue;
    }
    const meter = comparison.meters.find(({ stripeMeterId }) =>
      minimum.stripeMeterIds.includes(stripeMeterId),
    );
    const amount = `${formatMinor(BigInt(minimum.minimumMinor), currency)} ${currency.toUpperCase()}`;
    await deps.invoicing.createInvoiceItem(
      {
        stripeCustomerId,
        invoiceId,
        currency,
        amountMinor,
        description: speakMinimum({ planName, amount }).slice(0, 500),
        period: { start, end },
        metadata: { [MINIMUM_METADATA_KEY]: planId, tallystick_plan_version: versionId },
        ...(meter === undefined
          ? {}
          : { taxedAs: { subscriptionItemId: meter.subscriptionItemId, priceId: meter.priceId } }),
        idempotencyKey: `tallystick_minimum_${invoiceId}_${planId}_0`,
      },
      signal,
    );
  }
}

/** The first of the draft's items for the minimum comes to what all of them should. */
async function changeTopUp(
  { invoicing }: JobDependencies,
  { invoiceId, stripeCustomerId }: OpenClose,
  { planId, wanted }: { planId: string; wanted: bigint },
  signal: AbortSignal | undefined,
): Promise<void> {
  const items = (await invoicing.listInvoiceItems(stripeCustomerId, signal)).filter(
    (item) => item.invoiceId === invoiceId && item.metadata[MINIMUM_METADATA_KEY] === planId,
  );
  const [first, ...others] = items;
  if (first === undefined) return;
  const amountMinor = wanted - others.reduce((sum, item) => sum + item.amountMinor, 0n);
  if (amountMinor === first.amountMinor) return;
  const { invoiceItemId } = first;
  await invoicing.changeInvoiceItem(
    invoiceItemId,
    { amountMinor, idempotencyKey: `tallystick_minimum_${invoiceId}_${planId}_${invoiceItemId}` },
    signal,
  );
}
