import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditWatch, isAudited, watchAudit } from '../setup/audit-watch.ts';
import { insertAuditWorld } from './audit-world.ts';
import { UNNAMED_METER } from './listed-prices.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
let watch: AuditWatch;
const ids: Record<string, string> = {};
beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  Object.assign(ids, await insertAuditWorld(database, bench.clock.now()));
  const quote = await bench.call('/v1/quotes', {
    method: 'POST',
    body: JSON.stringify(QUOTE),
    headers: { 'content-type': 'application/json' },
  });
  ids.quote = ((await quote.json()) as { quoteId: string }).quoteId;
  const post = async (path: string) => {
    const body = JSON.stringify({ customerId: 'adatum' });
    const headers = { 'content-type': 'application/json' };
    const response = await bench.call(path, { method: 'POST', body, headers });
    return (await response.json()) as Record<string, string>;
  };
  ids.link = (await post('/v1/portal/links')).linkId ?? '';
  ids.session = (await post('/v1/portal/sessions')).sessionId ?? '';
  // When a key was used last is noted without an audit row, now and then.
  await bench.call('/v1/enforcement', { scope: 'gateway' });
  watch = await watchAudit(database);
});
afterAll(() => bench.close());

interface Expected {
  path: () => string;
  body?: object | string;
  /** Of the key that calls, where it is not `admin`: its old secret opens nothing afterwards. */
  scope?: 'gateway';
  status: number;
  /** What each transaction with an audit row says, in order; empty: none has one, and nothing watched has changed. */
  actions: string[][];
}

const RATES = `plan: audited
name: Audited
currency: usd
versions:
  - effectiveFrom: 2026-12-01
    rates:
      - { model: gpt-4o, tokenType: prompt, perMillion: 5 }`;
const reason = 'for the test';
const QUOTE = { usage: [{ model: 'gpt-4o', promptTokenCount: 1_000, completionTokenCount: 10 }] };

