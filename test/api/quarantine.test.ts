import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTokenTotals } from '../../src/status/totals.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

interface Entry {
  id: string;
  stage: string;
  reason: string;
  tokenCount: string;
  customerId: string | null;
  waitingSince: string;
  ageSeconds: number;
}
interface Listing {
  alarming: boolean;
  alarmAfterHours: number;
  entries: {
    stage: string;
    reason: string;
    oldestAgeSeconds: number;
    alarming: boolean;
    examples: Entry[];
  }[];
  items: Entry[];
  nextCursor: string | null;
}

let bench: ApiBench;
beforeEach(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await insertUsage(database, [
    {
      hour: '2026-11-20T09:00:00Z',
      tokens: 30n,
      subject: 'stray',
      customer: null,
      quarantine: 'no_customer',
    },
    {
      hour: '2026-11-20T10:00:00Z',
      tokens: 12n,
      subject: 'stray',
      customer: null,
      quarantine: 'no_customer',
    },
    { hour: '2026-11-20T11:00:00Z', tokens: 7n, model: 'mystery', quarantine: 'no_binding' },
    { hour: '2026-11-20T12:00:00Z', tokens: 5n, push: { meterId: 'mtr_prompt', status: 'refused' } },
    { hour: '2026-10-20T12:00:00Z', tokens: 9n, quarantine: 'carry_to_next_invoice' },
  ]);
});
afterEach(() => bench.close());

async function list(query = ''): Promise<Listing> {
  const response = await bench.call(`/v1/quarantine${query}`, { scope: 'finance' });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Listing;
}

