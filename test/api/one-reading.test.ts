import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/service/app.ts';
import { insertOpenSteps } from '../enforcement/world.ts';
import { type Checkout, RecordedLedger } from '../setup/recorded-ledger.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, storeLines } from './statement-world.ts';
import { insertCatalog, insertUsage, stripePreview } from './world.ts';

/** What is asked for of each documented route that reads; `{…}` is filled in from what the world below holds. */
const ASKED: Record<string, string> = {
  '/v1/costs': '?period=2026-11',
  '/v1/costs/projection': '?period=2026-11',
  '/v1/costs/swaps': '?period=2026-11',
  '/v1/costs/repeats': '?period=2026-11',
  '/v1/costs/loads': '?period=2026-11',
  '/v1/coverage': '?period=2026-11',
  '/v1/drift': '?from=2026-11-03T00:00:00Z&to=2026-11-04T00:00:00Z&show=all',
  '/v1/enforcement/dry-run': '?budgetId=bud_1',
  '/v1/enforcement/caller': '?tenantKey=northwind&subject=user-1',
  '/v1/exports/focus': '?from=2026-11-03T00:00:00Z&to=2026-11-04T00:00:00Z',
  '/v1/margins': '?period=2026-11',
  '/v1/recounts': '?month=2026-11',
  '/v1/prices/diff': '?from=2026-01-01&to=2026-11-01',
  '/v1/usage': '?period=2026-11',
};

/** Answers that ask Stripe, or bring kept sums up to date, before their snapshot. */
const ASKS_FIRST = [
  '/v1/customers/{customerId}/invoice-preview',
  '/v1/invoices/{invoiceId}/lines',
  '/v1/invoices/{invoiceId}/lines/{lineId}/evidence',
  '/v1/invoices/{invoiceId}/lines/{lineId}/evidence/hours/{windowStart}',
  '/v1/invoices/{invoiceId}/lines/{lineId}/evidence/events/{usageEventId}',
  '/v1/statements/{invoiceId}',
  '/v1/statements/preview/{customerId}',
  // The key of its link, at the first use in a process.
  '/v1/quotes/{quoteId}',
];

/** What is kept in memory: whether it changed, what it is, whose caller it is and the key of its signature, the first time alone. */
const KEPT = ['/v1/enforcement', '/v1/enforcement/caller'];

