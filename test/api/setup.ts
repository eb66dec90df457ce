import { type ApiScope, createApiKey } from '../../src/identity/api-keys.ts';
import type { Api } from '../../src/platform/http/dependencies.ts';
import type { AppDependencies } from '../../src/service/app.ts';
import { createApp } from '../../src/service/app.ts';
import type { BillingInvoice, BillingSystem } from '../../src/stripe/port.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

/** Stripe as these tests need it: previews that a test sets, and nothing else. */
class PreviewOnlyBilling implements BillingSystem {
  readonly previews = new Map<string, BillingInvoice>();
  previewCallCount = 0;
  failure: Error | null = null;

  async previewInvoice(query: { subscriptionId: string }): Promise<BillingInvoice> {
    this.previewCallCount += 1;
    if (this.failure !== null) throw this.failure;
    const invoice = this.previews.get(query.subscriptionId);
    if (invoice === undefined) throw new Error(`the test set no preview for ${query.subscriptionId}`);
    return invoice;
  }
  readCatalog = notUsed;
  readCatalogObjects = notUsed;
  sendMeterEvent = notUsed;
  readEventSummaries = notUsed;
  readMeterErrors = notUsed;
  listCreditGrants = notUsed;
  readCreditBalance = notUsed;
  describe = notUsed;
}

async function notUsed(): Promise<never> {
  throw new Error('the API must not call this');
}

class SettableClock {
  instant: Date;
  constructor(text: string) {
    this.instant = new Date(text);
  }
  now(): Date {
    return this.instant;
  }
}

export interface ApiBench {
  ledger: TestLedger;
  api: Api;
  billing: PreviewOnlyBilling;
  clock: SettableClock;
  keys: Record<ApiScope, string>;
  /** A request with the key of a scope (`admin` unless named; null: none). */
  call(path: string, init?: RequestInit & { scope?: ApiScope | null }): Promise<Response>;
  close(): Promise<void>;
}

/** The API over a real ledger of its own, with one key for each scope. */
export async function createApiBench(more: Partial<AppDependencies> = {}): Promise<ApiBench> {
  const ledger = await createTestLedger();
  const billing = new PreviewOnlyBilling();
  const clock = new SettableClock('2026-11-21T10:30:00.000Z');
  const api = createApp({ database: ledger.database, clock, billing, version: '0.0.0-test', ...more });
  const makeKey = async (scope: ApiScope) =>
    (
      await createApiKey(ledger.database, {
        name: `${scope} key`,
        scopes: [scope],
        actor: 'test',
        now: clock.now(),
      })
    ).plainKey;
  const keys = {
    sales: await makeKey('sales'),
    finance: await makeKey('finance'),
    portal: await makeKey('portal'),
    gateway: await makeKey('gateway'),
    admin: await makeKey('admin'),
  };
  return {
    ledger,
    api,
    billing,
    clock,
    keys,
    call: async (path, init = {}) => {
      const { scope = 'admin', ...request } = init;
      const headers = new Headers(request.headers);
      if (scope !== null) headers.set('authorization', `Bearer ${keys[scope]}`);
      return await api.request(path, { ...request, headers });
    },
    close: () => ledger.close(),
  };
}