/** One good request for every route that is no GET. */
const REQUESTS: Record<string, Expected> = {
  'PUT /v1/customers/{customerId}': {
    path: () => '/v1/customers/contoso',
    body: { name: 'Contoso', tenantKey: 'contoso', stripeCustomerId: null },
    status: 201,
    actions: [['customer.put'], ['quarantine.release']],
  },
  'PUT /v1/customers/{customerId}/display-names': {
    path: () => '/v1/customers/adatum/display-names',
    body: { names: { 'user-3': 'Ada' } },
    status: 200,
    actions: [['display_names.set']],
  },
  'PUT /v1/subjects/{subject}': {
    path: () => '/v1/subjects/other',
    body: { customerId: 'adatum' },
    status: 200,
    actions: [['subject.assign'], ['quarantine.release']],
  },
  'POST /v1/quarantine/{id}/assign': {
    path: () => `/v1/quarantine/${ids.assigned}/assign`,
    body: { customerId: 'adatum' },
    status: 200,
    // Whose the subject is from now on, and what it was said for.
    actions: [['subject.assign', 'quarantine.assign'], ['quarantine.release']],
  },
  'POST /v1/quarantine/{id}/retry': {
    path: () => `/v1/quarantine/${ids.retried}/retry`,
    status: 202,
    actions: [['quarantine.retry']],
  },
  'POST /v1/quarantine/{id}/accept': {
    status: 202,
    path: () => `/v1/quarantine/${ids.accepted}/accept`,
    body: { reason: 'test' },
    actions: [['quarantine.accept']],
  },
  'POST /v1/quarantine/{id}/write-off': {
    path: () => `/v1/quarantine/${ids.writtenOff}/write-off`,
    body: { reason },
    status: 200,
    actions: [['quarantine.write_off']],
  },
  'POST /v1/closes/{invoiceId}/release': {
    path: () => '/v1/closes/in_1/release',
    body: { reason },
    status: 202,
    actions: [['close.release']],
  },
  'POST /v1/credit-proposals/{id}/approve': {
    path: () => `/v1/credit-proposals/${ids.approved}/approve`,
    body: {},
    status: 202,
    actions: [['credit.approve']],
  },
  'POST /v1/credit-proposals/{id}/reject': {
    path: () => `/v1/credit-proposals/${ids.rejected}/reject`,
    body: { reason },
    status: 200,
    actions: [['credit.reject']],
  },
  'POST /v1/alerts/{id}/acknowledge': {
    path: () => `/v1/alerts/${ids.seenAlert}/acknowledge`,
    body: { reason },
    status: 200,
    actions: [['alerts.acknowledge']],
  },
  'POST /v1/alerts/{id}/resend': {
    path: () => `/v1/alerts/${ids.givenUpAlert}/resend`,
    body: { routeId: 'route_tested0000000000' },
    status: 202,
    actions: [['alerts.resend']],
  },
  'POST /v1/alert-routes': {
    path: () => '/v1/alert-routes',
    body: { name: 'new', channel: 'email', emailAddresses: ['a@example.com'] },
    status: 201,
    actions: [['alert_routes.create']],
  },
  'POST /v1/alert-routes/{id}/test': {
    path: () => '/v1/alert-routes/route_tested0000000000/test',
    body: {},
    status: 202,
    actions: [['alert_routes.test']],
  },
  'POST /v1/alert-routes/{id}/end': {
    path: () => '/v1/alert-routes/route_ended00000000000/end',
    body: {},
    status: 200,
    actions: [['alert_routes.end']],
  },
  'POST /v1/budgets': {
    path: () => '/v1/budgets',
    body: { name: 'all', scope: 'all', period: 'month', currency: 'usd', limit: '50' },
    status: 201,
    actions: [['budgets.create']],
  },
  'POST /v1/budgets/{id}/change': {
    path: () => '/v1/budgets/bud_changed/change',
    body: { limit: '51' },
    status: 200,
    actions: [['budgets.change']],
  },
  'POST /v1/budgets/{id}/grace': {
    path: () => '/v1/budgets/bud_graced/grace',
    body: { extra: '5', reason },
    status: 200,
    actions: [['budgets.grace']],
  },
  'POST /v1/budgets/{id}/end': {
    path: () => '/v1/budgets/bud_ended/end',
    body: {},
    status: 200,
    actions: [['budgets.end']],
  },
  'POST /v1/costs/changes': {
    path: () => '/v1/costs/changes',
    body: {
      kind: 'swap',
      feature: 'chat',
      fromModel: 'gpt-4o',
      toModel: 'gpt-4o-mini',
      madeOn: '2026-11-01',
    },
    status: 200,
    actions: [['changes.record']],
  },
  'POST /v1/anomalies/{id}/acknowledge': {
    path: () => `/v1/anomalies/${ids.realFinding}/acknowledge`,
    body: {},
    status: 200,
    actions: [['anomalies.acknowledge']],
  },
  'POST /v1/anomalies/{id}/dismiss': {
    path: () => `/v1/anomalies/${ids.vainFinding}/dismiss`,
    body: { reason },
    status: 200,
    actions: [['anomalies.dismiss']],
  },
  'POST /v1/anomalies/{id}/snooze': {
    path: () => `/v1/anomalies/${ids.laterFinding}/snooze`,
    body: { until: '2026-11-30T08:00:00Z' },
    status: 200,
    actions: [['anomalies.snooze']],
  },
  'POST /v1/enforcement/steps/{id}/lift': {
    path: () => `/v1/enforcement/steps/${ids.liftedStep}/lift`,
    body: { until: '2026-11-30T08:00:00Z', reason },
    status: 200,
    actions: [['enforcement.lift']],
  },
  'POST /v1/enforcement/steps/{id}/restore': {
    path: () => `/v1/enforcement/steps/${ids.restoredStep}/restore`,
    body: {},
    status: 200,
    actions: [['enforcement.restore']],
  },
  'POST /v1/uninvoiced/{id}/write-off': {
    path: () => `/v1/uninvoiced/${ids.givenUp}/write-off`,
    body: { reason },
    status: 200,
    actions: [['uninvoiced.write_off']],
  },
  'POST /v1/uninvoiced/{id}/due-again': {
    path: () => `/v1/uninvoiced/${ids.dueAgain}/due-again`,
    body: { reason },
    status: 200,
    actions: [['uninvoiced.due_again']],
  },
  'POST /v1/invoices/{invoiceId}/usage': {
    path: () => '/v1/invoices/in_void/usage',
    body: { choice: 'written_off', reason },
    status: 200,
    actions: [['invoice.choose', 'uninvoiced.write_off']],
  },
  'POST /v1/second-person/{id}/agree': {
    path: () => `/v1/second-person/${ids.agreedTo}/agree`,
    status: 200,
    actions: [['credit.approve', 'second_person.agree']],
  },
  'POST /v1/second-person/{id}/decline': {
    path: () => `/v1/second-person/${ids.declined}/decline`,
    body: { reason },
    status: 200,
    actions: [['second_person.decline']],
  },
  'POST /v1/recounts/approve': {
    path: () => '/v1/recounts/approve',
    body: { customerId: 'northwind', month: '2026-09', cause: 'told_apart' },
    status: 202,
    actions: [['recount.approve']],
  },
  'POST /v1/recounts/reject': {
    path: () => '/v1/recounts/reject',
    body: { customerId: 'northwind', month: '2026-10', cause: 'told_apart', reason },
    status: 202,
    actions: [['recount.reject']],
  },
  'POST /v1/prices': {
    path: () => '/v1/prices',
    body: {
      reason,
      prices: [{ model: 'o3', tokenType: 'prompt', amount: '1.80', effectiveFrom: '2026-12-01' }],
    },
    status: 201,
    actions: [['price_book.add']],
  },
  'POST /v1/exchange-rates/import': {
    path: () => '/v1/exchange-rates/import',
    body: 'Date,USD\n2026-11-20,1.08\n',
    status: 201,
    actions: [['exchange_rates.import']],
  },
  'POST /v1/prices/import': {
    path: () => `/v1/prices/import?reason=${encodeURIComponent(reason)}`,
    body: `prices:
  - { model: o3, tokenType: prompt, amount: 1.70, effectiveFrom: 2027-01-01 }`,
    status: 201,
    actions: [['price_book.import']],
  },
  'POST /v1/deployments': {
    path: () => '/v1/deployments',
    body: { reason, deployments: [{ deployment: 'chat-*', model: 'o3' }] },
    status: 201,
    actions: [['price_book.deployment']],
  },
  'POST /v1/prices/sync': { path: () => '/v1/prices/sync', status: 202, actions: [['price_sync.request']] },
  'POST /v1/prices/sync/items/{id}/accept': {
    path: () => `/v1/prices/sync/items/${ids.largeChange}/accept`,
    body: { reason },
    status: 200,
    // What was decided, and what the book became by it.
    actions: [['price_book.sync', 'price_sync.accept']],
  },
  'POST /v1/prices/sync/items/{id}/reject': {
    path: () => `/v1/prices/sync/items/${ids.unmapped}/reject`,
    body: { reason },
    status: 200,
    actions: [['price_sync.reject']],
  },
  'PUT /v1/prices/meters/{meterId}': {
    path: () => `/v1/prices/meters/${UNNAMED_METER}`,
    body: { target: null, note: reason },
    status: 200,
    actions: [['retail_meter.map']],
  },
  'POST /v1/plans': { path: () => '/v1/plans', body: RATES, status: 201, actions: [['plan.record']] },
  'POST /v1/provisioned': {
    path: () => '/v1/provisioned',
    body: {
      deployment: 'ptu-1',
      from: '2026-11-20T05:00:00Z',
      unitCount: 10,
      unitIncrement: 10,
      hourlyUsdPerUnit: '1',
      tokensPerMinutePerUnit: 1_000,
      completionWeight: '4',
    },
    status: 201,
    actions: [['provisioned.add']],
  },
  'POST /v1/rescans': {
    path: () => '/v1/rescans',
    body: { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' },
    status: 202,
    actions: [['rescan.request']],
  },
  'POST /v1/reconciliations': {
    path: () => '/v1/reconciliations',
    body: { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' },
    status: 202,
    actions: [['reconciliation.request']],
  },
  'POST /v1/statements/{invoiceId}/links': {
    path: () => '/v1/statements/in_1/links',
    body: {},
    status: 201,
    actions: [['statement.link']],
  },
  'POST /v1/statements/preview/{customerId}/links': {
    path: () => '/v1/statements/preview/northwind/links',
    body: {},
    status: 201,
    actions: [['statement.link']],
  },
  // Quotes and simulations change nothing: each is stored with its author.
  'POST /v1/quotes': {
    path: () => '/v1/quotes',
    body: QUOTE,
    status: 201,
    actions: [],
  },
  'POST /v1/quotes/{quoteId}/links': {
    path: () => `/v1/quotes/${ids.quote}/links`,
    status: 201,
    actions: [['link.make']],
  },
  'POST /v1/portal/links': {
    path: () => '/v1/portal/links',
    body: { customerId: 'northwind' },
    status: 201,
    actions: [['link.make']],
  },
  'POST /v1/keys/own/exchange': {
    path: () => '/v1/keys/own/exchange',
    scope: 'gateway',
    status: 201,
    actions: [['key.exchange']],
  },
  'POST /v1/links/{linkId}/withdraw': {
    path: () => `/v1/links/${ids.link}/withdraw`,
    status: 200,
    actions: [['link.withdraw']],
  },
  'POST /v1/customers/{customerId}/links/withdraw': {
    path: () => '/v1/customers/northwind/links/withdraw',
    status: 200,
    actions: [['links.withdraw']],
  },
  // One for each frame that a host shows; the session itself says whose it is and by which key.
  'POST /v1/portal/sessions': {
    path: () => '/v1/portal/sessions',
    body: { customerId: 'adatum' },
    status: 201,
    actions: [],
  },
  'DELETE /v1/portal/sessions/{sessionId}': {
    path: () => `/v1/portal/sessions/${ids.session}`,
    status: 200,
    actions: [],
  },
  'POST /v1/quotes/{quoteId}/recompute': {
    path: () => `/v1/quotes/${ids.quote}/recompute`,
    status: 200,
    actions: [],
  },
  'POST /v1/simulations': {
    path: () => '/v1/simulations',
    body: {
      from: '2026-11-20T00:00:00Z',
      to: '2026-11-21T00:00:00Z',
      scenarios: [{ name: 'markup', markupPercent: '100' }],
    },
    status: 201,
    actions: [],
  },
};

async function send(route: string): Promise<Response> {
  const { path, body, scope = 'admin' } = REQUESTS[route] as Expected;
  const isText = typeof body === 'string';
  return await bench.call(path(), {
    scope,
    method: route.split(' ')[0] as string,
    ...(body === undefined
      ? {}
      : {
          body: isText ? body : JSON.stringify(body),
          headers: { 'content-type': isText ? 'application/yaml' : 'application/json' },
        }),
  });
}

describe('every route that changes something', () => {
  it('is among those that are tried here', async () => {
    const document = (await (await bench.call('/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => !['get', 'parameters'].includes(method))
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(Object.keys(REQUESTS).sort()).toEqual(routes.sort());
  });

  it.each(Object.keys(REQUESTS))(
    '%s writes its audit row in the transaction of the change',
    async (route) => {
      const { status, actions } = REQUESTS[route] as Expected;
      if (actions.length > 0) {
        expect((await withoutAuditLog(() => send(route))).status).toBe(500);
        expect(await watch.take()).toEqual([]);
      }
      const response = await send(route);
      expect(response.status, await response.clone().text()).toBe(status);
      const transactions = await watch.take();
      expect(transactions.filter((transaction) => !isAudited(transaction))).toEqual([]);
      expect(transactions.map((transaction) => transaction.actions)).toEqual(actions);
      const actors = transactions.flatMap((transaction) => transaction.actors);
      expect(
        actors.filter(
          (actor) => !/^(key:other \(key_other\), agreed by )?key:(admin|gateway) key \(key_/.test(actor),
        ),
      ).toEqual([]);
    },
  );
});

/** While no audit row can be written. */
async function withoutAuditLog<Result>(work: () => Promise<Result>): Promise<Result> {
  const { database } = bench.ledger;
  await sql`create function refuse_audit() returns trigger language plpgsql as $$ begin raise 'no audit'; end $$`.execute(
    database,
  );
  await sql`create trigger refuse_audit before insert on audit_log for each row execute function refuse_audit()`.execute(
    database,
  );
  return await work().finally(() => sql`drop function refuse_audit cascade`.execute(database));
}
