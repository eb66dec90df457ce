import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import type { RefreshOutcome } from '../../jobs/catalog/refresh-catalog.ts';
import { getCustomer, putCustomer } from '../../src/catalog/customers.ts';
import { customerKeyOf } from '../../src/openmeter/customer-shape.ts';
import { readStatusReport } from '../../src/status/status.ts';
import {
  balance,
  openPipeline,
  outsideWrites,
  type Pipeline,
  type PipelineOptions,
} from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function open(options: PipelineOptions = {}) {
  pipeline = await openPipeline(options);
  await sync();
  pipeline.calls.splice(0);
}

async function sync() {
  const { 'sync-catalog': result } = await pipeline.run('sync-catalog');
  return result as unknown as { problems: string[] };
}

async function refresh() {
  const { 'refresh-catalog': result } = await pipeline.run('refresh-catalog');
  return result as unknown as RefreshOutcome;
}

/** So many users of a customer, whom nobody has heard of yet. */
async function addUsers(customerId: string, count: number, length = 12) {
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select rpad(left(${customerId}, 1) || '-' || n, ${length}, 'x'), ${customerId}, ${customerId}, 'tenant', now(), now()
    from generate_series(1, ${count}::int) n`.execute(pipeline.deps.database);
}

async function inOpenMeter(customerId: string) {
  const path = `/api/v1/customers/${encodeURIComponent(customerKeyOf(customerId))}`;
  const answer = await pipeline.openMeter.app.request(path);
  return (await answer.json()) as { name: string; usageAttribution?: { subjectKeys: string[] } };
}

const keyCount = async (customerId: string) =>
  (await inOpenMeter(customerId)).usageAttribution?.subjectKeys.length ?? 0;

async function attributions() {
  const { attributions: rows } = await readStatusReport(pipeline.deps.database, pipeline.clock.now());
  return rows.map(({ reason, customerIds }) => [reason, ...customerIds]);
}

const choose = async (customerId: string, attribution: 'automatic' | 'ledger') =>
  await putCustomer(pipeline.deps.database, {
    ...(await getCustomer(pipeline.deps.database, customerId)),
    attribution,
    actor: 'test',
    now: pipeline.clock.now(),
  });

describe('a customer with more users than OpenMeter takes', () => {
  it('is there without subject keys, is told once and shown, and is billed all the same', async () => {
    await open({ settings: { openMeterSubjectsMax: 20 } });
    await addUsers('northwind', 20);
    await addUsers('fabrikam', 3);
    expect((await sync()).problems).toEqual([]);
    expect([await keyCount('northwind'), await keyCount('fabrikam')]).toEqual([20, 3]);
    await addUsers('northwind', 1, 13);
    expect((await sync()).problems).toMatchObject([
      expect.stringMatching(/^Customer northwind has 21 users, .* \(OPENMETER_SUBJECTS_MAX\)/),
    ]);
    expect([await keyCount('northwind'), await keyCount('fabrikam')]).toEqual([0, 3]);
    expect(await attributions()).toEqual([['too_many_subjects', 'northwind']]);
    pipeline.calls.splice(0);
    expect((await sync()).problems).toEqual([]);
    expect(outsideWrites(pipeline.calls)).toEqual([]);
    // A few users fewer, and it would go to and fro: it returns below nine tenths.
    await sql`delete from subjects where subject ~ '^n-1x'`.execute(pipeline.deps.database);
    await sync();
    expect(await keyCount('northwind')).toBe(0);
    await sql`delete from subjects where subject ~ '^n-(2|3|4|5|6)x'`.execute(pipeline.deps.database);
    expect((await sync()).problems).toEqual([]);
    expect(await keyCount('northwind')).toBeGreaterThan(10);
    expect(await attributions()).toEqual([]);
    await addUsers('northwind', 30, 14);
    pipeline.traffic.inject(makeCall({}));
    for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
    expect(await attributions()).toEqual([['too_many_subjects', 'northwind']]);
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, drift: 0n });
  });

  it('has too many when their ids are long, or need escaping', async () => {
    await open();
    await addUsers('northwind', 250, 4_000);
    expect((await sync()).problems).toHaveLength(1);
    expect(await keyCount('northwind')).toBe(0);
  });
});

describe('the choice of a person', () => {
  it('is followed by the next tick, and taken back by the next', async () => {
    await open();
    await addUsers('northwind', 3);
    await sync();
    await choose('northwind', 'ledger');
    pipeline.advance(0.1);
    expect(await refresh()).toMatchObject({ listedWhole: false, problems: [] });
    expect(await keyCount('northwind')).toBe(0);
    expect(await attributions()).toEqual([['chosen', 'northwind']]);
    pipeline.calls.splice(0);
    await refresh();
    expect(pipeline.calls.filter((call) => call.includes('/api/v1/customers'))).toEqual([]);
    await choose('northwind', 'automatic');
    await refresh();
    expect(await keyCount('northwind')).toBe(3);
    expect(await attributions()).toEqual([]);
  });

  it('survives what Stripe says of the customer, and lies in the audit log', async () => {
    await open();
    await choose('northwind', 'ledger');
    await sync();
    expect(await getCustomer(pipeline.deps.database, 'northwind')).toMatchObject({
      attribution: 'ledger',
      attributionReason: 'chosen',
    });
    const row = await pipeline.deps.database
      .selectFrom('audit_log')
      .select('details')
      .where('action', '=', 'customer.put')
      .executeTakeFirstOrThrow();
    expect(row.details).toMatchObject({
      before: { attribution: 'automatic' },
      after: { attribution: 'ledger' },
    });
  });
});

describe('a customer that OpenMeter does not take as it should be', () => {
  it('is told with each try when OpenMeter breaks on it, tried again by itself, and stops nobody', async () => {
    await open({ settings: { openMeterSubjectsMax: 60_000 } });
    await addUsers('northwind', 46_000);
    await addUsers('fabrikam', 2);
    const failing = expect.stringMatching(
      /^OpenMeter fails on customer northwind, which has 46000 subject keys/,
    );
    expect((await sync()).problems).toEqual([failing]);
    expect(await keyCount('fabrikam')).toBe(2);
    expect(await attributions()).toEqual([['failed', 'northwind']]);
    pipeline.calls.splice(0);
    expect((await refresh()).problems).toEqual([]);
    expect(pipeline.calls.filter((call) => call.includes('/customers'))).toEqual([]);
    pipeline.advance(0.2);
    expect((await refresh()).problems).toEqual([failing]);
    // Its users become fewer.
    await sql`delete from subjects where subject like 'n-1%'`.execute(pipeline.deps.database);
    pipeline.advance(1);
    expect((await refresh()).problems).toEqual([]);
    expect(await attributions()).toEqual([]);
  });

  it('is told once when a subscription freezes its keys, and follows when it ends', async () => {
    await open();
    await addUsers('northwind', 2);
    await sync();
    pipeline.openMeter.setSubscription(customerKeyOf('northwind'), true);
    await addUsers('northwind', 1, 14);
    expect((await sync()).problems).toEqual([
      expect.stringContaining('has an active subscription in OpenMeter'),
    ]);
    expect((await sync()).problems).toEqual([]);
    expect(await attributions()).toEqual([['active_subscription', 'northwind']]);
    // Usage of its new user is billed meanwhile.
    pipeline.traffic.inject(makeCall({}));
    for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, drift: 0n });
    pipeline.openMeter.setSubscription(customerKeyOf('northwind'), false);
    expect((await sync()).problems).toEqual([]);
    expect(await attributions()).toEqual([]);
    expect(await keyCount('northwind')).toBe(4);
  });

  it('is told with both names when another one has its user', async () => {
    await open();
    const stranger = { name: 'By hand', key: 'n-1xxxxxxxxx' };
    await pipeline.openMeter.app.request('/api/v1/customers', {
      method: 'POST',
      body: JSON.stringify(stranger),
    });
    await addUsers('northwind', 2);
    await addUsers('fabrikam', 2);
    expect((await sync()).problems).toEqual([
      expect.stringContaining(
        'Customer northwind lacks "n-1xxxxxxxxx" in OpenMeter: it is the key of customer n-1xxxxxxxxx',
      ),
    ]);
    expect([await keyCount('northwind'), await keyCount('fabrikam')]).toEqual([1, 2]);
    expect(await attributions()).toEqual([['name_taken', 'northwind']]);
  });
});
