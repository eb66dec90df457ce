import { type CreditGrant, type CreditLeft, grantsFor } from '../../pricing/invoices/credits.ts';
import { toTallystickError } from '../platform/errors.ts';
import type { ApiLog } from '../platform/http/dependencies.ts';
import type { BillingSystem, CreditBalance } from '../stripe/port.ts';

/** Each costs a read, and a person waits. */
const MAX_BALANCES = 25;
const GRANTS_PER_PAGE = 100;

/** What Stripe says of a customer's billing credits for an invoice. */
export type StripeCredits =
  | {
      status: 'ok';
      /** In the order in which they are used up; grants of which nothing is left are not here. */
      left: readonly CreditLeft[];
      /** Whether a part of them stands on a draft: Stripe has less to give than its ledger. */
      isClaimed: boolean;
    }
  | { status: 'unavailable'; reason: string };

export const NO_CREDITS: StripeCredits = { status: 'ok', left: [], isClaimed: false };

interface CreditsReader {
  billing: Pick<BillingSystem, 'listCreditGrants' | 'readCreditBalance'>;
  now: Date;
  /** Takes a read, or so many, out of the day's budget; false: they are used up. */
  takeRead: (readCount?: number) => Promise<boolean>;
  log?: ApiLog | undefined;
}

interface CreditsQuery {
  stripeCustomerId: string;
  currency: string;
  /** The invoice's `period_end`. */
  endsAt: Date;
}

/**
 * Billing credits that are left for an invoice: the customer's grants, and the balance of each that is for it. A failure is an
 * answer, not an error: a key that may not read them, or a day's budget of reads that is used up.
 */
export async function readStripeCredits(
  { billing, now, takeRead, log }: CreditsReader,
  query: CreditsQuery,
  signal?: AbortSignal,
): Promise<StripeCredits> {
  const { stripeCustomerId, currency } = query;
  if (!(await takeRead())) return { status: 'unavailable', reason: 'READ_BUDGET_SPENT' };
  try {
    const all = await billing.listCreditGrants(stripeCustomerId, signal);
    const pageCount = Math.ceil(all.length / GRANTS_PER_PAGE);
    if (pageCount > 1) await takeRead(pageCount - 1);
    const grants = grantsFor(all, query);
    let readCount = 0;
    const balances = await readBalances(grants, now, async (grantId) => {
      readCount += 1;
      if (readCount > MAX_BALANCES || !(await takeRead())) return null;
      return await billing.readCreditBalance({ stripeCustomerId, currency, grantId }, signal);
    });
    if (balances === null)
      return {
        status: 'unavailable',
        reason: readCount > MAX_BALANCES ? 'TOO_MANY_CREDIT_GRANTS' : 'READ_BUDGET_SPENT',
      };
    const left = grants.map((grant) => ({ grant, balance: balances.get(grant.grantId) ?? NOTHING }));
    return {
      status: 'ok',
      left: left
        .filter(({ balance }) => balance.ledgerMinor > 0n)
        .map(({ grant: { priceIds }, balance }) => ({ priceIds, leftMinor: balance.ledgerMinor })),
      isClaimed: left.some(
        ({ grant, balance }) => grant.effectiveAt <= now && balance.availableMinor < balance.ledgerMinor,
      ),
    };
  } catch (error) {
    log?.warn({ err: error, stripeCustomerId }, 'Stripe does not tell what billing credits are left');
    return { status: 'unavailable', reason: toTallystickError(error).code };
  }
}

const NOTHING: CreditBalance = { ledgerMinor: 0n, availableMinor: 0n };

/**
 * The balance of each grant. Used up grants stay in Stripe's list for good: where there are several, the sum of all says when
 * the rest has nothing left. Stripe's page does not say whether that sum counts grants for single prices or such that are not
 * for this invoice; either way it is no less than what the grants for any metered price have that are in effect now, and once
 * these have as much the others have nothing.
 * @param read null: it may not be read any more
 */
async function readBalances(
  grants: readonly CreditGrant[],
  now: Date,
  read: (grantId: string | null) => Promise<CreditBalance | null>,
): Promise<Map<string, CreditBalance> | null> {
  const balances = new Map<string, CreditBalance>();
  const general = grants.filter(({ priceIds }) => priceIds === null);
  const whole = general.length > 1 ? await read(null) : undefined;
  if (whole === null) return null;
  let found = 0n;
  // The newest are the likeliest to have something left.
  const inTurn = grants.toSorted((one, other) => +other.createdAt - +one.createdAt);
  for (const { grantId, priceIds, effectiveAt } of inTurn) {
    const isCounted = priceIds === null && effectiveAt <= now;
    if (isCounted && whole !== undefined && found >= whole.ledgerMinor) continue;
    const balance = await read(grantId);
    if (balance === null) return null;
    balances.set(grantId, balance);
    if (isCounted) found += balance.ledgerMinor;
  }
  return balances;
}
