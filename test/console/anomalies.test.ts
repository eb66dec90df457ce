import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FindingBody, FindingsBody } from '../../src/anomalies/schemas.ts';
import { moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import { insertFindings, insertRepeats } from '../anomalies/world.ts';
import { insertCatalog } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;
const PATH = '/console/anomalies';

const dollars = (amount: string) => moneyInWords(twoDecimals(amount), 'usd');
const list = async (query = '') =>
  (await (await bench.call(`/v1/anomalies${query}`, { scope: 'finance' })).json()) as FindingsBody;
const get = async (id: string) => (await list()).anomalies.find((each) => each.id === id) as FindingBody;
const say = async (id: string, verb: string, body: object) =>
  await bench.call(`/v1/anomalies/${id}/${verb}`, {
    method: 'POST',
    scope: 'finance',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const csvOf = async (path: string) => {
  const { page, close } = await bench.open(PATH);
  const text = String(await page.evaluate(`fetch('${path}').then((answer) => answer.text())`));
  await close();
  return text.trim().split('\r\n');
};
const audits = async (id: string) =>
  await bench.ledger.database
    .selectFrom('audit_log')
    .select(['action', 'actor'])
    .where('target', '=', `anomaly-${id}`)
    .orderBy('audit_id')
    .execute();

describe.skipIf(!hasChromium())('the pages of anomalies', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertCatalog(database);
    await database
      .insertInto('customers')
      .values(
        HOSTILE_NAMES.map((name, index) => ({
          customer_id: index === 4 ? name : `hostile-${index}`,
          stripe_customer_id: `cus_hostile_${index}`,
          tenant_key: `hostile-${index}`,
          name,
          currency: 'usd',
          deleted_at: null,
          synced_at: bench.clock.now(),
        })),
      )
      .execute();
    const { page, close } = await bench.open(PATH, { scope: 'sales', javaScriptEnabled: false });
    expect(await page.locator('.lead').innerText()).toBe(
      'No usage stands out of which nobody has said anything.',
    );
    await close();
    const missing = await bench.open(`${PATH}/no-number`, { scope: 'sales' });
    expect(missing.status).toBe(404);
    await missing.close();
    await insertFindings(bench.ledger.database, [
      { raised: true },
      { raised: true, customerId: 'adatum' },
      { raised: false },
      { raised: true, state: 'withdrawn' },
      { raised: true, customerId: 'adatum' },
      ...HOSTILE_NAMES.map((user, index) => ({
        raised: true,
        customerId: index === 4 ? user : `hostile-${index}`,
        user,
      })),
      // Of which something is said below.
      { raised: true },
      { raised: true },
      { raised: true },
      { raised: false, customerId: 'adatum', small: true },
    ]);
    await insertRepeats(bench.ledger.database, ['user-1', ...HOSTILE_NAMES]);
    await say('5', 'snooze', { until: '2026-12-01T08:00:00Z' });
  });
  afterAll(() => bench?.close());

  it('says of each what the API says of it, in the list, its CSV and on its own page', async () => {
    const { anomalies, figures } = await list();
    const { page, complaints, close } = await bench.open(PATH, { scope: 'sales', javaScriptEnabled: false });
    const lead = await page.locator('.lead').innerText();
    const needing = anomalies.filter(({ group }) => group === 'needs_you');
    const sum = (amounts: string[]) =>
      dollars(amounts.reduce((total, amount) => total + Number(amount), 0).toFixed(2));
    expect(figures.needsYouCount).toBe(String(needing.length));
    expect(lead).toContain(
      `${needing.length} anomalies need you: ${sum(needing.map(({ excess }) => excess))} more than`,
    );
    expect(lead).toContain(`and ${sum(needing.map(({ dayAhead }) => dayAhead))} in another day`);
    const idsOf = async (table: string) =>
      (
        await page
          .locator(`#${table} tbody th a`)
          .evaluateAll((links) => links.map((link) => (link as unknown as { href: string }).href))
      ).map((href) => href.split('/').at(-1));
    expect(await idsOf('needs')).toEqual(needing.map(({ id }) => id));
    expect(await idsOf('kept')).toContain('5');
    expect(await idsOf('highlighted')).toEqual(['3']);
    expect(await idsOf('done')).toContain('4');
    const ofFindings = page.locator(
      ['needs', 'kept', 'highlighted', 'done'].map((id) => `#${id} tbody tr`).join(', '),
    );
    // What is small crowds no list: it is counted, and in the CSV.
    const small = anomalies.filter(({ isAboveSigma }) => !isAboveSigma);
    expect(small).toMatchObject([{ group: 'highlighted', excess: '1.00', isAboveSigma: false }]);
    expect(await page.locator('main').innerText()).toContain(
      '1 more is within two sigmas and less than $10.00 above the usual: the CSV has it.',
    );
    expect(await ofFindings.count()).toBe(anomalies.length - 1);
    for (const finding of anomalies.filter((each) => !small.includes(each))) {
      const row = page.locator('tbody tr').filter({ has: page.locator(`a[href="${PATH}/${finding.id}"]`) });
      const text = async (label: string) => await row.locator(`td[data-label="${label}"]`).innerText();
      expect(await text('Too much so far')).toBe(dollars(finding.excess));
      expect(await text('In another day')).toBe(finding.state === 'open' ? dollars(finding.dayAhead) : '–');
      expect([await text('Score'), await text('Sigmas')]).toEqual([finding.score, finding.sigmaScore]);
    }
    expect(complaints).toEqual([]);
    await close();

    const repeats = await csvOf(`${PATH}?csv=repeats`);
    expect(repeats[0]).toBe(
      'customerId,subject,feature,model,dayCount,callCount,promptTokenCount,cacheHitCount,saving',
    );
    expect(repeats[1]).toBe('northwind,user-1,sync,gpt-4o,1,1000,700,900,1.80');
    expect((await csvOf(`${PATH}?csv=loads`)).slice(1)).toEqual([
      'northwind,gpt-4o-global,900,0.900,0.950,600,',
    ]);

    expect(await csvOf(`${PATH}?csv=highlighted`)).toHaveLength(3);
    const lines = await csvOf(`${PATH}?csv=needs`);
    expect(lines).toHaveLength(1 + needing.length);
    const first = await get('1');
    expect(lines.at(-1)).toBe(
      [
        first.customerId,
        first.shape,
        first.excess,
        first.dayAhead,
        first.firstHour,
        first.score,
        first.sigmaScore,
        first.state,
        '1,NORTHWIND',
        first.lastHour,
        '',
        'user-1,,',
        first.cost,
        first.usual,
        ',,,',
      ].join(','),
    );
    const own = await bench.open(`${PATH}/1`, { scope: 'sales' });
    const text = await own.page.locator('main').innerText();
    for (const amount of [first.cost, first.usual, first.excess, first.dayAhead]) {
      expect(text).toContain(dollars(amount));
    }
    expect(text).toContain('97 % of what is too much');
    expect(await own.page.locator('#say').count()).toBe(0);
    await own.close();
    const hours = await csvOf(`${PATH}/1?csv=hours`);
    expect(hours).toHaveLength(31);
    expect(hours).toContain('2026-11-20T13:00:00.000Z,0.22,');
    expect(hours).toContain('2026-11-20T14:00:00.000Z,4.85,0.22');
  });

  it.each([PATH, ...['1', '4', '6', '9', '10'].map((id) => `${PATH}/${id}`)])(
    '%s is whole at every size, in both themes, with hostile names',
    async (path) => {
      await bench.walk(path, { scope: 'finance' });
    },
  );

  it('leads to the usage behind it', async () => {
    for (const id of ['1', '6', '10']) {
      const { page, close } = await bench.open(`${PATH}/${id}`);
      const hrefs = await page
        .locator('main a[href^="/console/customers/"]')
        .evaluateAll((links) =>
          links.map((link) =>
            (link as unknown as { getAttribute: (name: string) => string }).getAttribute('href'),
          ),
        );
      expect(hrefs.length).toBeGreaterThanOrEqual(5);
      for (const href of hrefs) {
        const response = await page.goto(`${bench.origin}${href}`);
        expect(response?.status(), href).toBe(200);
      }
      await close();
    }
  });

  it('stands in what needs people of finance, and on the page of its customer', async () => {
    const overview = await bench.open('/console/overview', { scope: 'finance' });
    const needs = await overview.page.locator('.todo').innerText();
    expect(needs).toContain('NORTHWIND costs $13.88 more than usual: one user asks the same again and again');
    expect(needs).toContain('Another day of it costs $333.12 more than usual.');
    expect(await overview.page.locator(`.todo a[href="${PATH}/1"]`).count()).toBe(1);
    expect(await overview.page.locator(`.todo a[href="${PATH}/5"]`).count()).toBe(0);
    await overview.close();
    const sales = await bench.open('/console/overview', { scope: 'sales' });
    expect(await sales.page.locator('.todo').count()).toBe(0);
    await sales.close();
    const customer = await bench.open('/console/customers/northwind', { scope: 'sales' });
    expect(await customer.page.locator('#anomalies tbody tr').count()).toBe(6);
    await customer.close();
    await bench.walk('/console/customers/northwind');
  });

  it('is acknowledged, dismissed with a reason, or snoozed, each audited', async () => {
    const { page, close } = await bench.open(`${PATH}/12`, { scope: 'finance', javaScriptEnabled: false });
    await page.locator('button:has-text("Dismiss")').click();
    expect(await page.locator('main').innerText()).toContain('Say why it is no anomaly.');
    expect(await get('12')).toMatchObject({ decision: null });
    await page.locator('input[name=days]').fill('0');
    await page.locator('button:has-text("Snooze")').click();
    expect(await page.locator('main').innerText()).toContain('Say for how many days, from 1 to 90.');
    await page.locator('input[name=days]').fill('91');
    await page.locator('button:has-text("Snooze")').click();
    expect(await page.locator('main').innerText()).toContain('more than 90 days away');
    await page.locator('input[name=days]').fill('2');
    await page.locator('button:has-text("Snooze")').click();
    expect(await page.locator('main').innerText()).toContain('it needs somebody again in 2 days');
    expect(await get('12')).toMatchObject({ group: 'done', snoozedUntil: '2026-11-23T10:30:00.000Z' });
    await page.locator('textarea[name=reason]').fill('<b>a load test</b>');
    await page.locator('button:has-text("Dismiss")').click();
    expect(await page.locator('main').innerText()).toContain('<b>a load test</b>');
    expect(await get('12')).toMatchObject({
      decision: 'dismissed',
      decisionReason: '<b>a load test</b>',
    });
    await page.locator('button:has-text("Acknowledge")').click();
    expect(await get('12')).toMatchObject({ group: 'acknowledged', decisionReason: null });
    const said = await audits('12');
    expect(said.map(({ action }) => action)).toEqual([
      'anomalies.snooze',
      'anomalies.dismiss',
      'anomalies.acknowledge',
    ]);
    expect(new Set(said.map(({ actor }) => actor)).size).toBe(1);
    expect(said[0]?.actor).toContain('finance');
    await close();
  });

  it('is refused in a second tab when something was said of it meanwhile, and by whom it is not for', async () => {
    const [one, other] = [
      await bench.open(`${PATH}/13`, { scope: 'finance', javaScriptEnabled: false }),
      await bench.open(`${PATH}/13`, { scope: 'finance', javaScriptEnabled: false }),
    ];
    await other.page.locator('textarea[name=reason]').fill('none of it');
    await one.page.locator('button:has-text("Acknowledge")').click();
    await other.page.locator('button:has-text("Dismiss")').click();
    const text = await other.page.locator('main').innerText();
    expect(text).toContain('Anomaly 13 has changed since you opened the page. Nothing was done.');
    expect(text).toContain('Acknowledged by finance');
    expect(await other.page.locator('textarea[name=reason]').inputValue()).toBe('none of it');
    expect(await get('13')).toMatchObject({ decision: 'acknowledged' });
    expect(await audits('13')).toHaveLength(1);
    // What is shown now is what is sent.
    await other.page.locator('button:has-text("Dismiss")').click();
    expect(await get('13')).toMatchObject({ decision: 'dismissed' });
    await one.close();
    await other.close();

    const third = await bench.open(`${PATH}/14`, { scope: 'finance', javaScriptEnabled: false });
    await bench.ledger.database
      .updateTable('anomaly_findings')
      .set({ state: 'withdrawn', ended_at: bench.clock.now() })
      .where('anomaly_finding_id', '=', 14n)
      .execute();
    await third.page.locator('button:has-text("Snooze")').click();
    expect(await third.page.locator('main').innerText()).toContain('has changed since you opened the page');
    expect(await third.page.locator('#say').count()).toBe(0);
    await third.close();
  });
});
