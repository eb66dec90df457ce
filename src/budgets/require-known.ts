import { sql } from 'kysely';
import type { BudgetTerms } from '../../pricing/budgets/budget.ts';
import { getCustomer } from '../catalog/customers.ts';
import { readConversions } from '../costs/exchange/rates.ts';
import { CustomerRateReader } from '../plans/customer-rates.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import { ValidationError } from '../platform/errors.ts';
import { readBillingPeriods } from './periods.ts';

/**
 * Whether a budget can be judged at all: it is of somebody known, in a currency that there is a rate for, and of revenue only where
 * something is paid.
 * @throws ValidationError with the field; TallystickError UNKNOWN_CUSTOMER
 */
export async function requireKnown(
  transaction: LedgerTransaction,
  { customerId, subject, period, measure, currency }: BudgetTerms,
  now: Date,
): Promise<void> {
  const customer = customerId === null ? null : await getCustomer(transaction, customerId);
  if (customer !== null && subject !== null) await requireUser(transaction, customer.customerId, subject);
  if (period === 'billing_period' && customer !== null) {
    const periods = await readBillingPeriods(transaction, [customer.customerId], now);
    if (!periods.has(customer.customerId)) {
      throw new ValidationError(
        'period',
        `customer ${customer.customerId} has no subscription`,
        'Take a month.',
      );
    }
  }
  if (currency !== null) await requireRate(transaction, currency, now);
  if (measure === 'revenue' && customer !== null) {
    const rates = await new CustomerRateReader().read(transaction, [customer.customerId]);
    if ((rates.get(customer.customerId)?.rates.length ?? 0) === 0) {
      throw new ValidationError(
        'measure',
        `customer ${customer.customerId} has no price, so that nothing it uses brings anything`,
        'Take a budget of cost, or give it a price first.',
      );
    }
  }
}

async function requireUser(
  transaction: LedgerTransaction,
  customerId: string,
  subject: string,
): Promise<void> {
  const found = await sql<{ customer_id: string | null }>`
    select customer_id from subjects where subject = ${subject}`.execute(transaction);
  if (found.rows[0]?.customer_id === customerId) return;
  throw new ValidationError(
    'subject',
    `${subject.slice(0, 100)} is no user of customer ${customerId}`,
    'GET /v1/subjects lists them.',
  );
}

async function requireRate(transaction: LedgerTransaction, currency: string, now: Date): Promise<void> {
  const conversions = await readConversions(transaction, {
    window: { end: addMs(now, DAY_MS) },
    currencies: [currency],
    now,
  });
  const found = conversions.get(currency);
  if (found === undefined || typeof found === 'object') return;
  throw new ValidationError(
    'currency',
    found === 'no_exchange_rate'
      ? `costs are in usd, and there is no exchange rate to ${currency}`
      : `costs are in usd, and the newest exchange rate to ${currency} is too old`,
    'Import rates with "tallystick exchange import", or take a budget in usd.',
  );
}
