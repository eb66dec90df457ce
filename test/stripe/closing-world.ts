import { DAY_MS } from '../../src/platform/clock.ts';
import { meterEvent, openAccount, START_MS, type TestAccountOptions } from './account.ts';

/** Customer 0 of the scenario: first period from 1 to 4 November 2026, then monthly. */
export const FIRST_END_MS = START_MS + 3 * DAY_MS;

/** An account, one of its customers at hand, and its clock. */
export async function openClosing(options: TestAccountOptions = {}) {
  const account = await openAccount({ gracePeriodHours: 48, ...options });
  const customer = await account.customer(0);
  const goTo = (nowMs: number) => {
    account.clock.advanceTo(nowMs);
    account.standIn.advance(account.clock.nowMs());
  };
  return {
    ...account,
    ...customer,
    invoicing: account.billing.invoicing,
    goTo,
    use: (value: bigint, atMs: number, eventName = 'gpt_4o_prompt_tokens') =>
      account.billing.sendMeterEvent(
        meterEvent({ stripeCustomerId: customer.id, value, timestamp: new Date(atMs), eventName }),
      ),
    reports: () =>
      account.standIn.invoiceReport().filter((invoice) => invoice.customer === customer.tenantKey),
    /** The newest invoice of the customer. */
    invoiceId: () =>
      account.standIn
        .invoiceReport()
        .filter((invoice) => invoice.customer === customer.tenantKey)
        .at(-1)?.invoiceId ?? '',
  };
}

export type ClosingWorld = Awaited<ReturnType<typeof openClosing>>;
