import { type RawBuilder, sql } from 'kysely';
import { camelRow } from '../platform/database/camel-row.ts';
import { holding } from '../platform/database/like-pattern.ts';
import type { LedgerSnapshot } from '../platform/database/snapshot.ts';

export interface EarlierQuote {
  quoteId: string;
  title: string | null;
  preparedFor: string | null;
  customerId: string | null;
  planId: string | null;
  currency: string;
  /** What the customer reads, as decimal text; null: on request. */
  offeredAmount: string | null;
  createdBy: string;
  createdAt: Date;
  validUntil: Date | null;
  acceptedBy: string | null;
  acceptedAt: Date | null;
}

export interface EarlierFilter {
  /** Any part of title, addressee, customer or id; case does not matter. */
  text?: string | undefined;
  /** Any part of who made it. */
  createdBy?: string | undefined;
  /** Whose usage it adds to or replaces. */
  customerId?: string | undefined;
  state?: 'open' | 'accepted' | 'expired' | undefined;
  now: Date;
}

const CURRENCY = sql<string>`result::json ->> 'currency'`;
const OFFERED = sql<string | null>`case when result::json -> 'offer' is null
  then result::json -> 'totals' -> 'invoiceAmount' ->> 'amount' else result::json -> 'offer' -> 'invoiceAmount' ->> 'amount' end`;

const ORDERS = {
  created: sql`created_at`,
  until: sql`valid_until`,
  customer: sql`customer_id`,
  by: sql`created_by`,
  /** Within each currency: amounts of several are never compared. */
  amount: sql`(${OFFERED})::numeric`,
} as const;
export type EarlierOrder = keyof typeof ORDERS;

/** Earlier quotes, narrowed and in an order, a page of them; what has no value of the order comes last. */
export async function listEarlierQuotes(
  snapshot: LedgerSnapshot,
  filter: EarlierFilter,
  page: {
    order: EarlierOrder;
    isDescending: boolean;
    limit: number;
    offset: number;
    /** The quote after which they begin, instead of an offset. */
    afterId?: string | null;
  },
): Promise<EarlierQuote[]> {
  const direction = page.isDescending ? sql`desc` : sql`asc`;
  const byCurrency = page.order === 'amount' ? sql`${CURRENCY}, ` : sql``;
  let query = matching(snapshot, filter);
  if (page.afterId != null) query = query.where(comesAfter(page.afterId, page));
  const rows = await query
    .select([
      'quotes.quote_id',
      sql<string | null>`request::json ->> 'title'`.as('title'),
      sql<string | null>`result::json ->> 'preparedFor'`.as('prepared_for'),
      'customer_id',
      'plan_id',
      CURRENCY.as('currency'),
      OFFERED.as('offered_amount'),
      'created_by',
      'created_at',
      'valid_until',
      'accepted_by',
      'accepted_at',
    ])
    .orderBy(sql`${byCurrency}${ORDERS[page.order]} ${direction} nulls last, quotes.quote_id ${direction}`)
    .limit(page.limit)
    .offset(page.offset)
    .execute();
  return rows.map(camelRow);
}

/** That a quote comes after one in the order; the values of that one are read where it is, exactly. */
function comesAfter(
  afterId: string,
  { order, isDescending }: { order: EarlierOrder; isDescending: boolean },
): RawBuilder<boolean> {
  const value = ORDERS[order];
  const beyond = isDescending ? sql`<` : sql`>`;
  const last = (of: RawBuilder<unknown>) => sql`(select ${of} from quotes where quote_id = ${afterId})`;
  const isAfter = sql<boolean>`case when ${last(value)} is null then ${value} is null and quotes.quote_id ${beyond} ${afterId}
    else ${value} is null or ${value} ${beyond} ${last(value)}
      or (${value} = ${last(value)} and quotes.quote_id ${beyond} ${afterId}) end`;
  return order === 'amount'
    ? sql<boolean>`(${CURRENCY} > ${last(CURRENCY)} or (${CURRENCY} = ${last(CURRENCY)} and ${isAfter}))`
    : isAfter;
}

/** How many there are. */
export async function countEarlierQuotes(snapshot: LedgerSnapshot, filter: EarlierFilter): Promise<number> {
  const { count } = await matching(snapshot, filter)
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

function matching(snapshot: LedgerSnapshot, { text, createdBy, customerId, state, now }: EarlierFilter) {
  let query = snapshot
    .selectFrom('quotes')
    .leftJoin('quote_acceptances as accepted', 'accepted.quote_id', 'quotes.quote_id');
  if (text !== undefined) {
    const part = holding(text);
    query = query.where(
      sql<boolean>`(quotes.quote_id ilike ${part} or customer_id ilike ${part} or request::json ->> 'title' ilike ${part}
        or request::json ->> 'preparedFor' ilike ${part})`,
    );
  }
  if (createdBy !== undefined) query = query.where('created_by', 'ilike', holding(createdBy));
  if (customerId !== undefined) query = query.where('customer_id', '=', customerId);
  if (state === 'accepted') return query.where('accepted_at', 'is not', null);
  if (state !== undefined) query = query.where('accepted_at', 'is', null);
  if (state === 'open') query = query.where('valid_until', '>', now);
  if (state === 'expired') query = query.where('valid_until', '<=', now);
  return query;
}

/** What people call quotes: for whom they are, else their title; those that say neither are left out. */
export async function readQuoteNames(
  snapshot: LedgerSnapshot,
  quoteIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (quoteIds.length === 0) return new Map();
  const name = sql<
    string | null
  >`coalesce(nullif(result::json ->> 'preparedFor', ''), nullif(request::json ->> 'title', ''), customer_id)`;
  const rows = await snapshot
    .selectFrom('quotes')
    .select(['quote_id', name.as('name')])
    .where('quote_id', 'in', quoteIds)
    .execute();
  return new Map(rows.flatMap((row) => (row.name === null ? [] : [[row.quote_id, row.name] as const])));
}
