import { sql } from 'kysely';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { CARRY_TO_NEXT_INVOICE } from '../billing/meter-pushes.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { IS_COLLECTION } from '../usage/collection/watermarks.ts';
import { countedColumn } from '../usage/name-keys.ts';

/** What a statement says of a subscription item beside its lines. */
interface StatementItem {
  subscriptionItemId: string;
  priceId: string;
  productName: string;
  /** Null: it has none, or somebody else feeds it. */
  stripeMeterId: string | null;
  /** Null: of a kind that we cannot rate. */
  price: RatePrice | null;
}

/** What one meter counts; several where its usage is shared. */
interface StatementBinding {
  stripeMeterId: string;
  model: string;
  tokenType: TokenType;
  feature: string;
}

/** Usage of a period that its own invoice could not hold any more. */
interface MissedUsage {
  model: string;
  tokenType: TokenType;
  tokenCount: bigint;
  usedIn: TimeWindow;
  /** The later invoice that bills it; null: it waits for the next. */
  billedOnInvoiceId: string | null;
}

/** An item of an invoice that bills usage of an earlier period. */
export interface BilledLate {
  invoiceItemId: string;
  usedIn: TimeWindow;
  missedInvoiceNumber: string | null;
}

export interface StatementFacts {
  items: StatementItem[];
  /** Prices that items of the customer's have, or had. */
  prices: Pick<StatementItem, 'priceId' | 'productName' | 'price'>[];
  bindings: StatementBinding[];
  missed: MissedUsage[];
  billedLate: BilledLate[];
  certificate: { sha256: string; createdAt: Date } | null;
  /** Up to which ingestion time every source has been collected. */
  collectedThrough: Date | null;
  /** Hours of the period that have usage and are not settled. */
  openHourCount: number;
}

const NOTHING: Pick<StatementFacts, 'billedLate' | 'certificate'> = { billedLate: [], certificate: null };

/** Everything beside lines and usage. `invoiceId` null: of a preview. */
export async function readStatementFacts(
  database: LedgerDatabase,
  of: { customerId: string; invoiceId: string | null; period: TimeWindow; meterIds: readonly string[] },
): Promise<StatementFacts> {
  const { customerId, invoiceId, period } = of;
  const [items, prices, bindings, missed, { billedLate, certificate }, hours] = await Promise.all([
    sql<Omit<StatementItem, 'price'> & StoredPrice>`
      select subscription_item_id as "subscriptionItemId", price_id as "priceId", product_name as "productName",
        ${ownMeter('i')} as "stripeMeterId", unit_amount_decimal, tiers_mode, price_tiers
      from subscription_items i where customer_id = ${customerId}`.execute(database),
    sql<Omit<StatementItem, 'price'> & StoredPrice>`
      select distinct on (price_id) price_id as "priceId", product_name as "productName", unit_amount_decimal, tiers_mode, price_tiers
      from item_prices where customer_id = ${customerId} and stripe_meter_id = any(${of.meterIds}::text[])
      order by price_id, first_seen_at`.execute(database),
    sql<StatementBinding>`
      select stripe_meter_id as "stripeMeterId", model, token_type as "tokenType", feature from meter_bindings
      where stripe_meter_id = any(${of.meterIds}::text[]) order by 1, 2, 3, 4`.execute(database),
    sql<Omit<MissedUsage, 'usedIn'> & { start: Date; end: Date }>`
      select ${countedColumn('model', 'usage')} as model, usage.token_type as "tokenType", sum(usage.delta_token_count)::bigint as "tokenCount",
        min(usage.window_start) as start, max(usage.window_start) + interval '1 hour' as end,
        late.invoice_id as "billedOnInvoiceId"
      from hourly_usage usage left join late_items late on late.late_item_id = usage.late_item_id
      where usage.customer_id = ${customerId} and usage.quarantine_reason = ${CARRY_TO_NEXT_INVOICE}
        and usage.written_off_at is null and usage.credit_proposal_id is null
        and usage.window_start + make_interval(mins => usage.part_start_minute) >= ${period.start}
        and usage.window_start + make_interval(mins => usage.part_start_minute) < ${period.end}
      group by 1, 2, 6 having sum(usage.delta_token_count) > 0 order by 1, 2, 4`.execute(database),
    invoiceId === null ? NOTHING : readInvoiceFacts(database, invoiceId),
    sql<{ collectedThrough: Date | null; openHourCount: number }>`
      select (select min(position) from watermarks where ${IS_COLLECTION}) as "collectedThrough",
        (select count(*)::int from settlements where status = 'open'
          and window_start > ${period.start}::timestamptz - interval '1 hour' and window_start < ${period.end}) as "openHourCount"`.execute(
      database,
    ),
  ]);
  return {
    items: items.rows.map(({ unit_amount_decimal, tiers_mode, price_tiers, ...item }) => ({
      ...item,
      price: readStoredPrice({ unit_amount_decimal, tiers_mode, price_tiers }),
    })),
    prices: prices.rows.map(({ unit_amount_decimal, tiers_mode, price_tiers, ...price }) => ({
      ...price,
      price: readStoredPrice({ unit_amount_decimal, tiers_mode, price_tiers }),
    })),
    bindings: bindings.rows,
    missed: missed.rows.map(({ start, end, ...row }) => ({ ...row, usedIn: { start, end } })),
    billedLate,
    certificate,
    collectedThrough: hours.rows[0]?.collectedThrough ?? null,
    openHourCount: hours.rows[0]?.openHourCount ?? 0,
  };
}

/** What only an invoice that is there can have. */
async function readInvoiceFacts(database: LedgerDatabase, invoiceId: string): Promise<typeof NOTHING> {
  const late = await sql<Omit<BilledLate, 'usedIn'> & { start: Date; end: Date }>`
      select late.invoice_item_id as "invoiceItemId", late.used_from as start, late.used_to as end,
        missed.number as "missedInvoiceNumber"
      from late_items late left join invoices missed on missed.invoice_id = late.missed_invoice_id
      where late.invoice_id = ${invoiceId} and late.invoice_item_id is not null`.execute(database);
  const certificate = await sql<{ sha256: string; createdAt: Date }>`
      select sha256, created_at as "createdAt" from close_certificates where invoice_id = ${invoiceId}`.execute(
    database,
  );
  return {
    billedLate: late.rows.map(({ start, end, ...row }) => ({ ...row, usedIn: { start, end } })),
    certificate: certificate.rows[0] ?? null,
  };
}
