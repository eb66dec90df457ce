import { beforeAll, describe, expect, test } from 'vitest';
import type { Exchange } from './exchange.ts';
import { type SeenRead, watchReads } from './read-fields.ts';
import { replay } from './replay.ts';
import { STRIPE_OPTIONS } from './stripe-exceptions.ts';
import { READ, unlistedReads, unreadFields } from './stripe-fields/lists.ts';
import { judgeStripe } from './stripe-judge.ts';
import { findStripeMock, startStripeMock } from './stripe-mock.ts';
import { walkClosing, walkLegacy, walkPipeline, walkPlans } from './stripe-walk.ts';
import { recordStripe } from './wire-recorder.ts';

const module = await findStripeMock();
if (module === null) {
  const message = 'go is not on the PATH: install Go to hold what we say to Stripe against its description.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
}

const FIELDS = Object.entries(READ).flatMap(([route, fields]) =>
  fields.map((field) => ({ route, status: 200, field })),
);

const exchanges: Exchange[] = [];
const reads: SeenRead[] = [];
beforeAll(async () => {
  const recorder = recordStripe((exchange) => exchanges.push(exchange));
  const watch = watchReads((read) => reads.push(read));
  for (const walk of [walkClosing, walkPlans, walkLegacy, walkPipeline]) await walk();
  watch.stop();
  recorder.stop();
});

/** A recorded exchange, changed. */
function changed(method: string, path: RegExp, change: (exchange: Exchange) => void): Exchange {
  const found = exchanges.findLast(
    (exchange) => exchange.method === method && path.test(exchange.path) && exchange.status === 200,
  );
  if (found === undefined) throw new Error(`No ${method} ${path} was answered`);
  const copy = structuredClone(found);
  change(copy);
  return copy;
}

test('no answer of Stripe is read for more than is listed', () => {
  expect(reads.length).toBeGreaterThan(100);
  expect(unlistedReads(reads)).toEqual([]);
});

test('a field that is read and not listed is told with what to add, one that nobody reads with what to take out', () => {
  const method = 'GET';
  const folder = 'test/contracts/stripe-fields';
  const unlisted = [
    { method, path: '/v1/invoices/in_1Test', field: 'lines.data[].colour' },
    { method, path: '/v1/invoices/in_1Test', field: 'lines.data[].colour.name' },
    { method, path: '/v1/invoices/in_1Test', field: 'parent' },
    { method, path: '/v1/colours', field: 'data[].name' },
  ];
  expect(unlistedReads(unlisted)).toEqual([
    `GET /v1/invoices/{invoice} is read for lines.data[].colour.name: add 'colour.name' to the fields of 'line of an invoice' in ${folder}/invoices.ts`,
    `GET /v1/colours is read for data[].name: name the call under an object's \`at\` in a file of ${folder}, and the field under its \`fields\``,
  ]);
  const told = `'active' of 'product' is not read: take it out of ${folder}/catalog.ts`;
  expect(unreadFields([])).toContain(told);
  expect(unreadFields([{ method, path: '/v1/products/prod_1Test', field: 'active' }])).not.toContain(told);
});

describe.skipIf(module === null)('Stripe, by the description that it publishes', () => {
  if (module === null) return;

  test('takes what we send, answers as our stand-in does, and knows every field that we read', async () => {
    expect(await judgeStripe(module, STRIPE_OPTIONS, exchanges, FIELDS)).toEqual([]);
  });

  test('is held strictly: nothing that it does not know passes, sent, answered or read', async () => {
    type Body = Record<string, unknown>;
    const wrong = [
      changed('POST', /\/meter_events$/, ({ requestBody }) => {
        Object.assign(requestBody as Body, { colour: 'red', timestamp: 'yesterday' });
      }),
      changed('GET', /\/invoices$/, (exchange) => exchange.query.push(['limit', 'many'], ['colour', 'red'])),
      changed('GET', /\/v1\/customers\/[^/]+$/, ({ answerBody }) => {
        Object.assign(answerBody as Body, { colour: 'red', created: 'now' });
      }),
      changed('GET', /\/v1\/invoices\/[^/]+$/, ({ answerBody }) => {
        delete (answerBody as Body).amount_due;
      }),
      changed('GET', /\/v2\/core\/events\//, ({ answerBody }) => {
        Object.assign(answerBody as Body, { created: 7 });
      }),
    ];
    const fields = [{ route: 'GET /v1/customers', status: 200, field: 'data[].colour' }];
    const told = (await judgeStripe(module, { ...STRIPE_OPTIONS, deviations: [] }, wrong, fields)).join('\n');
    expect(told).toContain('POST /v1/billing/meter_events asked, body: .colour is unknown');
    expect(told).toContain('POST /v1/billing/meter_events asked, body: .timestamp must be integer');
    expect(told).toContain('GET /v1/invoices asked, query: .colour is unknown');
    expect(told).toContain('GET /v1/invoices asked, query: .limit must be integer');
    expect(told).toContain('GET /v1/customers/{customer} answered 200: .colour is unknown');
    expect(told).toContain('GET /v1/customers/{customer} answered 200: .created must be integer');
    expect(told).toContain('GET /v1/invoices/{invoice} answered 200: .amount_due is missing');
    expect(told).toMatch(/GET \/v2\/core\/events\/\{id\} answered 200: .*'number' is not assignable/);
    expect(told).toContain('GET /v1/customers is read: data[].colour is not in the description');
  });

  test('has a stand-in of its own that refuses what is wrong, too', async () => {
    const server = await startStripeMock(module.binary);
    try {
      const wrong = changed('POST', /\/meter_events$/, ({ requestBody }) => {
        delete (requestBody as Record<string, unknown>).event_name;
      });
      expect(await replay(server.url, [wrong])).toEqual([expect.stringContaining('event_name')]);
    } finally {
      await server.close();
    }
  });

  test('is held to its known deviations only while they are seen', async () => {
    const options = { ...STRIPE_OPTIONS, routes: [], deviations: [{ problem: /colour/, reason: 'none' }] };
    expect(await judgeStripe(module, options, [], [])).toEqual([
      '/colour/: named as an exception, and never seen',
    ]);
  });
});
