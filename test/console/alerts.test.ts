import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AlertView, RouteView } from '../../src/alerts/schemas.ts';
import { insertCatalog } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;
const PATH = '/console/alerts';
const ROUTES = ['route_aaaaaaaaaaaaaaaa', 'route_bbbbbbbbbbbbbbbb'];
const get = async (path: string) => await (await bench.call(path, { scope: 'finance' })).json();
const alerts = async (query: string) =>
  ((await get(`/v1/alerts?${query}`)) as { alerts: AlertView[] }).alerts;
const routes = async () => ((await get('/v1/alert-routes')) as { routes: RouteView[] }).routes;

describe.skipIf(!hasChromium())('the pages of alerts', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertCatalog(database);
    const now = sql`${bench.clock.now()}::timestamptz`;
    await sql`
      insert into alert_routes (alert_route_id, name, channel, audience, customer_id, kinds, least_severity, email_addresses, target_url,
        secret_name, time_zone, quiet_from_minute, quiet_until_minute, urgent_passes, hourly_limit, locale, digest, digest_minute,
        skips_empty_digest, next_digest_at, created_at, created_by, changed_at)
      values (${ROUTES[0]}, 'operations', 'email', 'operator', null, '{}', 'info', '{ops@example.com}', null, null, 'Europe/Berlin', 1320,
          420, true, 30, 'en', 'week', 480, false, ${now}, ${now}, 'test', ${now}),
        (${ROUTES[1]}, ${HOSTILE_NAMES[3]}, 'webhook', 'operator', 'northwind', '{drift,budget}', 'warning', '{}',
          'https://hooks.example.com/t0ken', 'ALERT_SECRET_HOOK', 'UTC', null, null, true, 30, 'en', 'none', 480, false, null, ${now},
          'test', ${now})`.execute(database);
    // One is sent, one waits after it failed, one was given up, one was taken back; 60 more fill pages.
    await sql`
      insert into alerts (kind, key, topic, is_standing, customer_id, audience, severity, facts, raised_at, routed_at, ended_at)
      select kind, key, key, true, customer, 'operator', 'warning', facts::jsonb, ${now}, ${now}, case key when 'over' then ${now} end
      from (values ('drift', 'sent', 'northwind', ${drift}), ('drift', 'failed', 'northwind', ${drift}),
        ('quarantine_age', 'given_up', null, ${quarantine(HOSTILE_NAMES[0] ?? '')}), ('drift', 'over', 'adatum', ${drift}))
        as told (kind, key, customer, facts)
      union all select 'quarantine_age', 'more-' || place, 'more-' || place, true, null, 'operator', 'info', ${quarantine('m')}::jsonb, ${now},
        ${now}, null from generate_series(1, 60) as place`.execute(database);
    await sql`
      insert into alerts (kind, key, topic, is_standing, customer_id, audience, severity, facts, withdraws_alert_id, ending, raised_at)
      select kind, 'end', 'end', false, customer_id, audience, severity, facts, alert_id, 'undone', ${now} from alerts
      where key = 'over'`.execute(database);
    await sql`
      insert into alert_deliveries (alert_id, alert_route_id, message_id, state, created_at, attempt_count, next_attempt_at, sent_at)
      select alert_id, route, 'msg_' || key || place, state, ${now}, tries, case state when 'waiting' then ${now} end,
        case state when 'sent' then ${now} end
      from alerts join (values ('sent', ${ROUTES[0]}, 1, 'sent', 1), ('failed', ${ROUTES[0]}, 1, 'waiting', 2),
        ('given_up', ${ROUTES[0]}, 1, 'given_up', 10), ('given_up', ${ROUTES[1]}, 2, 'sent', 1)) as sent (of, route, place, state, tries)
        on of = key`.execute(database);
    await sql`
      insert into alert_attempts (alert_delivery_id, attempt_number, began_at, ended_at, answer_status, error)
      select alert_delivery_id, 1, ${now}, ${now}, 500, 'answers 500' from alert_deliveries
      where state <> 'sent'`.execute(database);
  });
  afterAll(() => bench?.close());

  const drift =
    '{"boundary": "stripe", "hourCount": 2, "tokenCount": "1200", "firstSeenAt": "2026-11-20T13:00:00Z"}';
  const quarantine = (metricName: string) =>
    JSON.stringify({
      ...{ stage: 'usage', reason: 'no_customer', metricName, rowCount: '2', tokenCount: '9' },
      oldestAt: '2026-11-20T13:00:00Z',
    });

  it('say what the API says, page by page, hold to what every page must be, and export what is asked for', async () => {
    const [givenUp] = await alerts('state=given_up');
    const [over] = await alerts('customerId=adatum&kind=drift&limit=2').then((rows) => rows.slice(1));
    await bench.walk(PATH, { scope: 'finance' });
    await bench.walk(`${PATH}/${givenUp?.id}`, { scope: 'finance' });
    for (const id of ['999999', 'x', "'; drop table alerts; --"]) {
      const missing = await bench.open(`${PATH}/${encodeURIComponent(id)}`, { scope: 'finance' });
      expect(missing.status, id).toBe(404);
      await missing.close();
    }
    const barred = await bench.open(PATH, { scope: 'sales' });
    expect(barred.status).toBe(403);
    await barred.close();

    const { page, close } = await bench.open(PATH, { scope: 'finance', javaScriptEnabled: false });
    expect(await page.locator('.lead').innerText()).toContain('1 alert was given up');
    expect(await page.locator('#alerts .pager').innerText()).toContain('Page 1 of 2');
    const subjects = '#alerts td[data-label="What"], #alerts th[data-label="What"]';
    const told = (await alerts('limit=200')).map(({ subject }) => subject);
    expect(await page.locator(subjects).allInnerTexts()).toEqual(told.slice(0, 50));
    await page.getByRole('link', { name: 'Next' }).click();
    expect(await page.locator(subjects).allInnerTexts()).toEqual(told.slice(50));
    await page.goto(`${bench.origin}${PATH}?customer=northwind&kind=drift&state=waiting`);
    expect(await page.locator('#alerts tbody tr').allInnerTexts()).toEqual([
      expect.stringContaining('operations failed, is tried again'),
    ]);
    const csv = async (query: string) =>
      String(await page.request.get(`${bench.origin}${PATH}?${query}`).then((answer) => answer.text()))
        .trim()
        .split('\r\n').length - 1;
    expect(await csv('csv=alerts')).toBe(told.length);
    expect(await csv('csv=alerts&customer=adatum')).toBe(2);
    expect(await csv('csv=routes')).toBe((await routes()).length);
    expect(await page.content()).not.toContain('t0ken');
    await page.goto(`${bench.origin}${PATH}/${over?.id}`);
    expect(await page.locator('main').innerText()).toContain('It counts no longer');
    await close();
  });

  it('acknowledge and send again from the alert that the overview names, until nobody is needed', async () => {
    const [alert] = await alerts('state=given_up');
    const { page, close } = await bench.open('/console/overview', { scope: 'finance' });
    await page.locator(`.todo a[href="${PATH}/${alert?.id}"]`).click();
    expect(await page.locator('#deliveries').innerText()).toContain('answers 500');
    await page.getByRole('button', { name: 'Send again to operations' }).click();
    expect(await page.locator('main').innerText()).toContain('On its way again');
    const [again] = (await alerts('kind=quarantine_age&limit=200')).filter(({ id }) => id === alert?.id);
    expect(again?.deliveries.find(({ routeId }) => routeId === ROUTES[0])).toMatchObject({
      state: 'waiting',
      attemptCount: 0,
      messageId: 'msg_given_up1',
    });
    await sql`update alert_deliveries set state = 'given_up', next_attempt_at = null where message_id = 'msg_given_up1'`.execute(
      bench.ledger.database,
    );
    await page.goto(`${bench.origin}/console/overview`);
    expect(await page.locator(`.todo a[href="${PATH}/${alert?.id}"]`).count()).toBe(1);
    await page.goto(`${bench.origin}${PATH}/${alert?.id}`);
    await page.locator('textarea[name=reason]').fill('the server is mended');
    await page.getByRole('button', { name: 'Acknowledge it' }).click();
    expect(await page.locator('main').innerText()).toContain('the server is mended');
    await page.goto(`${bench.origin}/console/overview`);
    expect(await page.locator(`.todo a[href="${PATH}/${alert?.id}"]`).count()).toBe(0);
    await sql`update alerts set acknowledged_at = null, acknowledged_by = null`.execute(
      bench.ledger.database,
    );
    await close();
  });

  it('make a route by the rules of the API, keep what was typed of one that is refused, test it, and end it', async () => {
    const { page, close } = await bench.open(PATH, { scope: 'finance' });
    const main = () => page.locator('main').innerText();
    const before = await routes();
    await page.locator('#new-route summary').click();
    await page.locator('input[name=name]').fill('hook');
    await page.locator('select[name=channel]').selectOption('webhook');
    await page.locator('input[name=secretName]').fill('ALERT_SECRET_HOOK');
    await page.locator('input[name=quietFrom]').fill('22:00');
    await page.locator('input[name=kinds][value=drift]').check();
    await page.locator('input[name=urgentPasses]').uncheck();
    await page.getByRole('button', { name: 'Make the route' }).click();
    expect(await main()).toContain('url: belongs to the channel webhook');
    expect(await main()).toContain('quietUntil: needs both');
    expect(await routes()).toEqual(before);
    expect(await page.locator('input[name=urgentPasses]').isChecked()).toBe(false);
    await page.locator('input[name=url]').fill('https://hooks.example.com/made?key=t0ken');
    await page.locator('input[name=quietUntil]').fill('07:00');
    await page.locator('select[name=digest]').selectOption('day');
    await page.getByRole('button', { name: 'Make the route' }).click();
    const [made] = (await routes()).filter(({ name }) => name === 'hook');
    expect(made).toMatchObject({
      ...{ channel: 'webhook', host: 'hooks.example.com', kinds: ['drift'], leastSeverity: 'info' },
      ...{ quietFrom: '22:00', quietUntil: '07:00', urgentPasses: false, digest: 'day', digestAt: '08:00' },
    });
    await page.getByRole('button', { name: 'Send a test to hook' }).click();
    expect(await main()).toContain('A test is on its way to hook');
    expect((await alerts('kind=test')).map(({ subject }) => subject)).toEqual(['A test: this route works']);
    await page.locator('summary', { hasText: 'end: hook' }).click();
    await page.getByRole('button', { name: 'End hook' }).click();
    expect(await main()).toContain('nothing is sent to hook any more');
    expect(await routes()).toEqual(before);
    await sql`delete from alerts where kind = 'test'`.execute(bench.ledger.database);
    await close();
  });
});
