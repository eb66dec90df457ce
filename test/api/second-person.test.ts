import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { withLocalApi } from '../../src/service/local-api.ts';
import type { Stores } from '../../src/service/services.ts';
import { addCredit, addInvoice, addUninvoiced } from '../console/invoices-world.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

const settings = {
  ...DEFAULT_API_SETTINGS,
  secondPerson: { above: new Map([['usd', 1_000n]]), waitHours: 72 },
};
const setAbove = (amount: bigint | null) => {
  settings.secondPerson = (
    amount === null ? null : { above: new Map([['usd', amount]]), waitHours: 72 }
  ) as typeof settings.secondPerson;
};

let bench: ApiBench;
const keys: Record<string, string> = {};
/** Ids of keys by the names that this file has for them. */
const keyIds: Record<string, string> = {};

async function makeKey(as: string, name: string, actor = 'command line (test)') {
  const made = await createApiKey(bench.ledger.database, {
    name,
    scopes: ['admin'],
    actor,
    now: bench.clock.now(),
  });
  keys[as] = made.plainKey;
  keyIds[as] = made.key.apiKeyId;
}

beforeAll(async () => {
  bench = await createApiBench({ settings });
  await insertCatalog(bench.ledger.database);
  await makeKey('ana', 'Ana');
  await makeKey('ben', 'Ben');
  await makeKey('anas second', ' ANA ');
  await makeKey('anas spare', 'spare', `key:Ana (${keyIds.ana})`);
  await makeKey('spares spare', 'spare of spare', `key:spare (${keyIds['anas spare']})`);
  await makeKey('anas other', 'Dora', `key:Ana (${keyIds.ana})`);
  await makeKey('of anas second', 'Emil', `key:ANA (${keyIds['anas second']})`);
  // Keys of the same instant as a request are told from younger ones.
  bench.clock.instant = new Date(bench.clock.instant.getTime() + 60_000);
});
afterAll(() => bench.close());

interface Asked {
  id: string;
  act: string;
  amount: string | null;
  state: string;
  askedBy: string;
  endedBy: string | null;
  expiresAt: string;
  figures: Record<string, string>;
}

