import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
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
  const use = (value: bigint, atMs: number, eventName = 'gpt_4o_prompt_tokens') =>
    account.billing.sendMeterEvent(
      meterEvent({ stripeCustomerId: customer.id, value, timestamp: new Date(atMs), eventName }),
    );
  const reports = () =>
    account.standIn.invoiceReport().filter((invoice) => invoice.customer === customer.tenantKey);
  /** The newest invoice of the customer. */
  const invoiceId = () => reports().at(-1)?.invoiceId ?? '';
  return {
    ...account,
    ...customer,
    invoicing: account.billing.invoicing,
    goTo,
    use,
    reports,
    invoiceId,
    /** On the second day. A million prompt tokens are 3.00 USD, completion tokens 12.00. */
    useOnSecondDay: async (prompt: bigint, completion = 0n) => {
      const at = START_MS + DAY_MS;
      goTo(at + MINUTE_MS);
      await use(prompt, at);
      if (completion > 0n) await use(completion, at, 'gpt_4o_completion_tokens');
    },
    /** The first period's, an hour after its end. */
    draft: async () => {
      goTo(FIRST_END_MS + HOUR_MS);
      return await account.sdk.invoices.retrieve(invoiceId());
    },
    finalize: (id: string) => account.sdk.invoices.finalizeInvoice(id),
  };
}

export type ClosingWorld = Awaited<ReturnType<typeof openClosing>>;
