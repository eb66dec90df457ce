import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sendAlerts } from '../../jobs/send-alerts.ts';
import { type NewAlert, raiseAlerts } from '../../src/alerts/raise.ts';
import { createRoute, type RouteTerms } from '../../src/alerts/route-store.ts';
import { addMs, DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/log.ts';
import { type MailServer, type Receiver, startMailServer, startReceiver } from '../alerts/receivers.ts';
import { clearAlerts, insertStepEvent, routeTerms } from '../alerts/world.ts';
import { insertFindings } from '../anomalies/world.ts';
import { insertCatalog } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const START = new Date('2026-11-20T14:25:00Z');

let ledger: TestLedger;
let mailServer: MailServer;
let receiver: Receiver;
let now = START;
let deps: Parameters<typeof sendAlerts>[0];

beforeAll(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  [mailServer, receiver] = await Promise.all([startMailServer(), startReceiver()]);
});
afterAll(async () => {
  await Promise.all([mailServer.close(), receiver.close(), ledger.close()]);
});
beforeEach(async () => {
  await clearAlerts(ledger.database);
  now = START;
  mailServer.mails.length = 0;
  mailServer.refuseWith = null;
  receiver.received.length = 0;
  receiver.answer = { status: 200 };
  deps = {
    database: ledger.database,
    clock: { now: () => now },
    log: createLogger('silent'),
    alerts: {
      settings: {
        smtpUrl: mailServer.url,
        from: 'Tallystick <alerts@tallystick.example>',
        listedOrigins: [receiver.origin],
        secrets: { ALERT_SECRET_HOOK: SECRET, ALERT_SECRET_CHAT: `${receiver.origin}/chat` },
      },
      publicUrl: 'https://tally.example/',
      quarantineAfterMs: DAY_MS,
      timeLimitMs: 500,
    },
  };
});

const run = async (laterMs = 0) => {
  now = addMs(now, laterMs);
  return await sendAlerts(deps);
};
const route = async (changes: Partial<RouteTerms> = {}) =>
  await createRoute(ledger.database, {
    terms: routeTerms(changes),
    actor: 'test',
    now: addMs(START, -HOUR_MS),
  });
const hook = async (changes: Partial<RouteTerms> = {}) =>
  await route({
    name: 'hook',
    channel: 'webhook',
    emailAddresses: [],
    targetUrl: `${receiver.origin}/alerts`,
    secretName: 'ALERT_SECRET_HOOK',
    ...changes,
  });
const raise = async (...alerts: NewAlert[]) =>
  await ledger.database
    .transaction()
    .execute(async (transaction) => await raiseAlerts(transaction, alerts, now));
const drift = (key: string, severity: NewAlert['severity'] = 'warning'): NewAlert => ({
  kind: 'drift',
  key,
  customerId: 'northwind',
  audience: 'operator',
  severity,
  facts: { boundary: 'stripe', hourCount: 2, tokenCount: '1200', firstSeenAt: '2026-11-20T13:00:00Z' },
});
const states = async () =>
  Object.fromEntries(
    (
      await sql<{
        state: string;
        count: bigint;
      }>`select state, count(*) as count from alert_deliveries group by 1`.execute(ledger.database)
    ).rows.map(({ state, count }) => [state, Number(count)]),
  );
const subjects = () => mailServer.mails.map(({ subject }) => subject);

