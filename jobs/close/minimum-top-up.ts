import { type CloseComparison, minimumTopUp } from '../../pricing/closing/certificate.ts';
import { speakMinimum } from '../../pricing/closing/words.ts';
import { formatMinor } from '../../pricing/money.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import type { JobDependencies } from '../dependencies.ts';
import { MINIMUM_METADATA_KEY } from './build-comparison.ts';

/**
 * Brings a draft up to its plans' minimums, which Stripe's prices know nothing of. What is on the draft already is read
 * from the draft itself, so a crash after the call adds nothing; two workers that saw the same draft use the same key.
 * A draft that was topped up and then got more usage is corrected by an item below zero.
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
    const amountMinor = minimumTopUp(minimum, currency) - BigInt(minimum.topUpMinor);
    if (amountMinor === 0n) continue;
    const { planId, planName, versionId, topUpLineIds } = minimum;
    const amount = `${formatMinor(BigInt(minimum.minimumMinor), currency)} ${currency.toUpperCase()}`;
    await deps.invoicing.createInvoiceItem(
      {
        stripeCustomerId,
        invoiceId,
        currency,
        amountMinor,
        description: speakMinimum({ planName, amount, topUpMinor: amountMinor }).slice(0, 500),
        period: { start, end },
        metadata: { [MINIMUM_METADATA_KEY]: planId, tallystick_plan_version: versionId },
        idempotencyKey: `tallystick_minimum_${invoiceId}_${planId}_${topUpLineIds.length}`,
      },
      signal,
    );
  }
}
