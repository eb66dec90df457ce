import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

let bench: ApiBench;
beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
});
afterEach(() => bench.close());

const put = (path: string, body: unknown, scope: 'admin' | 'finance' = 'admin') =>
  bench.call(path, {
    method: 'PUT',
    scope,
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

async function audit(target: string) {
  return await bench.ledger.database
    .selectFrom('audit_log')
    .select(['actor', 'action', 'details'])
    .where('target', '=', target)
    .orderBy('audit_id')
    .execute();
}

describe('customers', () => {
  it('are listed page by page', async () => {
    const first = (await (await bench.call('/v1/customers?limit=1')).json()) as {
      customers: { customerId: string; subjectCount: number }[];
      nextCursor: string;
    };
    expect(first.customers).toMatchObject([{ customerId: 'adatum', subjectCount: 1 }]);
    const second = await (await bench.call(`/v1/customers?limit=1&cursor=${first.nextCursor}`)).json();
    expect(second).toMatchObject({
      customers: [{ customerId: 'northwind', subjectCount: 2 }],
      nextCursor: null,
    });
  });

  it('answer 404 UNKNOWN_CUSTOMER when there is none', async () => {
    for (const path of [
      '/v1/customers/nobody',
      '/v1/customers/nobody/subjects',
      '/v1/customers/nobody/invoice-preview',
    ]) {
      const response = await bench.call(path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'UNKNOWN_CUSTOMER' });
    }
  });

  it('are created and replaced, each with an audit row that names the key', async () => {
    const body = { name: 'Fabrikam', tenantKey: 'fabrikam', stripeCustomerId: 'cus_fabrikam' };
    expect((await put('/v1/customers/fabrikam', body)).status).toBe(201);
    const replaced = await put('/v1/customers/fabrikam', { ...body, name: 'Fabrikam Inc' });
    expect(replaced.status).toBe(200);
    expect(await replaced.json()).toMatchObject({ name: 'Fabrikam Inc', tenantKey: 'fabrikam' });
    const rows = await audit('fabrikam');
    expect(rows.map((row) => row.action)).toEqual(['customer.put', 'customer.put']);
    expect(rows[1]?.actor).toContain('admin key');
    expect(rows[1]?.details).toMatchObject({ before: { name: 'Fabrikam' }, after: { name: 'Fabrikam Inc' } });
  });

  it('say who attributes their usage, as a person chose, and keep the choice where none is sent', async () => {
    const body = { name: 'Fabrikam', tenantKey: 'fabrikam', stripeCustomerId: null };
    const told = async (response: Response | Promise<Response>) =>
      ((await (await response).json()) as { attribution: unknown }).attribution;
    const untold = { by: 'openmeter', reason: null, detail: null, since: null };
    expect(await told(put('/v1/customers/fabrikam', body))).toEqual({ choice: 'automatic', ...untold });
    expect(await told(put('/v1/customers/fabrikam', { ...body, attribution: 'ledger' }))).toMatchObject({
      choice: 'ledger',
    });
    expect(await told(put('/v1/customers/fabrikam', { ...body, name: 'Inc' }))).toMatchObject({
      choice: 'ledger',
    });
    expect((await put('/v1/customers/fabrikam', { ...body, attribution: 'nobody' })).status).toBe(400);
    await bench.ledger.database
      .updateTable('customer_attributions')
      .set({ reason: 'name_taken', detail: 'Both names.' })
      .execute();
    expect(await told(bench.call('/v1/customers/fabrikam'))).toMatchObject({
      by: 'ledger',
      reason: 'name_taken',
      detail: 'Both names.',
    });
    const status = await (await bench.call('/v1/status')).json();
    expect(status).toMatchObject({
      attributions: [{ reason: 'name_taken', customerCount: '1', customerIds: ['fabrikam'] }],
    });
    expect(await (await bench.call('/metrics')).text()).toContain(
      'tallystick_customers_by_ledger{reason="name_taken"} 1',
    );
  });

  it('take the subjects of their tenant key along', async () => {
    const body = { name: 'Stray Ltd', tenantKey: 'nobody', stripeCustomerId: null };
    await put('/v1/customers/stray-ltd', body);
    expect(await (await bench.call('/v1/subjects/stray')).json()).toMatchObject({
      customerId: 'stray-ltd',
      assignedBy: 'tenant',
    });
    await put('/v1/customers/stray-ltd', { ...body, tenantKey: null });
    expect(await (await bench.call('/v1/subjects/stray')).json()).toMatchObject({
      customerId: null,
      assignedBy: null,
    });
  });

  it('refuse a tenant key or Stripe customer that another has', async () => {
    for (const [field, change] of [
      ['tenantKey', { tenantKey: 'northwind', stripeCustomerId: null }],
      ['stripeCustomerId', { tenantKey: null, stripeCustomerId: 'cus_northwind' }],
    ] as const) {
      const response = await put('/v1/customers/copycat', { name: 'Copycat', ...change });
      expect(response.status).toBe(409);
      expect(await response.json()).toMatchObject({ code: 'CONFLICT', errors: [{ field }] });
    }
    expect(await audit('copycat')).toEqual([]);
  });

  it.each([
    [{}, ['name', 'tenantKey', 'stripeCustomerId']],
    [{ name: '', tenantKey: null, stripeCustomerId: null }, ['name']],
    [{ name: 'x', tenantKey: '', stripeCustomerId: null }, ['tenantKey']],
    [{ name: 'x', tenantKey: null, stripeCustomerId: 'northwind' }, ['stripeCustomerId']],
    [{ name: 'x', tenantKey: null, stripeCustomerId: null, currency: 'usd' }, ['currency']],
    [{ name: 'x\u0000', tenantKey: null, stripeCustomerId: null }, ['name']],
    ['{"name":', ['body']],
  ])('refuse %j and name the fields', async (body, fields) => {
    const response = await put('/v1/customers/bad', body);
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { errors: { field: string }[] };
    expect(problem.errors.map((error) => error.field)).toEqual(fields);
  });

  it('are changed by admins only', async () => {
    const body = { name: 'x', tenantKey: null, stripeCustomerId: null };
    expect((await put('/v1/customers/northwind', body, 'finance')).status).toBe(403);
    expect((await put('/v1/subjects/user-1', { customerId: null }, 'finance')).status).toBe(403);
  });
});

describe('subjects', () => {
  it('are listed for a customer, and those of nobody by themselves', async () => {
    const own = (await (await bench.call('/v1/customers/northwind/subjects')).json()) as {
      subjects: { subject: string }[];
    };
    expect(own.subjects.map((entry) => entry.subject)).toEqual(['user-1', 'user-2']);
    const strays = (await (await bench.call('/v1/subjects?unassigned=true')).json()) as typeof own;
    expect(strays.subjects.map((entry) => entry.subject)).toEqual(['stray']);
    const page = await (await bench.call('/v1/subjects?customerId=northwind&limit=1')).json();
    expect(page).toMatchObject({ subjects: [{ subject: 'user-1' }] });
    expect((page as { nextCursor: string }).nextCursor).not.toBeNull();
  });

  it('are assigned by a person, with an audit row', async () => {
    const response = await put('/v1/subjects/user-3', { customerId: 'northwind' });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ customerId: 'northwind', assignedBy: 'person' });
    expect((await audit('user-3'))[0]).toMatchObject({
      action: 'subject.assign',
      details: {
        before: { customer_id: 'adatum', assigned_by: 'tenant' },
        after: { customer_id: 'northwind' },
      },
    });
  });

  it('release the usage that waited for them', async () => {
    await insertUsage(bench.ledger.database, [
      {
        hour: '2026-11-20T09:00:00Z',
        tokens: 70n,
        subject: 'newcomer',
        customer: null,
        quarantine: 'no_customer',
      },
      {
        hour: '2026-11-20T09:00:00Z',
        tokens: 5n,
        subject: 'other',
        customer: null,
        quarantine: 'no_customer',
      },
    ]);
    const response = await put('/v1/subjects/newcomer', { customerId: 'northwind' });
    expect(await response.json()).toMatchObject({ releasedTokenCount: '70' });
    const rows = await bench.ledger.database
      .selectFrom('hourly_usage')
      .select(['subject', 'quarantine_reason'])
      .orderBy('subject')
      .execute();
    expect(rows).toEqual([
      { subject: 'newcomer', quarantine_reason: null },
      { subject: 'other', quarantine_reason: 'no_customer' },
    ]);
    const usage = await bench.call('/v1/usage?from=2026-11-20&to=2026-11-21&customerId=northwind');
    expect(await usage.json()).toMatchObject({ rows: [{ tokenCount: '70' }] });
  });

  it('may be assigned before they are seen, whatever their name', async () => {
    for (const subject of ['2026-11-21T00:00:00Z', "Robert'); drop table subjects;--", '🦄 / ü%2F', '..']) {
      const path = `/v1/subjects/${encodeURIComponent(subject).replaceAll('.', '%2E')}`;
      const response = await put(path, { customerId: 'northwind' });
      if (subject === '..') {
        // A URL parser resolves even an encoded dot segment, so this one name cannot be reached.
        expect(response.status).toBe(404);
        continue;
      }
      expect(await response.json()).toMatchObject({ subject, assignedBy: 'person' });
      expect(await (await bench.call(path)).json()).toMatchObject({ subject, customerId: 'northwind' });
    }
  });

  it('cannot be given to an unknown or deleted customer, and nothing is written then', async () => {
    await bench.ledger.database
      .updateTable('customers')
      .set({ deleted_at: new Date() })
      .where('customer_id', '=', 'adatum')
      .execute();
    for (const customerId of ['nobody', 'adatum']) {
      const response = await put('/v1/subjects/fresh', { customerId });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'UNKNOWN_CUSTOMER' });
    }
    expect((await bench.call('/v1/subjects/fresh')).status).toBe(404);
    expect(await audit('fresh')).toEqual([]);
  });
});

describe('oversized bodies', () => {
  const large = JSON.stringify({ usage: [], padding: 'x'.repeat(300 * 1024) });

  it('answer 413, with and without a declared length', async () => {
    const declared = await bench.call('/v1/quotes', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': String(large.length) },
      body: large,
    });
    expect(declared.status).toBe(413);
    expect(await declared.json()).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    const streamed = await bench.call('/v1/quotes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([large]).stream(),
      duplex: 'half',
    } as RequestInit);
    expect(streamed.status).toBe(413);
  });
});