describe('send-alerts', () => {
  it('mails a finding once, withdraws it once when later data undid it, and then asks one statement', async () => {
    await route();
    await insertFindings(ledger.database, [{ raised: true }, { raised: false }]);
    expect(await run()).toMatchObject({ raisedCount: 1, sentCount: 1 });
    const [mail] = mailServer.mails;
    expect(mail).toMatchObject({
      subject: 'NORTHWIND: 13.88 USD more than usual since 20 Nov 2026, 14:00 UTC',
      from: { name: 'Tallystick', address: 'alerts@tallystick.example' },
      to: [{ address: 'operations@example.com' }],
    });
    expect(mail?.text).toContain('user user-1 (97 %)');
    expect(mail?.text).toContain('another day costs 333.12 USD beyond the usual');
    expect(mail?.text).toContain('https://tally.example/console/anomalies/1');
    expect(await run(MINUTE_MS)).toMatchObject({ raisedCount: 0, sentCount: 0 });

    await sql`update anomaly_findings set state = 'withdrawn', ended_at = ${now} where raised_at is not null`.execute(
      ledger.database,
    );
    expect(await run(MINUTE_MS)).toMatchObject({ withdrawnCount: 1, sentCount: 1 });
    expect(subjects()[1]).toBe(`Withdrawn: ${mail?.subject}`);
    expect(mailServer.mails[1]?.inReplyTo).toBe(mail?.messageId);

    let statementCount = 0;
    const counted = ledger.database.withPlugin({
      transformQuery: ({ node }) => {
        statementCount += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    expect(await sendAlerts({ ...deps, database: counted })).toMatchObject({
      withdrawnCount: 0,
      sentCount: 0,
    });
    expect(statementCount).toBe(1);
    expect(mailServer.mails).toHaveLength(2);
  });

  it('says nothing of what was undone before anybody heard of it, and of what a route may not hear', async () => {
    await route({ quietFromMinute: 14 * 60, quietUntilMinute: 15 * 60, urgentPasses: false });
    await hook({ kinds: ['held_invoice'] });
    await hook({ name: 'adatum', customerId: 'adatum' });
    await insertFindings(ledger.database, [{ raised: true }]);
    expect(await run()).toMatchObject({ raisedCount: 1, sentCount: 0 });
    expect(await states()).toEqual({ waiting: 1 });
    await sql`update anomaly_findings set state = 'withdrawn', ended_at = ${now}`.execute(ledger.database);
    expect(await run(HOUR_MS)).toMatchObject({ withdrawnCount: 1, sentCount: 0 });
    expect(await states()).toEqual({ undone: 1 });
    expect(mailServer.mails).toEqual([]);
    expect(receiver.received).toEqual([]);
  });

  it('keeps quiet hours by the clock of the route, and lets urgent ones through where that was chosen', async () => {
    await route({ timeZone: 'Europe/Berlin', quietFromMinute: 22 * 60, quietUntilMinute: 7 * 60 });
    now = new Date('2026-11-20T21:30:00Z');
    await raise(drift('warning'), drift('urgent', 'urgent'));
    await run();
    expect(await states()).toEqual({ sent: 1, waiting: 1 });
    now = new Date('2026-11-21T05:59:00Z');
    await run();
    expect(await states()).toEqual({ sent: 1, waiting: 1 });
    await run(MINUTE_MS);
    expect(await states()).toEqual({ sent: 2 });
  });

  it('signs webhooks so that a receiver of the specification takes them, under one id however often they are sent', async () => {
    await hook();
    receiver.answer = { status: 500 };
    await raise(drift('signed'));
    expect(await run()).toMatchObject({ failedCount: 1 });
    expect(await run(30_000)).toMatchObject({ failedCount: 0 });
    receiver.answer = { status: 204 };
    expect(await run(MINUTE_MS)).toMatchObject({ sentCount: 1 });
    const bodies = receiver.received.map(({ body, headers }) =>
      new Webhook(SECRET).verify(body, headers as Record<string, string>),
    );
    expect(bodies).toHaveLength(2);
    expect(bodies[1]).toMatchObject({
      type: 'drift.raised',
      timestamp: START.toISOString(),
      data: { customerId: 'northwind', severity: 'warning', withdraws: null, facts: { hourCount: 2 } },
    });
    const [first, second] = receiver.received;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    const tampered = { ...first?.headers, 'webhook-id': 'msg_other' };
    expect(() =>
      new Webhook(SECRET).verify(first?.body ?? '', tampered as unknown as Record<string, string>),
    ).toThrow();
  });

  it('tries for a day, ever more rarely, and then gives up where people see it', async () => {
    await hook();
    receiver.answer = { status: 500 };
    await raise(drift('hopeless'));
    let tries = 0;
    for (let minute = 0; minute <= 25 * 60; minute += 5) tries += (await run(5 * MINUTE_MS)).failedCount;
    expect(await states()).toEqual({ given_up: 1 });
    expect(receiver.received).toHaveLength(tries + 1);
    expect(tries + 1).toBe(10);
    const { rows } = await sql<{ error: string; hours: number }>`
      select max(error) as error, extract(epoch from max(began_at) - min(began_at))::float8 / 3600 as hours from alert_attempts`.execute(
      ledger.database,
    );
    expect(rows[0]?.error).toBe('answers 500');
    expect(rows[0]?.hours).toBeGreaterThan(23);
    expect(rows[0]?.hours).toBeLessThan(25);
    receiver.answer = { status: 410 };
    await raise(drift('gone'));
    expect(await run()).toMatchObject({ givenUpCount: 1 });
  });

  it('sends to no address within, follows no redirect, and lets a receiver that hangs hold nobody', async () => {
    await hook({ name: 'private', targetUrl: 'https://10.0.0.8/alerts' });
    await hook({ name: 'metadata', targetUrl: 'https://[::ffff:169.254.169.254]/alerts' });
    await hook({ name: 'loopback by name', targetUrl: 'https://localhost:1/alerts' });
    await hook({ name: 'plain', targetUrl: 'http://example.com/alerts' });
    await route();
    await raise(drift('anywhere'));
    expect(await run()).toMatchObject({ sentCount: 1, failedCount: 4 });
    const errors = async () => {
      const tries = await ledger.database.selectFrom('alert_attempts').select('error').execute();
      return tries.flatMap(({ error }) => error ?? []).sort();
    };
    expect(await errors()).toEqual([
      'refused: it resolves to an address that is not public (linkLocal)',
      'refused: it resolves to an address that is not public (loopback)',
      'refused: it resolves to an address that is not public (private)',
      'refused: its address is not https',
    ]);

    await clearAlerts(ledger.database);
    await hook();
    receiver.answer = { status: 302, headers: { location: 'http://169.254.169.254/' } };
    await raise(drift('redirected'));
    await run();
    expect(await errors()).toEqual(['answers 302, and redirects are not followed']);

    await clearAlerts(ledger.database);
    await hook();
    await route();
    receiver.answer = null;
    await raise(drift('hanging'), drift('behind it'));
    const startedMs = performance.now();
    expect(await run()).toMatchObject({ sentCount: 2, failedCount: 1 });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await errors()).toEqual(['gave no answer within 0.5 s']);
  });

  it('speaks to Slack and Teams in their forms, with names that stay names', async () => {
    await route({ name: 'slack', channel: 'slack', emailAddresses: [], secretName: 'ALERT_SECRET_CHAT' });
    await route({ name: 'teams', channel: 'teams', emailAddresses: [], secretName: 'ALERT_SECRET_CHAT' });
    await route({ name: 'unset', channel: 'teams', emailAddresses: [], secretName: 'ALERT_SECRET_NOWHERE' });
    await insertStepEvent(ledger.database, {
      budget: '<!channel> [a](b)',
      customerId: null,
      sharePermille: 800,
      reachedAt: now,
    });
    expect(await run()).toMatchObject({ sentCount: 2, failedCount: 1 });
    const bodies = receiver.received.map(({ body }) => JSON.parse(body));
    const slack = bodies.find(({ text }) => text !== undefined);
    expect(slack.text).toContain(
      '*Budget &lt;!channel&gt; [a](b) has reached 80 %*\n800,000 tokens of 1,000,000 tokens',
    );
    const card = bodies.find(({ type }) => type === 'message').attachments[0];
    expect(card).toMatchObject({
      contentType: 'application/vnd.microsoft.card.adaptive',
      content: { type: 'AdaptiveCard', version: '1.4' },
    });
    expect(card.content.body[0].text).toBe('Budget <!channel> \\[a\\]\\(b\\) has reached 80 %');
    expect(card.content.actions[0].url).toBe(
      `https://tally.example/console/budgets/${encodeURIComponent('bud_<!channel> [a](b)')}`,
    );
  });

  it('tells a customer of its own budget in its own words, and never of what usage costs us', async () => {
    await route({
      name: 'northwind',
      audience: 'customer',
      customerId: 'northwind',
      emailAddresses: ['it@northwind.example'],
      locale: 'de',
      subjectTemplate: 'Hallo {customer}: {share} von {budget}',
      bodyTemplate: 'Es sind {used}.\n\n{contact}<b>Gruß</b>',
    });
    const events = [];
    for (const seed of [
      { budget: '{limit} & <i>', customerId: 'northwind' },
      { budget: 'our cost', customerId: 'northwind', measure: 'cost' as const },
      { budget: 'adatum', customerId: 'adatum' },
    ]) {
      events.push(await insertStepEvent(ledger.database, { sharePermille: 800, reachedAt: now, ...seed }));
    }
    await insertFindings(ledger.database, [{ raised: true }]);
    expect(await run()).toMatchObject({ raisedCount: 4, sentCount: 1 });
    const [mail] = mailServer.mails;
    expect(mail?.subject).toBe('Hallo NORTHWIND: 80 % von {limit} & <i>');
    expect(mail?.html).toContain('80 % von {limit} &amp; &lt;i&gt;');
    expect(mail?.html).toContain('&lt;b&gt;Gruß&lt;/b&gt;');
    expect(mail?.text).not.toContain('console');

    await sql`update budget_step_events set withdrawn_at = ${now}, withdrawn_reason = 'less_used'
              where budget_step_event_id = ${events[0]}::bigint`.execute(ledger.database);
    await run(MINUTE_MS);
    expect(subjects()[1]).toBe('Zurückgenommen: Ihr Budget {limit} & <i>, 80 %');
    expect(mailServer.mails).toHaveLength(2);
  });

  it('bounds a storm by the hour, tells the rest as one, and leaves room for what is urgent', async () => {
    await route({ hourlyLimit: 5 });
    await raise(
      ...Array.from({ length: 40 }, (_, place) => drift(`storm-${place}`)),
      drift('urgent', 'urgent'),
    );
    expect(await run()).toMatchObject({ sentCount: 6 });
    expect(await states()).toEqual({ sent: 6, summarised: 36 });
    expect(subjects().filter((subject) => subject?.startsWith('36 further alerts'))).toHaveLength(1);
    await raise(drift('late'), drift('late and urgent', 'urgent'));
    await run(MINUTE_MS);
    expect(await states()).toEqual({ sent: 7, summarised: 36, waiting: 1 });
    await run(HOUR_MS + 15 * MINUTE_MS);
    expect(await states()).toEqual({ sent: 8, summarised: 36 });
  });

  it('goes on where it died, under the same id', async () => {
    await hook();
    await raise(drift('killed'));
    receiver.answer = null;
    const killed = new AbortController();
    const dying = sendAlerts(deps, killed.signal).catch(() => 'died');
    await expect.poll(() => receiver.received.length).toBe(1);
    killed.abort();
    expect(await dying).toBe('died');
    receiver.answer = { status: 200 };
    await Promise.all([run(MINUTE_MS), sendAlerts(deps)]);
    expect(await states()).toEqual({ sent: 1 });
    const ids = new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
    expect([receiver.received.length, ids.size]).toEqual([2, 1]);
  });

  it('digests a day when clocks there show the hour, briefly where there is nothing to say, or not at all', async () => {
    await route({ digest: 'day', digestMinute: 16 * 60, timeZone: 'Europe/Berlin' });
    await route({ name: 'silent', digest: 'day', digestMinute: 16 * 60, skipsEmptyDigest: true });
    await run();
    expect(mailServer.mails).toEqual([]);
    await run(35 * MINUTE_MS);
    expect(subjects()).toEqual(['Usage of 0.00 USD from 19 Nov 2026, 00:00 UTC to 20 Nov 2026, 00:00 UTC']);
    expect(mailServer.mails[0]?.text).toContain('Nothing moved, and nothing waits for you.');
    await run(HOUR_MS);
    expect(mailServer.mails).toHaveLength(1);
    await insertFindings(ledger.database, [{ raised: true }]);
    await run(DAY_MS);
    const digests = mailServer.mails.filter(({ subject }) => subject?.startsWith('Usage of'));
    expect(digests).toHaveLength(3);
    expect(digests[2]?.text).toContain('Waits for you: 1 anomaly.');
  });
});
