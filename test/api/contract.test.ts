import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listQuarantine } from '../../src/quarantine/entries.ts';
import { requestReconciliation } from '../../src/reconciliation/reconciliations.ts';
import { requestRescan } from '../../src/usage/collection/rescans.ts';
import { insertListedPrices, UNNAMED_METER } from './listed-prices.ts';
import { type OpenApiDocument, responseValidator } from './openapi-schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, storeLines } from './statement-world.ts';
import { insertCatalog, insertUsage, STEADY_USE, stripePreview } from './world.ts';

let bench: ApiBench;
let document: OpenApiDocument;
/** Ids that the requests below name. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await insertUsage(database, [
    { hour: '2026-11-20T09:00:00Z', tokens: 100n, push: { meterId: 'mtr_prompt', status: 'delivered' } },
    { hour: '2026-11-20T10:00:00Z', tokens: 2n, push: { meterId: 'mtr_prompt', status: 'refused' } },
    { hour: '2026-11-20T14:00:00Z', tokens: 2n, push: { meterId: 'mtr_prompt', status: 'refused' } },
    { hour: '2026-11-20T11:00:00Z', tokens: 3n, model: '🦄'.repeat(300), quarantine: 'no_binding' },
    { hour: '2026-11-20T12:00:00Z', tokens: 40n, tokenType: 'completion' },
    { hour: '2026-11-20T13:00:00Z', tokens: 4n, subject: 'stray', customer: null, quarantine: 'no_customer' },
    { hour: '2026-10-20T13:00:00Z', tokens: 4n, quarantine: 'carry_to_next_invoice' },
    ...STEADY_USE,
  ]);
  await database
    .insertInto('watermarks')
    .values({ source: 'app-metrics', position: new Date('2026-11-21T10:20:00Z'), updated_at: new Date() })
    .execute();
  bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 50n }));
  await insertInvoice(database, { id: 'in_1' });
  const line = { subscriptionItemId: 'si_northwind_prompt', quantity: 100n, unitAmountDecimal: '0.0003' };
  await storeLines(database, { id: 'in_1', lines: [{ lineId: 'il_1', ...line, amountMinor: 1n }] });
  for (const [name, reason] of [
    ['waiting', 'no_customer'],
    ['unbound', 'no_binding'],
    ['refused', 'refused_by_stripe'],
  ] as const) {
    const [entry, second] = await listQuarantine(database, { reason }, { after: null, limit: 2 });
    ids[name] = entry?.quarantineId ?? '';
    if (name === 'refused') ids.retried = second?.quarantineId ?? '';
  }
  const day = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-11-02T00:00:00Z') };
  const now = bench.clock.now();
  ids.rescan = (await requestRescan(database, { window: day, requestedBy: 'test', now })).rescanId;
  const asked = { window: day, customerId: null, requestedBy: 'test', now };
  ids.reconciliation = (await requestReconciliation(database, asked)).reconciliationId;
  Object.assign(ids, await insertListedPrices(database, now));
  const made = await bench.call('/v1/simulations', json('POST', simulation));
  ids.simulation = ((await made.json()) as { simulationId: string }).simulationId;
  const quoted = await bench.call('/v1/quotes', json('POST', { usage, planId: 'scale' }));
  ids.quote = ((await quoted.json()) as { quoteId: string }).quoteId;
  const reader = json('POST', { customerId: 'northwind' });
  const link = await bench.call('/v1/portal/links', reader);
  ids.link = ((await link.json()) as { linkId: string }).linkId;
  // Of another customer than the one all of whose links and sessions are ended.
  const session = await bench.call('/v1/portal/sessions', json('POST', { customerId: 'adatum' }));
  ids.session = ((await session.json()) as { sessionId: string }).sessionId;
  // What is there already, for the answers to a second request.
  for (const [path, init] of [
    ['/v1/customers/known', json('PUT', change)],
    ['/v1/provisioned', json('POST', { ...purchase, deployment: 'ptu-2' })],
    [`/v1/quarantine/${ids.retried}/retry`, { method: 'POST' }],
  ] as const) {
    expect((await bench.call(path, init)).ok, path).toBe(true);
  }
  document = (await (await bench.api.request('/openapi.json')).json()) as OpenApiDocument;
});
afterAll(() => bench.close());

const json = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const usage = [{ model: 'gpt-4o', promptTokenCount: 5, completionTokenCount: 5 }];
const target = { model: 'gpt-4o', deploymentType: 'global', tokenType: 'prompt' };
const simulation = { from: '2026-11-20', to: '2026-11-21', scenarios: [{ name: 'same' }] };
const purchase = {
  deployment: 'ptu-1',
  from: '2026-11-20T00:00:00Z',
  unitCount: 1,
  hourlyUsdPerUnit: '1',
  tokensPerMinutePerUnit: 1,
  completionWeight: '4',
};
const goldPlan = {
  plan: 'gold',
  name: 'Gold',
  currency: 'usd',
  versions: [
    { effectiveFrom: '2026-01-01', rates: [{ model: 'gpt-4o', tokenType: 'prompt', perMillion: '3.10' }] },
  ],
};
const change = { name: 'X', tenantKey: null, stripeCustomerId: null };

const price = { model: 'o3', tokenType: 'prompt', effectiveFrom: '2027-01-01' };
const deployment = { deployment: 'chat-*', model: 'gpt-4o' };
const csv = (body: string): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'text/csv' },
  body,
});

/** Path as in the document, the request, the expected status. Every operation of the document is among them. */
const CASES: [path: string, request: string, init: RequestInit & { scope?: 'gateway' }, status: number][] = [
  ['/health', '/health', {}, 200],
  ['/ready', '/ready', {}, 200],
  ['/v1/customers', '/v1/customers', {}, 200],
  ['/v1/customers', '/v1/customers?limit=x', {}, 400],
  ['/v1/customers/{customerId}', '/v1/customers/northwind', {}, 200],
  ['/v1/customers/{customerId}', '/v1/customers/nobody', {}, 404],
  ['/v1/customers/{customerId}', '/v1/customers/fresh', json('PUT', change), 201],
  ['/v1/customers/{customerId}', '/v1/customers/known', json('PUT', change), 200],
  ['/v1/customers/{customerId}', '/v1/customers/known', json('PUT', { ...change, tenantKey: 'adatum' }), 409],
  ['/v1/customers/{customerId}', '/v1/customers/fresh', json('PUT', {}), 400],
  ['/v1/customers/{customerId}', '/v1/customers/fresh', json('PUT', 'x'.repeat(300_000)), 413],
  ['/v1/customers/{customerId}/subjects', '/v1/customers/northwind/subjects', {}, 200],
  ['/v1/customers/{customerId}/invoice-preview', '/v1/customers/northwind/invoice-preview', {}, 200],
  ['/v1/customers/{customerId}/invoice-preview', '/v1/customers/adatum/invoice-preview', {}, 200],
  ['/v1/customers/{customerId}/display-names', '/v1/customers/northwind/display-names', {}, 200],
  [
    '/v1/customers/{customerId}/display-names',
    '/v1/customers/northwind/display-names',
    json('PUT', { names: { 'user-1': 'Ada', 'user-2': null } }),
    200,
  ],
  [
    '/v1/customers/{customerId}/display-names',
    '/v1/customers/northwind/display-names',
    json('PUT', { names: { 'user-1': '' } }),
    400,
  ],
  ['/v1/subjects', '/v1/subjects?unassigned=true', {}, 200],
  ['/v1/subjects/{subject}', '/v1/subjects/user-1', {}, 200],
  ['/v1/subjects/{subject}', '/v1/subjects/user-1', json('PUT', { customerId: 'adatum' }), 200],
  ['/v1/subjects/{subject}', '/v1/subjects/user-1', json('PUT', { customerId: 'nobody' }), 404],
  ['/v1/usage', '/v1/usage?period=2026-11&groupBy=customer,subject,model,feature', {}, 200],
  ['/v1/usage', '/v1/usage?period=2026-11&groupBy=tokenType', {}, 200],
  ['/v1/usage', '/v1/usage?period=11-2026', {}, 400],
  ['/v1/plans', '/v1/plans', {}, 200],
  ['/v1/plans/{planId}', '/v1/plans/scale', {}, 200],
  ['/v1/plans/{planId}', '/v1/plans/cost-plus?at=2026-06-01', {}, 200],
  ['/v1/plans/{planId}', '/v1/plans/none', {}, 404],
  ['/v1/plans', '/v1/plans', json('POST', goldPlan), 201],
  ['/v1/plans', '/v1/plans', json('POST', { ...goldPlan, currency: 'usx' }), 422],
  ['/v1/plans', '/v1/plans', json('POST', { plan: 'gold' }), 400],
  ['/v1/quotes', '/v1/quotes', json('POST', { usage }), 201],
  ['/v1/quotes', '/v1/quotes', json('POST', { likeCustomer: 'northwind', scale: '0.5' }), 201],
  ['/v1/quotes', '/v1/quotes', json('POST', { usage: [{ ...usage[0], model: 'gpt4o' }] }), 422],
  ['/v1/quotes', '/v1/quotes', json('POST', { usage, planId: 'scale', targetMarginPercent: 35 }), 201],
  ['/v1/quotes', '/v1/quotes', json('POST', { usage, customerId: 'northwind', mode: 'merge' }), 201],
  ['/v1/quotes', '/v1/quotes', json('POST', { usage, planId: 'none' }), 422],
  ['/v1/quotes', '/v1/quotes?limit=2', {}, 200],
  ['/v1/quotes/{quoteId}', '/v1/quotes/quote_AAAAAAAAAAAAAAAAAAAAAA', {}, 404],
  ['/v1/quotes/{quoteId}/recompute', '/v1/quotes/{quote}/recompute', { method: 'POST' }, 200],
  [
    '/v1/quotes/{quoteId}/recompute',
    '/v1/quotes/quote_AAAAAAAAAAAAAAAAAAAAAA/recompute',
    { method: 'POST' },
    404,
  ],
  ['/v1/costs', '/v1/costs?period=2026-11&groupBy=customer,model', {}, 200],
  ['/v1/costs', '/v1/costs?period=2026-11&groupBy=subject', {}, 400],
  ['/v1/costs/swaps', '/v1/costs/swaps?period=2026-11', {}, 200],
  ['/v1/costs/swaps', '/v1/costs/swaps', {}, 400],
  ['/v1/costs/repeats', '/v1/costs/repeats?period=2026-11', {}, 200],
  ['/v1/costs/loads', '/v1/costs/loads?period=2026-11', {}, 200],
  ['/v1/costs/changes', '/v1/costs/changes', {}, 200],
  ['/v1/costs/changes', '/v1/costs/changes', json('POST', { kind: 'swap' }), 400],
  ['/v1/costs/projection', '/v1/costs/projection?period=2026-11', {}, 200],
  ['/v1/costs/projection', '/v1/costs/projection', {}, 400],
  ['/v1/margins', '/v1/margins?period=2026-11', {}, 200],
  ['/v1/margins', '/v1/margins', {}, 400],
  ['/v1/exports/focus', '/v1/exports/focus?period=2026-11', {}, 200],
  ['/v1/exports/focus', '/v1/exports/focus?period=2026-11&perspective=invoices', {}, 200],
  ['/v1/exports/focus', '/v1/exports/focus?period=2026-11&version=0.5', {}, 400],
  ['/v1/provisioned', '/v1/provisioned', json('POST', purchase), 201],
  ['/v1/provisioned', '/v1/provisioned', json('POST', { ...purchase, deployment: 'ptu-2' }), 409],
  ['/v1/provisioned', '/v1/provisioned', json('POST', {}), 400],
  ['/v1/provisioned', '/v1/provisioned', {}, 200],
  ['/v1/simulations', '/v1/simulations', json('POST', simulation), 201],
  ['/v1/simulations', '/v1/simulations', json('POST', { ...simulation, scenarios: [] }), 400],
  [
    '/v1/simulations',
    '/v1/simulations',
    json('POST', { ...simulation, scenarios: [{ name: 'a', plan: 'nowhere' }] }),
    422,
  ],
  ['/v1/simulations', '/v1/simulations?limit=2', {}, 200],
  ['/v1/simulations', '/v1/simulations?cursor=x', {}, 400],
  ['/v1/simulations/{simulationId}', '/v1/simulations/{simulation}', {}, 200],
  ['/v1/simulations/{simulationId}', '/v1/simulations/sim_AAAAAAAAAAAAAAAAAAAAAA', {}, 404],
  ['/v1/simulations/{simulationId}/customers', '/v1/simulations/{simulation}/customers', {}, 200],
  ['/v1/prices', '/v1/prices?model=gpt-4o&limit=2', {}, 200],
  ['/v1/prices', '/v1/prices?at=soon', {}, 400],
  ['/v1/prices', '/v1/prices?model=gpt4o', {}, 422],
  ['/v1/prices', '/v1/prices', json('POST', { reason: 'x', prices: [{ ...price, amount: '1.90' }] }), 201],
  ['/v1/prices', '/v1/prices', json('POST', { reason: 'x', prices: [{ ...price, amount: '0' }] }), 400],
  [
    '/v1/prices/import',
    '/v1/prices/import?dryRun=true',
    csv('model,tokenType,amount,effectiveFrom\no3,prompt,2.00,2028-01-01\n'),
    200,
  ],
  ['/v1/prices/import', '/v1/prices/import', csv('model,tokenType,amount\no3,prompt,zero\n'), 400],
  ['/v1/prices/export', '/v1/prices/export?version=999', {}, 404],
  ['/v1/prices/diff', '/v1/prices/diff?from=2026-12-31&to=2027-01-01', {}, 200],
  ['/v1/deployments', '/v1/deployments', json('POST', { reason: 'x', deployments: [deployment] }), 201],
  ['/v1/deployments', '/v1/deployments', {}, 200],
  ['/v1/coverage', '/v1/coverage?period=2026-11', {}, 200],
  ['/v1/coverage', '/v1/coverage?from=2026-11-01', {}, 400],
  ['/v1/status', '/v1/status', {}, 200],
  ['/v1/prices/sync', '/v1/prices/sync', {}, 200],
  ['/v1/prices/sync', '/v1/prices/sync?status=lost', {}, 400],
  ['/v1/prices/sync', '/v1/prices/sync', { method: 'POST' }, 202],
  [
    '/v1/prices/sync/items/{id}/accept',
    '/v1/prices/sync/items/{largeChange}/accept',
    json('POST', { reason: 'x' }),
    200,
  ],
  [
    '/v1/prices/sync/items/{id}/accept',
    '/v1/prices/sync/items/{unmapped}/accept',
    json('POST', { reason: 'x' }),
    409,
  ],
  [
    '/v1/prices/sync/items/{id}/reject',
    '/v1/prices/sync/items/{unmapped}/reject',
    json('POST', { reason: 'x' }),
    200,
  ],
  [
    '/v1/prices/sync/items/{id}/reject',
    '/v1/prices/sync/items/99/reject',
    json('POST', { reason: 'x' }),
    404,
  ],
  [
    '/v1/prices/meters/{meterId}',
    `/v1/prices/meters/${UNNAMED_METER}`,
    json('PUT', { target, note: 'pricing page' }),
    200,
  ],
  ['/v1/prices/meters/{meterId}', '/v1/prices/meters/x', json('PUT', { target, note: 'x' }), 400],
  ['/v1/prices/meters', '/v1/prices/meters', {}, 200],
  ['/v1/quarantine', '/v1/quarantine', {}, 200],
  ['/v1/quarantine', '/v1/quarantine?stage=hourly_usage&reason=no_binding&limit=1', {}, 200],
  ['/v1/quarantine', '/v1/quarantine?stage=limbo', {}, 400],
  [
    '/v1/quarantine/{id}/assign',
    '/v1/quarantine/{waiting}/assign',
    json('POST', { customerId: 'northwind' }),
    200,
  ],
  ['/v1/quarantine/{id}/assign', '/v1/quarantine/usage-999/assign', json('POST', { customerId: 'x' }), 404],
  ['/v1/quarantine/{id}/retry', '/v1/quarantine/{refused}/retry', { method: 'POST' }, 202],
  ['/v1/quarantine/{id}/retry', '/v1/quarantine/{retried}/retry', { method: 'POST' }, 409],
  ['/v1/quarantine/{id}/accept', '/v1/quarantine/usage-999/accept', json('POST', { reason: 'x' }), 404],
  ['/v1/quarantine/{id}/write-off', '/v1/quarantine/{unbound}/write-off', json('POST', { reason: 'x' }), 200],
  ['/v1/quarantine/{id}/write-off', '/v1/quarantine/{unbound}/write-off', json('POST', {}), 400],
  ['/v1/customers/{customerId}/carried-usage', '/v1/customers/northwind/carried-usage', {}, 200],
  [
    '/v1/rescans',
    '/v1/rescans',
    json('POST', { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' }),
    202,
  ],
  [
    '/v1/rescans',
    '/v1/rescans',
    json('POST', { from: '2026-11-20T00:00:00Z', to: '2027-11-21T00:00:00Z' }),
    400,
  ],
  ['/v1/rescans/{rescanId}', '/v1/rescans/{rescan}', {}, 200],
  ['/v1/rescans/{rescanId}', '/v1/rescans/nothing', {}, 404],
  ['/v1/drift', '/v1/drift?period=2026-11&show=all', {}, 200],
  ['/v1/drift', '/v1/drift?from=2026-11-01', {}, 400],
  [
    '/v1/reconciliations',
    '/v1/reconciliations',
    json('POST', { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z', customerId: 'northwind' }),
    202,
  ],
  ['/v1/reconciliations', '/v1/reconciliations', json('POST', { from: '2026-11-20T00:00:00Z' }), 400],
  ['/v1/reconciliations/{reconciliationId}', '/v1/reconciliations/{reconciliation}', {}, 200],
  ['/v1/reconciliations/{reconciliationId}', '/v1/reconciliations/nothing', {}, 404],
  ['/v1/statements/{invoiceId}', '/v1/statements/in_1', {}, 200],
  ['/v1/statements/{invoiceId}', '/v1/statements/in_none', {}, 404],
  ['/v1/statements/preview/{customerId}', '/v1/statements/preview/northwind', {}, 200],
  ['/v1/statements/preview/{customerId}', '/v1/statements/preview/nobody', {}, 404],
  ['/v1/statements/{invoiceId}/links', '/v1/statements/in_1/links', json('POST', { validDays: 3 }), 201],
  ['/v1/statements/{invoiceId}/links', '/v1/statements/in_1/links', json('POST', { validDays: 999 }), 400],
  [
    '/v1/statements/preview/{customerId}/links',
    '/v1/statements/preview/northwind/links',
    json('POST', {}),
    201,
  ],
  ['/v1/quotes/{quoteId}/links', '/v1/quotes/{quote}/links', { method: 'POST' }, 201],
  ['/v1/quotes/{quoteId}/links', '/v1/quotes/quote_0123456789abcdef/links', { method: 'POST' }, 404],
  ['/v1/keys/own/exchange', '/v1/keys/own/exchange', { method: 'POST', scope: 'gateway' }, 201],
  ['/v1/links', '/v1/links?kind=statement&customerId=northwind&state=living', {}, 200],
  ['/v1/links', '/v1/links', { headers: { accept: 'text/csv' } }, 200],
  ['/v1/links', '/v1/links?state=dead', {}, 400],
  ['/v1/links/{linkId}/withdraw', '/v1/links/{link}/withdraw', { method: 'POST' }, 200],
  ['/v1/links/{linkId}/withdraw', '/v1/links/lnk_none/withdraw', { method: 'POST' }, 404],
  [
    '/v1/customers/{customerId}/links/withdraw',
    '/v1/customers/northwind/links/withdraw',
    { method: 'POST' },
    200,
  ],
  [
    '/v1/customers/{customerId}/links/withdraw',
    '/v1/customers/nobody/links/withdraw',
    { method: 'POST' },
    404,
  ],
  ['/v1/portal/links', '/v1/portal/links', json('POST', { customerId: 'northwind' }), 201],
  ['/v1/portal/links', '/v1/portal/links', json('POST', { customerId: 'nobody' }), 404],
  ['/v1/portal/sessions', '/v1/portal/sessions', json('POST', { customerId: 'northwind' }), 201],
  ['/v1/portal/sessions', '/v1/portal/sessions', json('POST', { customerId: 'northwind', userId: '?' }), 404],
  [
    '/v1/portal/sessions',
    '/v1/portal/sessions',
    json('POST', { customerId: 'northwind', validMinutes: 0 }),
    400,
  ],
  ['/v1/portal/sessions/{sessionId}', '/v1/portal/sessions/{session}', { method: 'DELETE' }, 200],
  ['/v1/portal/sessions/{sessionId}', '/v1/portal/sessions/ps_none', { method: 'DELETE' }, 404],
  ['/v1/invoices/{invoiceId}/lines', '/v1/invoices/in_1/lines', {}, 200],
  ['/v1/invoices/{invoiceId}/lines/{lineId}/evidence', '/v1/invoices/in_1/lines/il_1/evidence', {}, 200],
  ['/v1/invoices/{invoiceId}/lines/{lineId}/evidence', '/v1/invoices/in_1/lines/il_2/evidence', {}, 404],
  // With something to show in evidence.test.ts.
  [
    '/v1/invoices/{invoiceId}/lines/{lineId}/evidence/hours/{windowStart}',
    '/v1/invoices/in_1/lines/il_1/evidence/hours/2026-11-20T09:00:00Z',
    {},
    200,
  ],
  [
    '/v1/invoices/{invoiceId}/lines/{lineId}/evidence/events/{usageEventId}',
    '/v1/invoices/in_1/lines/il_1/evidence/events/ue_none',
    {},
    404,
  ],
  // With something to show in closes.test.ts.
  ['/v1/closes', '/v1/closes?period=2026-10&state=held', {}, 200],
  ['/v1/closes', '/v1/closes?period=2026-13', {}, 400],
  ['/v1/closes/{invoiceId}', '/v1/closes/in_none', {}, 404],
  ['/v1/closes/{invoiceId}/certificate', '/v1/closes/in_none/certificate', {}, 404],
  ['/v1/closes/{invoiceId}/release', '/v1/closes/in_none/release', json('POST', { reason: 'x' }), 404],
  ['/v1/closes/{invoiceId}/windows', '/v1/closes/in_none/windows', {}, 404],
  ['/v1/closes/{invoiceId}/windows', '/v1/closes/in_none/windows?limit=0', {}, 400],
  ['/v1/closes/{invoiceId}/windows/proof', '/v1/closes/in_none/windows/proof', {}, 404],
  ['/v1/closes/{invoiceId}/release', '/v1/closes/in_none/release', json('POST', { reason: ' ' }), 400],
  ['/v1/second-person', '/v1/second-person', {}, 200],
  ['/v1/second-person', '/v1/second-person?state=none', {}, 400],
  ['/v1/second-person/{id}', '/v1/second-person/999', {}, 404],
  ['/v1/second-person/{id}/agree', '/v1/second-person/999/agree', { method: 'POST' }, 404],
  ['/v1/second-person/{id}/decline', '/v1/second-person/999/decline', json('POST', { reason: 'x' }), 404],
  ['/v1/exchange-rates', '/v1/exchange-rates?currency=usd', {}, 200],
  ['/v1/exchange-rates', '/v1/exchange-rates?currency=euro', {}, 400],
  [
    '/v1/exchange-rates/import',
    '/v1/exchange-rates/import?dryRun=true',
    csv('Date,USD\n2026-11-20,1.08\n'),
    200,
  ],
  ['/v1/exchange-rates/import', '/v1/exchange-rates/import', csv('Date,USD\n2026-11-20,-1\n'), 400],
  ['/v1/recounts', '/v1/recounts?month=2026-10', {}, 200],
  ['/v1/recounts', '/v1/recounts?month=October', {}, 400],
  [
    '/v1/recounts/approve',
    '/v1/recounts/approve',
    json('POST', { customerId: 'northwind', month: '2026-10', cause: 'contradicting' }),
    404,
  ],
  ['/v1/recounts/reject', '/v1/recounts/reject', json('POST', { customerId: 'northwind' }), 400],
  ['/v1/credit-proposals', '/v1/credit-proposals?state=proposed', {}, 200],
  ['/v1/credit-proposals/{id}/approve', '/v1/credit-proposals/7/approve', json('POST', {}), 404],
  ['/v1/accruals', '/v1/accruals?at=2026-11-21&from=2026-11-01', {}, 200],
  ['/v1/accruals', '/v1/accruals?at=2026-11-21T00:30:00Z', {}, 400],
  ['/v1/alerts', '/v1/alerts?kind=budget', {}, 200],
  ['/v1/alerts', '/v1/alerts?kind=all', {}, 400],
  ['/v1/alerts/{id}/acknowledge', '/v1/alerts/7/acknowledge', json('POST', {}), 404],
  ['/v1/alerts/{id}/resend', '/v1/alerts/7/resend', json('POST', {}), 400],
  ['/v1/alert-routes', '/v1/alert-routes', {}, 200],
  [
    '/v1/alert-routes',
    '/v1/alert-routes',
    json('POST', { name: 'x', channel: 'slack', secretName: 'STRIPE_API_KEY' }),
    400,
  ],
  ['/v1/alert-routes/{id}/test', '/v1/alert-routes/route_0123456789abcdef/test', json('POST', {}), 404],
  ['/v1/alert-routes/{id}/end', '/v1/alert-routes/route_0123456789abcdef/end', json('POST', {}), 404],
  ['/v1/budgets', '/v1/budgets?customerId=northwind', {}, 200],
  ['/v1/budgets', '/v1/budgets?ended=perhaps', {}, 400],
  ['/v1/budgets', '/v1/budgets', json('POST', { name: 'x', scope: 'all', period: 'month', limit: '0' }), 400],
  ['/v1/budgets/{id}', '/v1/budgets/bud_none', {}, 404],
  ['/v1/budgets/{id}/windows', '/v1/budgets/bud_none/windows', {}, 404],
  ['/v1/budgets/{id}/windows', '/v1/budgets/bud_none/windows?cursor=x', {}, 400],
  ['/v1/budgets/{id}/change', '/v1/budgets/bud_none/change', json('POST', { limit: '9' }), 404],
  ['/v1/budgets/{id}/grace', '/v1/budgets/bud_none/grace', json('POST', { extra: '9' }), 400],
  ['/v1/budgets/{id}/end', '/v1/budgets/bud_none/end', json('POST', {}), 404],
  ['/v1/anomalies', '/v1/anomalies?group=needs_you', {}, 200],
  ['/v1/anomalies', '/v1/anomalies?group=all', {}, 400],
  ['/v1/anomalies/{id}/acknowledge', '/v1/anomalies/7/acknowledge', json('POST', {}), 404],
  ['/v1/anomalies/{id}/dismiss', '/v1/anomalies/7/dismiss', json('POST', {}), 400],
  ['/v1/anomalies/{id}/snooze', '/v1/anomalies/7/snooze', json('POST', { until: 'tomorrow' }), 400],
  ['/v1/enforcement', '/v1/enforcement', {}, 200],
  ['/v1/enforcement/caller', '/v1/enforcement/caller?tenantKey=northwind&subject=user-1', {}, 200],
  ['/v1/enforcement/caller', '/v1/enforcement/caller?tenantKey=northwind', {}, 400],
  ['/v1/enforcement/steps', '/v1/enforcement/steps', {}, 200],
  ['/v1/enforcement/dry-run', '/v1/enforcement/dry-run?budgetId=bud_none', {}, 404],
  ['/v1/enforcement/dry-run', '/v1/enforcement/dry-run', {}, 400],
  ['/v1/enforcement/hard-caps', '/v1/enforcement/hard-caps', {}, 200],
  ['/v1/enforcement/hard-caps', '/v1/enforcement/hard-caps?headroomPercent=-1', {}, 400],
  [
    '/v1/enforcement/steps/{id}/lift',
    '/v1/enforcement/steps/7/lift',
    json('POST', { until: 'tomorrow' }),
    400,
  ],
  ['/v1/enforcement/steps/{id}/restore', '/v1/enforcement/steps/7/restore', json('POST', {}), 404],
  ['/v1/uninvoiced', '/v1/uninvoiced?state=open&reason=in_trial', {}, 200],
  [
    '/v1/invoices/{invoiceId}/usage',
    '/v1/invoices/in_none/usage',
    json('POST', { choice: 'due_again', reason: 'test' }),
    404,
  ],
  ['/v1/invoices/{invoiceId}/usage', '/v1/invoices/in_none/usage', json('POST', { choice: 'some' }), 400],
  ['/v1/uninvoiced/{id}/write-off', '/v1/uninvoiced/7/write-off', json('POST', { reason: 'test' }), 404],
  ['/v1/uninvoiced/{id}/due-again', '/v1/uninvoiced/7/due-again', json('POST', {}), 400],
  ['/v1/credit-proposals/{id}/reject', '/v1/credit-proposals/7/reject', json('POST', {}), 400],
];

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1 and describes what is served', async () => {
    expect(document.openapi).toBe('3.1.0');
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const tested = CASES.map(([path, , init]) => `${(init.method ?? 'get').toLowerCase()} ${path}`);
    expect([...new Set(tested)].sort()).toEqual(operations.sort());
  });

  it.each(CASES)('holds for %s (%s)', async (path, request, init, status) => {
    const named = request.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? '');
    const response = await bench.call(named, init);
    const mediaType = (response.headers.get('content-type') ?? '').split(';')[0] ?? '';
    expect(response.status, await response.clone().text()).toBe(status);
    const method = (init.method ?? 'get').toLowerCase();
    const body: unknown = mediaType === 'text/csv' ? await response.text() : await response.json();
    const result = responseValidator(document, { method, path, status, mediaType }).safeParse(body);
    expect(result.error?.issues ?? []).toEqual([]);
  });

  it('holds for a stored quote, and for requests without a key or its scope', async () => {
    const created = await bench.call('/v1/quotes', json('POST', { usage }));
    const stored = await bench.call(created.headers.get('location') ?? '');
    const quote = { method: 'get', path: '/v1/quotes/{quoteId}', status: 200, mediaType: 'application/json' };
    expect(responseValidator(document, quote).safeParse(await stored.json()).error).toBeUndefined();
    for (const [scope, status] of [
      [null, 401],
      ['sales', 403],
    ] as const) {
      const response = await bench.call('/v1/status', { scope });
      const problem = { method: 'get', path: '/v1/status', status, mediaType: 'application/problem+json' };
      expect(responseValidator(document, problem).safeParse(await response.json()).error).toBeUndefined();
    }
  });

  it('can fail: a field too many or of another type is found', async () => {
    const health = { method: 'get', path: '/health', status: 200, mediaType: 'application/json' };
    const good = { status: 'ok', version: '1', now: '2026-11-21T10:30:00.000Z' };
    const validator = responseValidator(document, health);
    expect(validator.safeParse(good).success).toBe(true);
    expect(validator.safeParse({ ...good, extra: 1 }).success).toBe(false);
    expect(validator.safeParse({ ...good, now: 'soon' }).success).toBe(false);
    expect(validator.safeParse({ ...good, version: 1 }).success).toBe(false);
  });

  it('names the scopes of every route behind a key', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const operation of Object.values(methods)) {
        const { security } = operation as unknown as { security: object[] };
        expect(security.length > 0, path).toBe(path.startsWith('/v1/'));
      }
    }
  });
});
