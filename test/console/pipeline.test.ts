import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertUsage } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole, sendTwice } from './walk.ts';
import { fillConsole, HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;

let hour = 0;
/** One more entry that waits, of its own reason, so that no other test counts it. */
async function addEntry(subject = 'user-1'): Promise<string> {
  hour += 1;
  await insertUsage(bench.ledger.database, [
    {
      hour: new Date(Date.UTC(2026, 10, 3, hour)).toISOString(),
      tokens: 10n,
      subject,
      customer: null,
      quarantine: 'no_stripe_customer',
    },
  ]);
  const { last } = await bench.ledger.database
    .selectFrom('hourly_usage')
    .select(({ fn }) => fn.max('hourly_usage_id').as('last'))
    .executeTakeFirstOrThrow();
  return `usage-${last}`;
}

const rowOf = (id: string) => `#waiting tbody tr:has(th:text-is("${id}"))`;
const auditOf = (action: string, target: string) =>
  bench.ledger.database
    .selectFrom('audit_log')
    .select(['actor', 'details'])
    .where('action', '=', action)
    .where('target', '=', target)
    .where('created_at', '=', bench.clock.now())
    .executeTakeFirst();

describe.skipIf(!hasChromium())('the pages of who runs it, over a ledger with hostile names', () => {
  beforeAll(async () => {
    bench = await openConsole();
    await fillConsole(bench);
  });
  afterAll(() => bench?.close());

  it.each(['/console/pipeline', '/console/audit', '/console/search?q=%3Cscript%3E'])(
    '%s is whole at every size, in both themes, without scripts',
    async (path) => {
      await bench.walk(path);
    },
  );

  it('runs no script and turns no text of a name', async () => {
    for (const path of ['/console/pipeline', '/console/audit?acts-page=3']) {
      const { page, complaints, close } = await bench.open(path);
      expect(await page.locator('main script, main img').count()).toBe(0);
      expect(await page.locator('body').innerText()).toContain(HOSTILE_NAMES[0]);
      expect(complaints).toEqual([]);
      await close();
    }
  });

  it('says what the API says', async () => {
    const status = (await (await bench.call('/v1/status')).json()) as {
      totals: { quarantined: string };
    };
    const { page, close } = await bench.open('/console/pipeline', { scope: 'finance' });
    const shown = await page.locator('.figures div:has(a[href="#quarantine"]) dd').innerText();
    expect(shown.split('\n')[0]?.replaceAll(',', '')).toBe(status.totals.quarantined);
    const quarantine = (await (await bench.call('/v1/quarantine')).json()) as { items: { id: string }[] };
    const ids = await page.locator('#waiting tbody th').allInnerTexts();
    expect(ids.sort()).toEqual(quarantine.items.map(({ id }) => id).sort());
    expect(await page.locator('#waiting summary').count()).toBe(0);
    const whose = page
      .locator('#waiting tbody tr', { hasText: 'mystery' })
      .locator('[data-label="Customer"]');
    expect(await whose.innerText()).toBe('NORTHWIND\nnorthwind');
    expect(await whose.locator('a').getAttribute('href')).toBe('/console/customers/northwind');
    await close();
  });

  it('narrows, sorts and exports what waits by its address', async () => {
    const { page, close } = await bench.open('/console/pipeline');
    await page.selectOption('.filters [name=reason]', 'no_customer');
    await page.waitForURL(/reason=no_customer/);
    await page.click('#waiting th a:text-is("Tokens")');
    await page.waitForURL(/waiting-sort=-tokens/);
    const tokens = await page.locator('#waiting tbody td[data-label=Tokens]').allInnerTexts();
    expect(tokens).toEqual(['1,000,000', '100,000', '10,000', '1,000', '100', '10']);
    const href = await page.getAttribute('a[aria-label="What waits as CSV"]', 'href');
    const download = page.waitForEvent('download');
    await page.click('a[aria-label="What waits as CSV"]');
    expect((await download).suggestedFilename()).toBe('waiting.csv');
    await page.goBack();
    expect(page.url()).not.toContain('waiting-sort');
    await close();
    expect(href).toContain('reason=no_customer');
  });

  it('gives up, assigns and retries by mouse, and writes down who did it', async () => {
    // Of a user that no other test looks at: with it goes all else that waits for its customer.
    const [given, assigned] = [await addEntry(), await addEntry(`assigned ${HOSTILE_NAMES[1]}`)];
    const { page, close } = await bench.open('/console/pipeline', { javaScriptEnabled: false });
    await page.click(`${rowOf(given)} summary`);
    await page.fill(`${rowOf(given)} [name=reason]`, 'a load test, agreed');
    await page.click(`${rowOf(given)} button.danger`);
    expect(await page.locator('[role=status]').innerText()).toBe(
      `10 tokens of ${given} are given up. Nothing is deleted.`,
    );
    await page.reload();
    expect(await page.locator('[role=status]').count()).toBe(0);
    expect(await page.locator(rowOf(given)).count()).toBe(0);
    expect(await auditOf('quarantine.write_off', given)).toMatchObject({
      actor: expect.stringMatching(/^key:admin key \(key_/),
      details: { reason: 'a load test, agreed' },
    });

    await page.click(`${rowOf(assigned)} summary`);
    await page.fill(`${rowOf(assigned)} [name=customerId]`, 'nobody');
    await page.click(`${rowOf(assigned)} button:text-is("Assign")`);
    expect(await page.locator('[role=alert]').innerText()).toContain('nobody');
    expect(await page.inputValue(`${rowOf(assigned)} [name=customerId]`)).toBe('nobody');
    await page.fill(`${rowOf(assigned)} [name=customerId]`, 'northwind');
    await page.click(`${rowOf(assigned)} button:text-is("Assign")`);
    expect(await page.locator('[role=status]').innerText()).toContain(
      `${HOSTILE_NAMES[1]} belongs to northwind`,
    );
    await close();
  });

  it('lets one of two tabs act, and tells the other', async () => {
    const entry = await addEntry();
    const [one, other] = [await bench.open('/console/pipeline'), await bench.open('/console/pipeline')];
    for (const { page } of [one, other]) {
      await page.click(`${rowOf(entry)} summary`);
      await page.fill(`${rowOf(entry)} [name=reason]`, 'twice');
    }
    await one.page.click(`${rowOf(entry)} button.danger`);
    await one.page.waitForSelector('[role=status]');
    await other.page.click(`${rowOf(entry)} button.danger`);
    expect(await other.page.locator('[role=alert]').innerText()).toContain(`${entry} was written off`);
    await one.close();
    await other.close();
  });

  it.each([
    ['write-off', 'quarantine.write_off'],
    ['retry', 'quarantine.retry'],
  ])('takes a %s that two tabs send at once for one, and tells the other', async (act, action) => {
    const entry = await addEntry();
    const { page, close } = await bench.open('/console/pipeline');
    await page.click(`${rowOf(entry)} summary`);
    if (act === 'write-off') await page.fill(`${rowOf(entry)} [name=reason]`, 'twice');
    await page.evaluate(
      `document.querySelector('[name=entry][value="${entry}"]').closest('td').id = 'acts-of-it'`,
    );
    const { refused, done } = await sendTwice(page, `#acts-of-it form[action$="/${act}"]`);
    expect([refused.length, done.length]).toEqual([1, 1]);
    const acts = await bench.ledger.database
      .selectFrom('audit_log')
      .select('action')
      .where('target', '=', entry)
      .where('created_at', '=', bench.clock.now())
      .execute();
    expect(acts).toEqual([{ action }]);
    await close();
  });

  it('keeps what was typed when the session ends meanwhile', async () => {
    const entry = await addEntry();
    const { page, close } = await bench.open('/console/pipeline');
    await page.click(`${rowOf(entry)} summary`);
    await page.fill(`${rowOf(entry)} [name=reason]`, 'typed with "care" & <love>');
    await sql`update console_sessions set created_at = now() - interval '9 hours'`.execute(
      bench.ledger.database,
    );
    await page.click(`${rowOf(entry)} button.danger`);
    await page.fill('[name=key]', bench.keys.admin);
    await page.click('main button');
    expect(await page.locator('dl').innerText()).toContain('typed with "care" & <love>');
    expect(await auditOf('quarantine.write_off', entry)).toBeUndefined();
    await page.click('main button');
    await page.waitForSelector('[role=status]');
    expect(await auditOf('quarantine.write_off', entry)).toMatchObject({
      details: { reason: 'typed with "care" & <love>' },
    });
    bench.forgetSessions();
    await close();
  });

  it('exports all that was written down, and not a page of it', async () => {
    const { page, close } = await bench.open('/console/audit');
    expect(await page.locator('#acts tbody tr').count()).toBe(50);
    const csv = await page.evaluate(
      "fetch('/console/audit?csv=acts&action=plan.create').then((answer) => answer.text())",
    );
    const lines = String(csv).trim().split('\r\n');
    expect(lines).toHaveLength(61);
    expect(lines[0]).toBe('at,actor,action,target,details');
    expect(String(csv)).toContain(`"'=HYPERLINK(""http://evil.example"")"`);
    await close();
  });
});
