import type { Config } from '../platform/config.ts';
import { TallystickError } from '../platform/errors.ts';
import { createStripe } from '../stripe/client.ts';
import type { InvoiceSystem } from '../stripe/closing/port.ts';
import type { BillingSystem } from '../stripe/port.ts';

/** Stripe as configured; without a key one that says so at the first call, for commands that may need none. */
export function createOptionalBilling(config: Config): BillingSystem {
  const { STRIPE_API_KEY } = config;
  if (STRIPE_API_KEY !== undefined) return createStripe({ ...config, STRIPE_API_KEY });
  const refuse = async (): Promise<never> => {
    throw new TallystickError('STRIPE_API_KEY is missing.', {
      code: 'CONFIG',
      retry: false,
      fix: 'Set it to ask Stripe.',
    });
  };
  return {
    readCatalog: refuse,
    readCatalogObjects: refuse,
    sendMeterEvent: refuse,
    readEventSummaries: refuse,
    readMeterErrors: refuse,
    previewInvoice: refuse,
    listCreditGrants: refuse,
    readCreditBalance: refuse,
    describe: refuse,
  };
}

/** What reads invoices that the ledger does not have yet; nothing without a key. */
export function createOptionalInvoicing(config: Config): { invoicing?: InvoiceSystem } {
  const { STRIPE_API_KEY } = config;
  return STRIPE_API_KEY === undefined
    ? {}
    : { invoicing: createStripe({ ...config, STRIPE_API_KEY }).invoicing };
}
