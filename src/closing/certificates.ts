import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { buildCloseCertificate, type CloseComparison } from '../../pricing/closing/certificate.ts';
import { billedTokens, type CloseMeterFigures, shownTokens } from '../../pricing/closing/meter.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { toStoredPrice } from '../catalog/stored-price.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import { moveClose, type OpenClose, storeInvoiceStatus } from './closes.ts';

/** The proof of a closed invoice, as it was written once. */
export interface CloseCertificate {
  invoiceId: string;
  customerId: string;
  /** Canonical JSON. */
  content: string;
  /** Of the content, hexadecimal. */
  sha256: string;
  driftTokenCount: bigint;
  driftAmountMinor: bigint;
  createdAt: Date;
}

/**
 * Ends a close: the state, the certificate, what was billed of each meter, and the late items that are billed by now,
 * in one transaction.
 * @returns null when somebody else ended it
 */
export async function endClose(
  database: LedgerDatabase,
  close: OpenClose,
  end: {
    outcome: 'finalized' | 'finalized_without_us';
    comparison: CloseComparison;
    invoiceStatus: string;
    now: Date;
    note?: string;
  },
): Promise<CloseCertificate | null> {
  const { comparison, now, outcome } = end;
  const release =
    close.releasedBy === null ? null : { by: close.releasedBy, reason: close.releasedReason ?? '' };
  const built = buildCloseCertificate(comparison, { outcome, release });
  const sha256 = hashContent(built.content);
  return await database.transaction().execute(async (transaction) => {
    const moved = await moveClose(transaction, {
      invoiceId: close.invoiceId,
      from: [close.state],
      to: outcome,
      now,
      comparison,
      totalMinor: BigInt(comparison.totalMinor),
      ...(end.note === undefined ? {} : { note: end.note }),
    });
    if (!moved) return null;
    const certificate = {
      invoice_id: close.invoiceId,
      customer_id: close.customerId,
      content: built.content,
      sha256,
      drift_token_count: built.driftTokenCount,
      drift_amount_minor: built.driftAmountMinor,
      created_at: now,
    };
    await transaction.insertInto('close_certificates').values(certificate).execute();
    await storeMeters(transaction, close, comparison.meters);
    await sql`update invoices set sealed_at = coalesce(sealed_at, ${now}::timestamptz), placed_at = coalesce(placed_at, ${now}::timestamptz)
              where invoice_id = ${close.invoiceId}`.execute(transaction);
    await storeInvoiceStatus(transaction, close.invoiceId, end.invoiceStatus);
    await sql`update late_items set state = 'invoiced', invoiced_at = ${now}
              where invoice_id = ${close.invoiceId} and state = 'created'`.execute(transaction);
    return camelRow(certificate);
  });
}

async function storeMeters(
  transaction: LedgerTransaction,
  close: OpenClose,
  meters: readonly CloseMeterFigures[],
): Promise<void> {
  if (meters.length === 0) return;
  await transaction
    .insertInto('close_meters')
    .values(
      meters.map((meter) => {
        const price = toStoredPrice(readPrice(meter.price));
        return {
          invoice_id: close.invoiceId,
          customer_id: close.customerId,
          stripe_meter_id: meter.stripeMeterId,
          subscription_item_id: meter.subscriptionItemId,
          price_id: meter.priceId,
          product_name: meter.productName,
          period_start: new Date(meter.period.start),
          period_end: new Date(meter.period.end),
          ledger_quantity: BigInt(meter.pushedTokens),
          // Late usage goes on from all that was billed of the period.
          invoice_quantity:
            BigInt(meter.invoiceQuantity) +
            billedTokens(meter) -
            shownTokens(meter) +
            BigInt(meter.earlier?.tokenCount ?? 0),
          invoice_amount_minor: BigInt(meter.invoiceAmountMinor),
          rated_amount_minor: meter.ratedAmountMinor === null ? null : BigInt(meter.ratedAmountMinor),
          unit_amount_decimal: price.unitAmountDecimal,
          tiers_mode: price.tiersMode,
          price_tiers: price.priceTiers,
          line_id: meter.lines.length === 1 ? (meter.lines[0]?.lineId ?? null) : null,
        };
      }),
    )
    .execute();
}

/** A price as a comparison keeps it: JSON has no bigint, so the ends of tiers are text there. */
export function showPrice(price: RatePrice | null): unknown {
  if (price?.kind === 'per_package') return { ...price, packageSize: String(price.packageSize) };
  return price === null || price.kind === 'per_unit'
    ? price
    : {
        ...price,
        tiers: price.tiers.map((tier) => ({ ...tier, upTo: tier.upTo === null ? null : String(tier.upTo) })),
      };
}

/** A price as `showPrice` showed it. */
export function readPrice(shown: unknown): RatePrice | null {
  if (shown === null || shown === undefined) return null;
  const price = shown as RatePrice;
  if (price.kind === 'per_unit') return price;
  if (price.kind === 'per_package') return { ...price, packageSize: BigInt(price.packageSize) };
  return {
    ...price,
    tiers: price.tiers.map((tier) => ({ ...tier, upTo: tier.upTo === null ? null : BigInt(tier.upTo) })),
  };
}

/** Null: the invoice has none (yet). */
export async function findCertificate(
  database: LedgerDatabase,
  invoiceId: string,
): Promise<CloseCertificate | null> {
  const row = await database
    .selectFrom('close_certificates')
    .selectAll()
    .where('invoice_id', '=', invoiceId)
    .executeTakeFirst();
  return row === undefined ? null : camelRow(row);
}

/** @throws TallystickError NOT_FOUND */
export async function getCertificate(database: LedgerDatabase, invoiceId: string): Promise<CloseCertificate> {
  const certificate = await findCertificate(database, invoiceId);
  if (certificate !== null) return certificate;
  throw new TallystickError(`There is no close certificate of ${JSON.stringify(invoiceId.slice(0, 100))}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'It is written when the invoice is final; GET /v1/closes tells how far it is.',
  });
}

/** Whether a certificate is what was hashed. */
export function isCertificateSound(certificate: Pick<CloseCertificate, 'content' | 'sha256'>): boolean {
  return hashContent(certificate.content) === certificate.sha256;
}

export function hashContent(content: string): string {
  return createHash('sha256').update(content, 'utf8').digest('hex');
}