let bench: ApiBench;
let recorded: RecordedLedger;
let ids: Record<string, string>;
beforeAll(async () => {
  bench = await createApiBench();
  recorded = new RecordedLedger(bench.ledger.databaseUrl);
  const { database } = bench.ledger;
  await insertCatalog(database);
  bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 1_000_000n }));
  const push = { meterId: 'mtr_prompt', status: 'delivered' as const };
  await insertUsage(database, [
    { hour: '2026-11-03T10:00:00Z', tokens: 1_000_000n, push },
    { hour: '2026-11-03T11:00:00Z', tokens: 1_000_000n, quarantine: 'no_price' },
  ]);
  await insertInvoice(database, { id: 'in_1' });
  const quantity = 1_000_000n;
  const line = { lineId: 'il_1', subscriptionItemId: 'si_northwind_prompt', quantity, amountMinor: 300n };
  await storeLines(database, { id: 'in_1', lines: [line] });
  const post = async (path: string, body: object) => {
    const response = await bench.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.ok, await response.clone().text()).toBe(true);
    return (await response.json()) as Record<string, string>;
  };
  const window = { from: '2026-11-03T00:00:00Z', to: '2026-11-04T00:00:00Z' };
  const purchase = {
    from: '2026-11-01T00:00:00Z',
    unitCount: 1,
    hourlyUsdPerUnit: '1.00',
    tokensPerMinutePerUnit: 1_000,
    completionWeight: '4',
  };
  await post('/v1/provisioned', { ...purchase, deployment: 'ptu-1' });
  await post('/v1/provisioned', { ...purchase, deployment: 'ptu-2' });
  const rescan = await post('/v1/rescans', window);
  const reconciliation = await post('/v1/reconciliations', window);
  const quote = await post('/v1/quotes', {
    customerId: 'northwind',
    usage: [{ model: 'gpt-4o', promptTokenCount: 1_000, completionTokenCount: 10 }],
  });
  const simulation = await post('/v1/simulations', {
    from: '2026-11-01T00:00:00Z',
    to: '2026-11-20T00:00:00Z',
    scenarios: [{ name: 'markup', markupPercent: '100' }],
  });
  await insertOpenSteps(database, [{ budgetId: 'bud_1', step: { action: 'tell' } }]);
  const { plans } = (await (await bench.call('/v1/plans')).json()) as { plans: { planId: string }[] };
  const waiting = await sql<{ id: string }>`
    insert into second_person_requests (act, subject_id, target, parameters, customer_id, figures, reason, asked_by, asked_by_name,
      asked_at, expires_at)
    values ('invoice.choose', 'in_1', 'in_1', '{}', 'northwind', '{}', 'test', 'test', 'test', now(), now() + interval '1 day')
    returning second_person_request_id::text as id`.execute(bench.ledger.database);
  ids = {
    id: waiting.rows[0]?.id ?? '',
    customerId: 'northwind',
    subject: 'user-1',
    invoiceId: 'in_1',
    lineId: 'il_1',
    windowStart: '2026-11-03T10:00:00.000Z',
    usageEventId: 'none',
    rescanId: rescan.id ?? '',
    reconciliationId: reconciliation.id ?? '',
    planId: plans[0]?.planId ?? '',
    quoteId: quote.quoteId ?? '',
    simulationId: simulation.simulationId ?? '',
  };
});
afterAll(async () => {
  await recorded.close();
  await bench.close();
});

/** Connections that the answer itself used: whose key it is, is another question. */
async function ask(path: string): Promise<Checkout[]> {
  const { billing, clock } = bench;
  const app = createApp({ database: recorded.database, billing, clock, version: '0.0.0-test' });
  const known = path.startsWith('/v1/budgets/') ? { ...ids, id: 'bud_1' } : ids;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(known[name] ?? name));
  const headers = { authorization: `Bearer ${bench.keys.admin}` };
  const used = await recorded.record(async () => {
    const response = await app.request(`${filled}${ASKED[path] ?? ''}`, { headers });
    // Nothing was closed here, and nothing collected.
    const expected = /^\/v1\/closes\/|\/events\//.test(path) ? 404 : 200;
    expect(response.status, `${filled}: ${await response.clone().text()}`).toBe(expected);
  });
  return used.filter(({ statements }) => !statements.every((text) => text.includes('"api_keys"')));
}

const isSnapshot = ({ statements }: Checkout) =>
  statements[0] === 'start transaction isolation level repeatable read read only';

describe('every route that reads', () => {
  it('takes one connection at a time, and reads its answer over one', async () => {
    const document = (await (await bench.call('/openapi.json')).json()) as { paths: Record<string, object> };
    const documented = Object.entries(document.paths)
      .filter(([, methods]) => 'get' in methods)
      .map(([path]) => path);
    expect(documented.length).toBeGreaterThan(30);
    const several: string[] = [];
    for (const path of ['/metrics', ...documented]) {
      const used = await ask(path);
      const reading = ASKS_FIRST.includes(path) ? used.slice(-1) : used;
      const isOne =
        (reading.length <= 1 || KEPT.includes(path)) && used.every(({ othersOut }) => othersOut === 0);
      if (!isOne) several.push(`${path}: ${used.map(({ statements }) => statements.length).join(' + ')}`);
    }
    expect(several).toEqual([]);
  });

  it.each(ASKS_FIRST)('of %s opens one snapshot, last of all', async (path) => {
    const used = await ask(path);
    expect(used.filter(isSnapshot)).toEqual([used.at(-1)]);
    expect(used.at(-1)?.statements.length).toBeGreaterThan(4);
  });
});