async function send(as: string, path: string, body?: object) {
  const response = await bench.api.request(path, {
    method: body === undefined && !/agree$/.test(path) ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${keys[as]}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of many routes
  return { status: response.status, body: (await response.json()) as any };
}
/** As a command asks, with or without a key of whoever types it. */
const typed = <Answer>(method: 'GET' | 'POST', path: string, body?: object, apiKey?: string) =>
  withLocalApi(
    { database: bench.ledger.database } as Stores,
    bench.billing,
    (ask) => ask<Answer>(method, path, body),
    {
      clock: bench.clock,
      settings,
      apiKey,
    },
  );
const release = (as: string, invoiceId: string, reason = 'agreed with the customer') =>
  send(as, `/v1/closes/${invoiceId}/release`, { reason });
const agree = (as: string, { id }: Asked) => send(as, `/v1/second-person/${id}/agree`);
const decline = (as: string, { id }: Asked) => send(as, `/v1/second-person/${id}/decline`, { reason: 'no' });
const closeOf = async (invoiceId: string) => (await send('ana', `/v1/closes/${invoiceId}`)).body.close;
const auditsOf = async (target: string) =>
  (
    await bench.ledger.database
      .selectFrom('audit_log')
      .select(['actor', 'action'])
      .where('target', '=', target)
      .orderBy('audit_id')
      .execute()
  ).map(({ actor, action }) => [action, actor]);

/** A held invoice whose release waits for a second person. */
async function ask(invoiceId: string, totalMinor = 200_000n): Promise<Asked> {
  await addInvoice(bench, { id: invoiceId, state: 'held', missing: 5n, totalMinor });
  const { status, body } = await release('ana', invoiceId);
  expect([status, body.secondPerson?.state]).toEqual([202, 'waiting']);
  return body.secondPerson;
}

describe('an act above the amount that one person may decide', () => {
  it('waits, and is done once another person agrees, with both names', async () => {
    const asked = await ask('in_above');
    expect(asked).toMatchObject({
      act: 'close.release',
      amount: '2000.00',
      figures: { total: '2000.00 USD' },
    });
    expect(Date.parse(asked.expiresAt) - bench.clock.now().getTime()).toBe(72 * 3_600_000);
    expect((await closeOf('in_above')).state).toBe('held');
    // The same again changes nothing.
    expect((await release('ana', 'in_above')).body.secondPerson.id).toBe(asked.id);
    expect((await agree('ben', asked)).body).toMatchObject({ state: 'agreed' });
    const both = `key:Ana (${keyIds.ana}), agreed by key:Ben (${keyIds.ben})`;
    expect(await closeOf('in_above')).toMatchObject({ state: 'released', release: { by: both } });
    expect(await auditsOf('in_above')).toEqual([
      ['second_person.ask', `key:Ana (${keyIds.ana})`],
      ['close.release', both],
      ['second_person.agree', `key:Ben (${keyIds.ben})`],
    ]);
    expect(await agree('ben', asked)).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('was agreed by key:Ben') },
    });
  });

  it('is done at once where it is not above, or nothing is configured', async () => {
    await addInvoice(bench, { id: 'in_exactly', state: 'held', totalMinor: 1_000n });
    expect((await release('ana', 'in_exactly')).body.close.state).toBe('released');
    setAbove(null);
    await addInvoice(bench, { id: 'in_free', state: 'held', totalMinor: 900_000n });
    expect((await release('ana', 'in_free')).body.close.state).toBe('released');
    setAbove(1_000n);
  });

  it('always waits in a currency that is not named, and for an unknown amount', async () => {
    await addInvoice(bench, {
      id: 'in_eur',
      customer: 'adatum',
      currency: 'eur',
      state: 'held',
      totalMinor: 1n,
    });
    expect((await release('ana', 'in_eur')).body.secondPerson.amount).toBe('0.01');
    const usage = await addUninvoiced(bench, 'in_trial');
    const { body } = await send('ana', `/v1/uninvoiced/${usage}/write-off`, { reason: 'goodwill' });
    expect(body.secondPerson).toMatchObject({ act: 'uninvoiced.write_off', amount: null });
  });

  it('is refused to who asked, whatever key or way they take', async () => {
    const asked = await ask('in_alone');
    for (const as of ['ana', 'anas second', 'anas spare', 'spares spare']) {
      expect([as, (await agree(as, asked)).status]).toEqual([as, 403]);
    }
    bench.clock.instant = new Date(bench.clock.instant.getTime() + 1_000);
    await makeKey('late', 'Carl');
    expect((await agree('late', asked)).body.detail).toContain('made after');
    await expect(typed('POST', `/v1/second-person/${asked.id}/agree`)).rejects.toThrow(
      'The command line has no name of its own',
    );
    expect((await closeOf('in_alone')).state).toBe('held');
    // With a key of theirs, a command is somebody.
    const agreed = await typed<Asked>('POST', `/v1/second-person/${asked.id}/agree`, undefined, keys.ben);
    expect(agreed.endedBy).toBe(`key:Ben (${keyIds.ben})`);
  });

  it('is refused to a key of the hand that made the one that asked, which has held both', async () => {
    await addInvoice(bench, { id: 'in_puppets', state: 'held', totalMinor: 200_000n });
    const { secondPerson } = (await release('anas other', 'in_puppets')).body;
    for (const as of ['spares spare', 'anas spare', 'ana', 'of anas second', 'anas second']) {
      expect([as, (await agree(as, secondPerson)).body.detail]).toEqual([
        as,
        expect.stringContaining('one person has held both'),
      ]);
    }
    expect((await closeOf('in_puppets')).state).toBe('held');
    expect((await agree('ben', secondPerson)).status).toBe(200);
  });

  it('is agreed to with a key that another person made and its holder exchanged, for what is asked from then on', async () => {
    const later = () => {
      bench.clock.instant = new Date(bench.clock.instant.getTime() + 60_000);
    };
    await makeKey('finns', 'Finn', `key:Ana (${keyIds.ana})`);
    await makeKey('through finn', 'Gita', `key:Finn (${keyIds.finns})`);
    later();
    const [before, after] = [await ask('in_handed'), 'in_taken_over'];
    const maker = keys.finns;
    expect((await agree('finns', before)).body.detail).toContain('one person has held both');
    later();
    const taken = await send('finns', '/v1/keys/own/exchange', {});
    expect([taken.status, taken.body.name, taken.body.apiKeyId]).toEqual([201, 'Finn', keyIds.finns]);
    // Whoever made it holds nothing any more.
    expect((await send('finns', '/v1/second-person?state=waiting')).status).toBe(401);
    keys.finns = taken.body.key;
    expect(keys.finns).not.toBe(maker);
    expect((await send('finns', '/v1/keys/own/exchange', {})).body.detail).toContain('a moment ago');
    // A release that was asked for before is not agreed to by a key that was made somebody else's meanwhile.
    expect((await agree('finns', before)).body.detail).toContain('exchanged after');
    later();
    await makeKey('of finn', 'Hal', `key:Finn (${keyIds.finns})`);
    later();
    const asked = await ask(after);
    // What the key made while its maker may have held it is of that hand still.
    expect((await agree('through finn', asked)).body.detail).toContain('one person has held both');
    expect((await agree('finns', asked)).status).toBe(200);
    const next = await ask('in_next');
    expect((await agree('of finn', next)).status).toBe(200);
    // Asked with it before it was exchanged, by whoever had made it.
    await makeKey('idas', 'Ida', `key:Ana (${keyIds.ana})`);
    later();
    await addInvoice(bench, { id: 'in_lent', state: 'held', missing: 5n, totalMinor: 200_000n });
    const { secondPerson: lent } = (await release('idas', 'in_lent')).body;
    later();
    keys.idas = (await send('idas', '/v1/keys/own/exchange', {})).body.key;
    expect((await agree('ana', lent)).body.detail).toContain('one person has held both');
    expect(await auditsOf(keyIds.idas ?? '')).toEqual([
      ['key.create', `key:Ana (${keyIds.ana})`],
      ['key.exchange', `key:Ida (${keyIds.idas})`],
    ]);
    await expect(typed('POST', '/v1/keys/own/exchange')).rejects.toThrow('no key of its own');
    await makeKey('jos', 'Jo');
    const typedKey = await typed<{ key: string }>('POST', '/v1/keys/own/exchange', undefined, keys.jos);
    expect(typedKey.key).toMatch(/^tsk_/);
  });

  it('may be asked for on the command line, and is agreed to by any person', async () => {
    await addInvoice(bench, { id: 'in_typed', state: 'held', totalMinor: 5_000n });
    const { secondPerson } = await typed<{ secondPerson: Asked }>('POST', '/v1/closes/in_typed/release', {
      reason: 'typed',
    });
    expect(secondPerson.askedBy).toMatch(/^command line/);
    expect((await agree('ana', secondPerson)).status).toBe(200);
  });

  it('is nothing that a key without the scope may agree to', async () => {
    const asked = await ask('in_scope');
    const response = await bench.call(`/v1/second-person/${asked.id}/agree`, {
      method: 'POST',
      scope: 'finance',
    });
    expect(response.status).toBe(403);
  });

  it('is refused with both figures where they changed, and can be asked for anew', async () => {
    const asked = await ask('in_changed');
    await sql`update closes set total_minor = 214000 where invoice_id = 'in_changed'`.execute(
      bench.ledger.database,
    );
    const refused = await agree('ben', asked);
    expect(refused.status).toBe(409);
    expect(refused.body.detail).toContain('total was 2000.00 USD and is 2140.00 USD');
    expect((await closeOf('in_changed')).state).toBe('held');
    const standing = await send('ben', `/v1/second-person/${asked.id}`);
    expect(standing.body.changes).toEqual(['total was 2000.00 USD and is 2140.00 USD']);
    const anew = (await release('ben', 'in_changed')).body.secondPerson;
    expect(anew.amount).toBe('2140.00');
    expect((await send('ana', `/v1/second-person/${asked.id}`)).body.request.state).toBe('overtaken');
    expect((await agree('ana', anew)).status).toBe(200);
  });

  it('is done once by two who agree at once, and asked for once by two who ask at once', async () => {
    const asked = await ask('in_race');
    await makeKey('dora', 'Dora');
    await sql`update api_keys set created_at = '2026-01-01' where name = 'Dora'`.execute(
      bench.ledger.database,
    );
    const both = await Promise.all([agree('ben', asked), agree('dora', asked)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect((await auditsOf('in_race')).filter(([action]) => action === 'close.release')).toHaveLength(1);
    await addInvoice(bench, { id: 'in_both', state: 'held', totalMinor: 5_000n });
    const asks = await Promise.all([release('ana', 'in_both'), release('ben', 'in_both')]);
    expect(asks.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect(asks.find(({ status }) => status === 409)?.body.detail).toContain(
      'waits for a second person already',
    );
  });

  it('lets one of two different acts on an invoice be asked for at once, whichever came first', async () => {
    const { database } = bench.ledger;
    const reason = 'both at once';
    const choose = (as: string, invoiceId: string) =>
      send(as, `/v1/invoices/${invoiceId}/usage`, { choice: 'written_off', reason });
    for (const turn of [1, 2, 3, 4]) {
      const id = `in_two_acts_${turn}`;
      await addInvoice(bench, { id, state: 'held', totalMinor: 200_000n });
      // Held, and given up on in Stripe: its release and its usage wait for somebody, both under its id.
      await sql`update invoices set status = 'uncollectible' where invoice_id = ${id}`.execute(database);
      const asks = await Promise.all([release('ana', id), choose('ben', id)]);
      expect(asks.map(({ status }) => status).sort()).toEqual([202, 409]);
      const waiting = asks.find(({ status }) => status === 202)?.body.secondPerson;
      expect(asks.find(({ status }) => status === 409)?.body.detail).toContain(
        `${waiting.act} of ${id}, asked for by`,
      );
      // In whatever order: what waits stays what it is.
      expect((await release('ben', id)).status).toBe(409);
      expect((await choose('ana', id)).status).toBe(409);
      expect((await send('ana', `/v1/second-person/${waiting.id}`)).body.request.state).toBe('waiting');
    }
    await addInvoice(bench, { id: 'in_void_held', state: 'held', totalMinor: 5n });
    await sql`update invoices set status = 'void' where invoice_id = 'in_void_held'`.execute(database);
    expect(await release('ana', 'in_void_held')).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('is void') },
    });
  });

  it('has not happened where it was killed half-way, and happens then', async () => {
    const { database } = bench.ledger;
    const asked = await ask('in_killed');
    await sql`create function die() returns trigger language plpgsql as $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$`.execute(
      database,
    );
    await sql`create trigger die before update on second_person_requests for each row execute function die()`.execute(
      database,
    );
    expect((await agree('ben', asked)).status).toBeGreaterThanOrEqual(500);
    await sql`drop function die cascade`.execute(database);
    expect(await closeOf('in_killed')).toMatchObject({ state: 'held', release: null });
    expect(await auditsOf('in_killed')).toHaveLength(1);
    expect((await agree('ben', asked)).status).toBe(200);
    expect((await closeOf('in_killed')).state).toBe('released');
  });

  it('is withdrawn by who asked and declined by others, and then no more', async () => {
    const mine = await ask('in_withdrawn');
    expect((await decline('anas second', mine)).body).toMatchObject({ state: 'withdrawn' });
    expect((await agree('ben', mine)).status).toBe(409);
    const theirs = await ask('in_declined');
    expect((await decline('ben', theirs)).body).toMatchObject({
      state: 'declined',
      endedBy: `key:Ben (${keyIds.ben})`,
    });
    expect((await agree('ben', theirs)).status).toBe(409);
    // And may be asked for again.
    expect((await release('ana', 'in_declined')).body.secondPerson.id).not.toBe(theirs.id);
  });

  it('goes on waiting whatever the amount becomes, and is overtaken where one person may do it', async () => {
    const asked = await ask('in_lowered');
    setAbove(100n);
    await addInvoice(bench, { id: 'in_small', state: 'held', totalMinor: 500n });
    expect((await release('ana', 'in_small')).body.secondPerson.amount).toBe('5.00');
    expect((await agree('ben', asked)).status).toBe(200);
    const raised = await ask('in_raised');
    setAbove(1_000_000n);
    expect((await release('ana', 'in_raised')).body.close.state).toBe('released');
    expect((await send('ana', `/v1/second-person/${raised.id}`)).body.request.state).toBe('overtaken');
    setAbove(1_000n);
  });

  it('cannot be done after Stripe finalized the invoice, and says so', async () => {
    const asked = await ask('in_overtaken');
    await sql`update closes set state = 'overtaken' where invoice_id = 'in_overtaken'`.execute(
      bench.ledger.database,
    );
    expect((await send('ben', `/v1/second-person/${asked.id}`)).body.obstacle).toBe(
      'its close is overtaken, not held',
    );
    expect((await agree('ben', asked)).body.detail).toContain('its close is overtaken, not held');
    expect((await decline('ben', asked)).status).toBe(200);
  });

  it('expires, and makes room for another', async () => {
    const asked = await ask('in_expired');
    const before = bench.clock.instant;
    bench.clock.instant = new Date(before.getTime() + 72 * 3_600_000);
    expect((await agree('ben', asked)).body.detail).toContain('expired at');
    expect((await send('ana', '/v1/second-person?state=expired')).body.requests).toContainEqual(
      expect.objectContaining({ id: asked.id }),
    );
    const anew = (await release('ana', 'in_expired')).body.secondPerson;
    expect(anew.id).not.toBe(asked.id);
    expect(await auditsOf('in_expired')).toContainEqual(['second_person.expire', 'tallystick']);
    bench.clock.instant = before;
  });

  it('asks for a reason, and for nothing that could not be done', async () => {
    await addInvoice(bench, { id: 'in_credited', state: 'finalized' });
    const credit = await addCredit(bench, 'in_credited');
    const approve = `/v1/credit-proposals/${credit}/approve`;
    expect((await send('ana', approve, {})).body.errors).toMatchObject([{ field: 'reason' }]);
    expect((await release('ana', 'in_credited')).status).toBe(409);
    expect((await release('ana', 'in_none')).status).toBe(404);
  });

  it('is any of credits, usage and invoices that were taken back', async () => {
    const { database } = bench.ledger;
    await addInvoice(bench, { id: 'in_given', state: 'finalized' });
    const [approved, rejected] = [await addCredit(bench, 'in_given'), await addCredit(bench, 'in_given')];
    const usage = await addUninvoiced(bench, 'in_trial');
    await insertUsage(database, [
      { hour: '2026-10-07T09:00:00Z', tokens: 984_230n, quarantine: 'uninvoiced' },
    ]);
    await sql`update hourly_usage set uninvoiced_id = ${usage}::bigint where quarantine_reason = 'uninvoiced'`.execute(
      database,
    );
    await sql`insert into invoices (invoice_id, customer_id, subscription_id, status, currency, total_minor, period_start, period_end, synced_at)
      values ('in_void', 'northwind', 'sub_northwind', 'void', 'usd', 5000, '2026-09-01', '2026-10-01', now())`.execute(
      database,
    );
    setAbove(100n);
    const reason = 'for the test';
    const requests: [string, object, string][] = [
      [`/v1/credit-proposals/${approved}/approve`, { reason, paidPart: 'refund' }, '12.34'],
      [`/v1/credit-proposals/${rejected}/reject`, { reason }, '12.34'],
      // 984,230 tokens at 0.0003 cents.
      [`/v1/uninvoiced/${usage}/due-again`, { reason }, '2.95'],
      ['/v1/invoices/in_void/usage', { choice: 'written_off', reason }, '50.00'],
    ];
    for (const [path, body, amount] of requests) {
      const { status, body: answer } = await send('ana', path, body);
      expect([path, status, answer.secondPerson?.amount]).toEqual([path, 202, amount]);
      expect([path, (await agree('ben', answer.secondPerson)).status]).toEqual([path, 200]);
    }
    setAbove(1_000n);
    const said = await sql<{ said: string }>`
      select state || ' ' || coalesce(paid_part, '') as said from credit_proposals where credit_proposal_id in (${approved}::bigint, ${rejected}::bigint)
      union all select state from uninvoiced_usage where uninvoiced_id = ${usage}::bigint
      union all select choice from invoice_choices where invoice_id = 'in_void'`.execute(database);
    expect(said.rows.map((row) => row.said).sort()).toEqual([
      'approved refund',
      'due_again',
      'rejected customer_balance',
      'written_off',
    ]);
  });
});
