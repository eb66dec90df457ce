import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { raiseAlerts } from '../../src/alerts/raise.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
});
afterAll(() => bench.close());

const post = async (path: string, body: object) => {
  const response = await bench.call(path, {
    method: 'POST',
    scope: 'finance',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: each answer has a form of its own
  return { status: response.status, body: (await response.json()) as any };
};
const mail = { name: 'mail', channel: 'email', emailAddresses: ['ops@example.com'] };
const hook = { name: 'hook', channel: 'webhook', secretName: 'ALERT_SECRET_HOOK' };
const ADDRESS = 'https://user:word@hooks.example.com:8443/usage/t0ken?key=t0ken';

describe('the API of alerts', () => {
  it.each([
    ['emailAddresses', { ...mail, emailAddresses: [] }],
    ['emailAddresses.0', { ...mail, emailAddresses: ['nobody'] }],
    ['secretName', { ...mail, secretName: 'ALERT_SECRET_HOOK' }],
    ['secretName', { ...hook, url: ADDRESS, secretName: 'DATABASE_URL' }],
    ['url', hook],
    ['url', { ...hook, url: 'file:///etc/passwd' }],
    ['url', { ...mail, url: ADDRESS }],
    ['kinds.0', { ...mail, kinds: ['rumour'] }],
    ['customerId', { ...mail, audience: 'customer' }],
    ['digest', { ...mail, audience: 'customer', customerId: 'northwind', digest: 'day' }],
    ['quietUntil', { ...mail, quietFrom: '22:00' }],
    ['quietFrom', { ...mail, quietFrom: '24:00', quietUntil: '07:00' }],
    ['timeZone', { ...mail, timeZone: 'Berlin' }],
    ['subjectTemplate', { ...mail, subjectTemplate: 'Hello {nobody}' }],
    ['recipients', { ...mail, recipients: [] }],
  ])('names %s in what it refuses of a route', async (field, terms) => {
    const { status, body } = await post('/v1/alert-routes', terms);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION', errors: [{ field }] });
  });

  it('keeps of the address of a signed webhook the host in the audit, and shows no more', async () => {
    const made = await post('/v1/alert-routes', { ...hook, name: 'with a token', url: ADDRESS });
    expect(made).toMatchObject({ status: 201, body: { host: 'hooks.example.com:8443' } });
    const { rows } = await sql<{ targetUrl: string; text: string }>`
      select details->>'targetUrl' as "targetUrl", details::text as text from audit_log
      where action = 'alert_routes.create' and target = ${made.body.id}`.execute(bench.ledger.database);
    expect(rows).toMatchObject([{ targetUrl: 'hooks.example.com:8443' }]);
    expect(`${rows[0]?.text} ${JSON.stringify(made.body)}`).not.toMatch(/t0ken|word/);
  });

  it('sends what was sent again under another id, what was given up under its own, and not what waits', async () => {
    const { database } = bench.ledger;
    const { body: route } = await post('/v1/alert-routes', { ...mail, name: 'again' });
    await post(`/v1/alert-routes/${route.id}/test`, {});
    await database.transaction().execute(async (transaction) => {
      const facts = { askedBy: 'test' };
      const test = { kind: 'test', customerId: null, audience: 'operator', severity: 'info', facts } as const;
      await raiseAlerts(
        transaction,
        ['sent', 'given_up', 'undone'].map((key) => ({ ...test, key })),
        bench.clock.now(),
      );
      await sql`insert into alert_deliveries (alert_id, alert_route_id, message_id, state, created_at, sent_at, attempt_count)
        select alert_id, ${route.id}, 'msg_' || key, key, raised_at, case key when 'sent' then raised_at end, 3
        from alerts where key = any('{sent,given_up,undone}')`.execute(transaction);
    });
    const { rows: ids } = await sql<{ key: string; id: string }>`
      select key, alert_id::text as id from alerts`.execute(database);
    const resend = async (key: string, routeId = route.id) =>
      await post(`/v1/alerts/${ids.find((row) => row.key === key)?.id}/resend`, { routeId });
    const delivery = { state: 'waiting', attemptCount: 0, sentAt: null };
    const sent = await resend('sent');
    expect(sent).toMatchObject({ status: 202, body: { deliveries: [delivery] } });
    expect(sent.body.deliveries[0].messageId).toMatch(/^msg_(?!sent$)/);
    expect(await resend('given_up')).toMatchObject({
      status: 202,
      body: { deliveries: [{ ...delivery, messageId: 'msg_given_up' }] },
    });
    expect(await resend('sent')).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await resend('undone')).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await resend('sent', 'route_AAAAAAAAAAAAAAAA')).toMatchObject({ status: 404 });
    await post(`/v1/alert-routes/${route.id}/end`, {});
    expect(await resend('given_up')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  });
});