async function act(id: string, verb: string, body?: object) {
  const response = await bench.call(`/v1/quarantine/${id}/${verb}`, {
    method: 'POST',
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function idOf(reason: string): Promise<string> {
  return (await list(`?reason=${reason}`)).items[0]?.id ?? '';
}

/** What requests did. */
const audits = () =>
  bench.ledger.database
    .selectFrom('audit_log')
    .select(['action', 'actor', 'target', 'details'])
    .where('actor', 'like', 'key:%')
    .orderBy('audit_id')
    .execute();

describe('what waits', () => {
  it('is listed by reason with its age, and one by one, the longest waiting first', async () => {
    const { entries, items } = await list();
    expect(entries.map((entry) => [entry.stage, entry.reason, entry.oldestAgeSeconds])).toEqual([
      ['hourly_usage', 'no_customer', 5_400],
      ['hourly_usage', 'carry_to_next_invoice', 5_400],
      ['hourly_usage', 'no_binding', 5_400],
      ['meter_push', 'refused_by_stripe', 5_400],
    ]);
    expect(entries[0]?.examples).toHaveLength(2);
    expect(items.map((item) => item.tokenCount).sort()).toEqual(['12', '30', '5', '7', '9']);
    expect(items.every((item) => /^(usage|push)-\d+$/.test(item.id))).toBe(true);
  });

  it('alarms by age, but not what is carried to the next invoice', async () => {
    expect((await list()).alarming).toBe(false);
    bench.clock.instant = new Date(bench.clock.instant.getTime() + 24 * 3_600_000);
    const late = await list();
    expect(late).toMatchObject({ alarming: true, alarmAfterHours: 24 });
    expect(late.entries.filter((entry) => !entry.alarming).map((entry) => entry.reason)).toEqual([
      'carry_to_next_invoice',
    ]);
  });

  it('is paged without a gap or a repeat, and filtered', async () => {
    const all = (await list()).items.map((item) => item.id);
    const paged: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Listing = await list(`?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(all);
    expect((await list('?stage=meter_push')).items).toHaveLength(1);
    expect((await list('?customerId=northwind')).items).toHaveLength(3);
  });
});

describe('assigning', () => {
  it('gives the subject to the customer, releases all that waits for it, and is written down', async () => {
    const id = await idOf('no_customer');
    const { status, body } = await act(id, 'assign', { customerId: 'adatum' });
    expect([status, body]).toMatchObject([200, { subject: 'stray', releasedTokenCount: '42' }]);
    expect((await list('?reason=no_customer')).items).toEqual([]);
    expect((await audits()).map((row) => row.action)).toEqual([
      'subject.assign',
      'quarantine.assign',
      'quarantine.release',
    ]);
    expect((await act(id, 'assign', { customerId: 'adatum' })).status).toBe(409);
  });

  it.each([
    ['to a customer that does not exist', 'no_customer', { customerId: 'nobody' }, 404, 'UNKNOWN_CUSTOMER'],
    ['to nobody', 'no_customer', {}, 400, 'VALIDATION'],
    ['of what a customer does not cure', 'no_binding', { customerId: 'adatum' }, 400, 'VALIDATION'],
  ])('%s is refused, and changes nothing', async (_, reason, body, status, code) => {
    const answer = await act(await idOf(reason), 'assign', body);
    expect([answer.status, answer.body]).toMatchObject([status, { code }]);
    expect((await list()).items).toHaveLength(5);
    expect(await audits()).toEqual([]);
  });
});

describe('writing off', () => {
  it('counts the tokens apart, deletes nothing, and keeps who and why', async () => {
    const { database } = bench.ledger;
    const before = await readTokenTotals(database);
    for (const [reason, tokens] of [
      ['no_binding', '7'],
      ['refused_by_stripe', '5'],
    ] as const) {
      const answer = await act(await idOf(reason), 'write-off', { reason: ' load test ' });
      expect([answer.status, answer.body]).toMatchObject([200, { writtenOffTokenCount: tokens }]);
    }
    const after = await readTokenTotals(database);
    expect(after.writtenOffTokenCount).toBe(12n);
    expect(after.quarantinedTokenCount).toBe(before.quarantinedTokenCount - 12n);
    expect(after).toMatchObject({ dueTokenCount: before.dueTokenCount });
    expect((await list()).items).toHaveLength(3);
    const [audit] = await audits();
    expect(audit).toMatchObject({
      action: 'quarantine.write_off',
      actor: expect.stringContaining('admin key'),
      details: { reason: 'load test', quarantine_reason: 'no_binding', token_count: '7' },
    });
    expect(await database.selectFrom('hourly_usage').selectAll().execute()).toHaveLength(5);
  });

  it('without a reason is refused', async () => {
    const id = await idOf('no_binding');
    for (const body of [{}, { reason: '' }, { reason: '  ' }]) {
      expect((await act(id, 'write-off', body)).body).toMatchObject({
        code: 'VALIDATION',
        errors: [{ field: 'reason' }],
      });
    }
    expect(await audits()).toEqual([]);
  });

  it('is done once: neither again, nor tried, nor assigned', async () => {
    const id = await idOf('no_customer');
    expect((await act(id, 'write-off', { reason: 'gone' })).status).toBe(200);
    for (const [verb, body] of [
      ['write-off', { reason: 'gone' }],
      ['retry', undefined],
      ['assign', { customerId: 'adatum' }],
    ] as const) {
      const answer = await act(id, verb, body);
      expect([answer.status, answer.body]).toMatchObject([409, { code: 'CONFLICT' }]);
      expect(answer.body.detail).toContain('was written off');
    }
  });
});

describe('an id', () => {
  it.each([
    ['unknown', 'usage-999999', 404],
    ['of nothing', 'item-5', 404],
    ['malformed', 'usage-x', 400],
    ['of another thing', 'northwind', 400],
    ['far too large', `usage-${'9'.repeat(40)}`, 400],
  ])('%s is refused', async (_, id, status) => {
    expect((await act(id, 'retry')).status).toBe(status);
  });

  it('needs the admin scope for every act, and finance to be seen', async () => {
    for (const verb of ['assign', 'retry', 'write-off']) {
      const response = await bench.call(`/v1/quarantine/usage-1/${verb}`, {
        method: 'POST',
        scope: 'finance',
      });
      expect(response.status).toBe(403);
    }
    expect((await bench.call('/v1/quarantine', { scope: 'sales' })).status).toBe(403);
  });
});
