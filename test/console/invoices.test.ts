import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasChromium } from '../setup/chromium.ts';
import { addCredit, addInvoice, addUninvoiced, fillInvoices } from './invoices-world.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;

const auditOf = (action: string, target: string) =>
  bench.ledger.database
    .selectFrom('audit_log')
    .select(['actor', 'details'])
    .where('action', '=', action)
    .where('target', '=', target)
    .executeTakeFirst();
const minorOf = (money: string) => BigInt(money.replaceAll(/[^\d]/g, ''));

interface Close {
  invoiceId: string;
  invoiceNumber: string;
  state: string;
  total: string;
  currency: string;
}
async function closesOf(query: string): Promise<Close[]> {
  const response = await bench.call(`/v1/closes?limit=100&${query}`, { scope: 'finance' });
  return ((await response.json()) as { closes: Close[] }).closes;
}

describe.skipIf(!hasChromium())('the pages of invoices', () => {
  beforeAll(async () => {
    bench = await openConsole();
    await fillInvoices(bench);
  });
  afterAll(() => bench?.close());

  it.each([
    '/console/invoices',
    '/console/invoices/in_held',
    '/console/invoices/in_void',
    '/console/invoices/in_hostile_3',
    '/console/invoices/in_drift/certificate',
    '/console/invoices/credits?decide=1',
    '/console/invoices/uninvoiced?decide=2',
    '/console/invoices/upcoming',
  ])('%s is whole at every size, in both themes, without scripts', async (path) => {
    await bench.walk(path);
  });

  it('has sums and states that are the API’s', async () => {
    const closes = await closesOf('period=2026-10');
    const { page, close } = await bench.open('/console/invoices', { scope: 'finance' });
    for (const currency of ['usd', 'eur']) {
      const of = closes.filter((each) => each.currency === currency);
      const sum = (states: string[]) =>
        of
          .filter(({ state }) => states.includes(state))
          .reduce((total, each) => total + minorOf(each.total), 0n);
      const tile = (words: string) => page.locator(`.figures div:has(dt:has-text("${words}"))`);
      const told = async (words: string) =>
        minorOf((await tile(words).locator('dd').innerText()).split('\n')[0] ?? '');
      const code = currency.toUpperCase();
      expect(await told(`Invoiced, October 2026, ${code}`)).toBe(sum(['finalized']));
      const open = sum(['held', 'settled', 'released']);
      if (open > 0n) expect(await told(`Not final yet, ${code}`)).toBe(open);
      else expect(await tile(`Not final yet, ${code}`).count()).toBe(0);
    }
    const shown = async (table: string) =>
      Object.fromEntries(
        await Promise.all(
          (await page.locator(`#${table} tbody tr`).all()).map(async (row) => [
            await row.locator('th').innerText(),
            minorOf(await row.locator('td[data-label=Sum]').innerText()),
          ]),
        ),
      );
    const apis = (states: string[]) =>
      Object.fromEntries(
        closes
          .filter(({ state }) => states.includes(state))
          .map(({ invoiceNumber, total }) => [invoiceNumber, minorOf(total)]),
      );
    expect(await shown('done')).toEqual(apis(['finalized']));
    expect(await shown('progress')).toEqual(apis(['settled', 'released']));
    await close();
  });

  it('puts what needs a person first, with who, how much, since when, why and until when', async () => {
    const { page, close } = await bench.open('/console/invoices', { scope: 'finance' });
    const rows = await page.locator('#needs tbody tr').allInnerTexts();
    const held = rows.find((row) => row.includes('NUM-in_held'));
    expect(held).toContain('NORTHWIND');
    expect(held).toContain('$210.40');
    expect(held).toContain('the invoice has 411,498,796');
    expect(held).toContain('Stripe finalizes it in 9 h');
    expect(rows.map((row) => /held|taken back|credit|usage/.exec(row)?.[0])).toContain('credit');
    expect(rows.some((row) => row.includes('984,230 tokens') && row.includes('in trial'))).toBe(true);
    expect(rows.some((row) => row.includes('subscription cancelled'))).toBe(false);
    await close();
  });

  it('exports the month whole and exact, with names that no sheet takes for a formula', async () => {
    const { page, close } = await bench.open('/console/invoices', { scope: 'finance' });
    const csv = String(
      await page.evaluate("fetch('/console/invoices?csv=month').then((answer) => answer.text())"),
    );
    const lines = csv.trim().split('\r\n');
    const closes = await closesOf('period=2026-10');
    expect(lines).toHaveLength(closes.length + 1);
    for (const { invoiceId, total } of closes) {
      expect(lines.find((line) => line.startsWith(`${invoiceId},`))).toContain(`,${total},`);
    }
    expect(csv).not.toMatch(/(^|,)"?=HYPERLINK/m);
    const none = await page.evaluate(
      "fetch('/console/invoices?csv=month&period=2020-01').then((answer) => answer.text())",
    );
    expect(String(none).trim().split('\r\n')).toHaveLength(1);
    await close();
  });

  it('runs no script of a name, and says so of a month without invoices', async () => {
    const { page, complaints, close } = await bench.open('/console/invoices?period=2020-01');
    expect(await page.locator('main').innerText()).toContain(
      'No invoice has a period that ended in January 2020',
    );
    expect(await page.locator('main script, main img').count()).toBe(0);
    expect(await page.locator('body').innerText()).toContain(HOSTILE_NAMES[0]);
    expect(complaints).toEqual([]);
    await close();
  });

  it('releases a held invoice for a reason, says what it does before, and tells the second tab', async () => {
    await addInvoice(bench, { id: 'in_two_tabs', state: 'held', missing: 9n, totalMinor: 4_200n });
    const path = '/console/invoices/in_two_tabs';
    const [one, other] = [
      await bench.open(path, { javaScriptEnabled: false }),
      await bench.open(path, { javaScriptEnabled: false }),
    ];
    const panel = await one.page.locator('#held').innerText();
    expect(panel).toContain('Stripe charges NORTHWIND $42.00 for October 2026');
    for (const { page } of [one, other]) await page.fill('#held [name=reason]', 'agreed with <Northwind>');
    await one.page.click('#held button');
    expect(await one.page.locator('[role=status]').innerText()).toContain('over $42.00 is released');
    expect(await auditOf('close.release', 'in_two_tabs')).toMatchObject({
      actor: expect.stringMatching(/^key:admin key \(key_/),
      details: { reason: 'agreed with <Northwind>' },
    });
    await other.page.click('#held button');
    expect(await other.page.locator('[role=alert]').innerText()).toContain('is released, not held');
    expect(await other.page.locator('main').innerText()).toContain(
      'Released in spite of what differs by key:admin key',
    );
    await one.close();
    await other.close();
  });

  it('does nothing where the figures are others than those that were seen, and keeps the reason', async () => {
    await addInvoice(bench, { id: 'in_moved', state: 'held', missing: 9n, totalMinor: 4_200n });
    const { page, close } = await bench.open('/console/invoices/in_moved');
    await page.fill('#held [name=reason]', 'looked at');
    await sql`update closes set total_minor = 9900 where invoice_id = 'in_moved'`.execute(
      bench.ledger.database,
    );
    await page.click('#held button');
    expect(await page.locator('[role=alert]').innerText()).toContain('has changed since you opened the page');
    expect(await page.inputValue('#held [name=reason]')).toBe('looked at');
    expect(await page.locator('#held').innerText()).toContain('$99.00');
    expect(await auditOf('close.release', 'in_moved')).toBeUndefined();
    await page.click('#held button');
    await page.waitForSelector('[role=status]');
    expect(await auditOf('close.release', 'in_moved')).toBeDefined();
    await close();
  });

  it('lets finance look and admins alone act', async () => {
    const { page, close } = await bench.open('/console/invoices/in_held', { scope: 'finance' });
    expect(await page.locator('#held form').count()).toBe(0);
    expect(await page.locator('#held').innerText()).toContain('A key with the scope admin decides it');
    await close();
    const sales = await bench.open('/console/invoices', { scope: 'sales' });
    expect(sales.status).toBe(403);
    await sales.close();
  });

  it('gives a credit back or rejects it, once, and tells the other tab', async () => {
    const [approved, rejected] = [
      await addCredit(bench, 'in_done', 777n),
      await addCredit(bench, 'in_done', 888n),
    ];
    const decide = (id: string) =>
      bench.open(`/console/invoices/credits?decide=${id}`, { javaScriptEnabled: false });
    const [one, other, last] = [await decide(approved), await decide(approved), await decide(rejected)];
    expect(await one.page.locator('#decide').innerText()).toContain(
      'Stripe makes a credit note over $7.77, once',
    );
    for (const { page } of [one, other, last])
      await page.fill('#decide [name=reason]', 'their proxy counted twice');
    await one.page.selectOption('#decide [name=paidPart]', 'refund');
    await one.page.click('#decide button:has-text("Give")');
    expect(await one.page.locator('[role=status]').innerText()).toContain('$7.77 go back to northwind');
    expect(await auditOf('credit.approve', `credit-${approved}`)).toMatchObject({
      details: { paid_part: 'refund', amount_minor: '777', reason: 'their proxy counted twice' },
    });
    await other.page.click('#decide button:has-text("Reject")');
    expect(await other.page.locator('[role=alert]').innerText()).toContain(`${approved} is approved already`);
    await last.page.click('#decide button:has-text("Reject")');
    expect(await last.page.locator('[role=status]').innerText()).toContain('Nothing of $8.88 is given back');
    const api = await bench.call('/v1/credit-proposals?state=rejected');
    const { creditProposals } = (await api.json()) as { creditProposals: { id: string; amount: string }[] };
    expect(creditProposals).toMatchObject([{ id: rejected, amount: '8.88' }]);
    for (const each of [one, other, last]) await each.close();
  });

  it('gives usage to the next invoice or up, and no more of it than was seen', async () => {
    const [again, given] = [
      await addUninvoiced(bench, 'in_trial'),
      await addUninvoiced(bench, 'draft_deleted'),
    ];
    const decide = (id: string) => bench.open(`/console/invoices/uninvoiced?decide=${id}`);
    const first = await decide(again);
    await first.page.fill('#decide [name=reason]', 'the trial was over');
    await first.page.click('#decide button:has-text("next invoice")');
    await first.page.waitForSelector('[role=status]');
    expect(await auditOf('uninvoiced.due_again', `uninvoiced-${again}`)).toMatchObject({
      details: { token_count: '984230', reason: 'the trial was over' },
    });
    await first.close();
    const second = await decide(given);
    await second.page.fill('#decide [name=reason]', 'a gift');
    await sql`update uninvoiced_usage set token_count = token_count + 1 where uninvoiced_id = ${given}::bigint`.execute(
      bench.ledger.database,
    );
    await second.page.click('#decide button.danger');
    expect(await second.page.locator('[role=alert]').innerText()).toContain('has changed since');
    await second.page.click('#decide button.danger');
    expect(await second.page.locator('[role=status]').innerText()).toContain(
      '984,231 tokens of northwind are given up',
    );
    await second.close();
  });

  it('says once what becomes of the usage of an invoice that was voided', async () => {
    const { page, close } = await bench.open('/console/invoices/in_void');
    await page.check('#choice [value=written_off]');
    await page.fill('#choice [name=reason]', 'it was a test');
    await page.click('#choice button');
    expect(await page.locator('[role=status]').innerText()).toContain(
      '984,230 tokens, of NUM-void: it is given up',
    );
    expect(await page.locator('#choice').count()).toBe(0);
    expect(await page.locator('main').innerText()).toContain(
      'It is given up: nobody is ever charged for it. Said by key:admin key',
    );
    expect(await auditOf('invoice.choose', 'in_void')).toMatchObject({ details: { choice: 'written_off' } });
    await close();
  });

  it('shows the certificate that the API has, proves its hash, and opens the statement by a link', async () => {
    const api = (await (await bench.call('/v1/closes/in_drift/certificate')).json()) as {
      sha256: string;
      driftTokenCount: string;
      content: string;
    };
    const { page, close } = await bench.open('/console/invoices/in_drift/certificate', { scope: 'finance' });
    const text = await page.locator('main').innerText();
    expect(text).toContain(api.sha256);
    expect(text).toContain('the same');
    const drift = page.locator('.figures div:has(dt:text-is("Difference")) dd');
    expect((await drift.innerText()).split('\n')[0]).toBe(api.driftTokenCount);
    expect(await page.locator('.content').textContent()).toBe(api.content);
    await page.goto(`${bench.origin}/console/invoices/in_drift`);
    await page.click('button:has-text("statement")');
    expect(await page.getAttribute('.panel a', 'href')).toMatch(
      /\/statements\/in_drift\?expires=\d+&signature=/,
    );
    await close();
  });

  it('keeps the reason of a release when the session ends meanwhile', async () => {
    await addInvoice(bench, { id: 'in_session', state: 'held', missing: 3n });
    const { page, close } = await bench.open('/console/invoices/in_session');
    await page.fill('#held [name=reason]', 'typed with "care"');
    await sql`update console_sessions set created_at = now() - interval '9 hours'`.execute(
      bench.ledger.database,
    );
    await page.click('#held button');
    await page.fill('[name=key]', bench.keys.admin);
    await page.click('main button');
    expect(await page.locator('dl').innerText()).toContain('typed with "care"');
    expect(await auditOf('close.release', 'in_session')).toBeUndefined();
    await page.click('main button');
    await page.waitForSelector('[role=status]');
    expect(await auditOf('close.release', 'in_session')).toMatchObject({
      details: { reason: 'typed with "care"' },
    });
    bench.forgetSessions();
    await close();
  });

  it('leads from each invoice that is done to its customer', async () => {
    const { page, close } = await bench.open('/console/invoices?period=2026-10', { scope: 'finance' });
    const cells = page.locator(
      '#done tbody td[data-label="Customer"], #progress tbody td[data-label="Customer"]',
    );
    expect(await cells.count()).toBeGreaterThan(0);
    expect(await cells.locator('a[href^="/console/customers/"]').count()).toBe(await cells.count());
    await close();
  });

  it('says of upcoming invoices what the API says where Stripe does not answer', async () => {
    bench.billing.failure = new Error('Stripe is away');
    const api = async (customer: string) => {
      const response = await bench.call(`/v1/customers/${customer}/invoice-preview`);
      return ((await response.json()) as { subscriptions: { total: string; currency: string }[] })
        .subscriptions[0];
    };
    const { page, close } = await bench.open('/console/invoices/upcoming', { scope: 'finance' });
    for (const customer of ['northwind', 'adatum']) {
      const told = await api(customer);
      const row = page.locator(`#upcoming tbody tr:has-text("${customer.toUpperCase()}")`);
      expect(minorOf(await row.locator('td[data-label="So far"]').innerText())).toBe(
        minorOf(told?.total ?? ''),
      );
      expect(minorOf(told?.total ?? '')).toBeGreaterThan(0n);
      expect(await row.locator('a').getAttribute('href')).toBe(`/console/customers/${customer}`);
      const sum = page.locator(`.figures div:has(dt:text-is("So far, ${told?.currency.toUpperCase()}")) dd`);
      expect(minorOf((await sum.innerText()).split('\n')[0] ?? '')).toBe(minorOf(told?.total ?? ''));
    }
    const csv = await page.evaluate(
      "fetch('/console/invoices/upcoming?csv=upcoming').then((answer) => answer.text())",
    );
    expect(String(csv)).toContain(`,${(await api('northwind'))?.total},usd,`);
    await close();
  });

  it('has no page of an invoice that there is not', async () => {
    for (const path of ['/console/invoices/in_none', '/console/invoices/in_held/certificate']) {
      const { page, status, close } = await bench.open(path);
      expect(status).toBe(404);
      expect(await page.locator('h1').innerText()).toBe('There is nothing here');
      await close();
    }
  });
});
