import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole, sendTwice } from './walk.ts';

let bench: ConsoleBench;

const HOSTILE = `<script>alert(1)</script> \u202Eتجربة\u202C ${'x'.repeat(140)}`;
const ASKED = new URLSearchParams([
  ['basis', 'usage'],
  ['model', 'gpt-4o'],
  ['feature', ''],
  ['prompt', '2,000,000'],
  ['cached', '1 M'],
  ['completion', '1000000'],
  ['requests', ''],
  ['also', ''],
  ['title', 'Assistant for 200 people'],
  ['preparedFor', 'Northwind'],
]);
const FORM = `/console/quotes/new?${ASKED}`;

const post = async (body: unknown) => {
  const response = await bench.call('/v1/quotes', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as { quoteId: string; pageUrl: string; resultHash: string };
};

describe.skipIf(!hasChromium())('quotes in the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    await insertCatalog(bench.ledger.database);
    await insertUsage(bench.ledger.database, [
      { hour: '2026-11-20T09:00:00Z', tokens: 1_000n },
      { hour: '2026-11-05T09:00:00Z', tokens: 1_000n },
    ]);
  });
  afterAll(() => bench?.close());

  it('are whole with an answer, with a problem and as stored, at every size and in both themes', async () => {
    await bench.walk(FORM, { scope: 'sales' });
    await bench.walk(`${FORM}&margin=35&swapFrom=gpt-4o&swapTo=gpt-4o-mini`);
    await bench.walk('/console/quotes/new?basis=usage&model=gtp-9&prompt=ten');
    const { quoteId } = await post({
      usage: [{ model: 'gpt-4o', promptTokenCount: 2_000_000, completionTokenCount: 1_000_000 }],
      title: HOSTILE,
      preparedFor: HOSTILE,
      targetMarginPercent: 40,
    });
    await bench.walk(`/console/quotes/${quoteId}`);
    await bench.walk('/console/quotes');
    await bench.walk('/console/quotes/quote_AAAAAAAAAAAAAAAAAAAAAA', { status: 404 });
  });

  it('show the price as one types, and what the API answers to the same', async () => {
    const { page, complaints, close } = await bench.open('/console/quotes/new', { scope: 'sales' });
    await page.fill('[name=model]', 'gpt-4o');
    await page.fill('[name=prompt]', '2 M');
    await page.fill('[name=cached]', '1,000,000');
    await page.fill('[name=completion]', '1000000');
    const sheet = page.locator('#customer-page .total .amount');
    await expect.poll(() => sheet.textContent(), { timeout: 30_000 }).toBe('$16.50');
    expect(await page.textContent('#answer .chief dd')).toContain('$16.50');
    expect(await page.textContent('#answer')).toContain('$13.75');
    // What was typed is in the address: loaded again, nothing of it is lost.
    await page.reload();
    expect(await page.inputValue('[name=cached]')).toBe('1,000,000');
    await page.click('button[data-adds*=usage]');
    expect(await page.locator('[name=model]').count()).toBe(2);
    await page.fill('[name=margin]', '90');
    await expect.poll(() => page.textContent('#answer .chief dd'), { timeout: 30_000 }).toContain('$137.50');
    await page.click('text=Save and get the link');
    await page.waitForURL(/quotes\/quote_/);
    expect(await page.textContent('[role=status]')).toContain('Saved');
    const link = await page.inputValue('[data-copied]');
    const quoteId = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    const stored = (await (await bench.call(`/v1/quotes/${quoteId}`)).json()) as Record<string, string>;
    const asked = await post({
      usage: [
        {
          model: 'gpt-4o',
          promptTokenCount: '2000000',
          cachedPromptTokenCount: '1000000',
          completionTokenCount: '1000000',
        },
      ],
      targetMarginPercent: '90',
    });
    expect(stored.resultHash).toBe(asked.resultHash);
    expect(new URL(stored.pageUrl ?? '').search).toBe(new URL(link).search);
    await page.goto(link);
    expect(await page.textContent('.total .amount')).toBe('$137.50');
    expect(complaints).toEqual([]);
    await close();
  });

  it('are made without scripts, each way of saying the usage', async () => {
    const { page, close } = await bench.open('/console/quotes/new', { javaScriptEnabled: false });
    await page.click('text=Like a customer');
    await page.fill('[name=likeCustomer]', 'northwind');
    await page.click('text=Calculate');
    expect(await page.textContent('#answer')).toContain('a month is made of at least 7 days');
    await page.click('text=Active users');
    await page.fill('[name=userFeature]', 'nobody-uses-it');
    await page.fill('[name=userCount]', '12');
    await page.click('text=Another feature');
    expect(await page.locator('[name=userFeature]').count()).toBe(2);
    expect(await page.textContent('#answer')).toContain('nobody-uses-it');
    await page.click('text=Tokens >> nth=0');
    await page.fill('[name=model]', 'gpt-4o');
    await page.fill('[name=prompt]', 'ten');
    await page.click('text=Save and get the link');
    expect(await page.textContent('[role=alert]')).toContain('Usage, line 1, input tokens');
    expect(await page.inputValue('[name=prompt]')).toBe('ten');
    await page.fill('[name=prompt]', '10');
    await page.click('text=Save and get the link');
    expect(await page.textContent('[role=status]')).toContain('Saved');
    await close();
  });

  it('are saved once, however often the form is sent', async () => {
    const { page, close } = await bench.open(FORM, { scope: 'sales' });
    const quoteCount = async () =>
      (await bench.ledger.database.selectFrom('quotes').select('quote_id').execute()).length;
    const before = await quoteCount();
    const { refused, led } = await sendTwice(
      page,
      'form:has(button[formaction$="/save"])',
      'button[formaction$="/save"]',
    );
    expect(refused).toEqual([]);
    expect(led[0]).toMatch(/quotes\/quote_/);
    expect(led[1]).toBe(led[0]);
    expect(await quoteCount()).toBe(before + 1);
    await close();
  });

  it('lose nothing when the session ends before they are saved', async () => {
    const { page, close } = await bench.open(FORM, { scope: 'sales' });
    await bench.ledger.database.deleteFrom('console_sessions').execute();
    bench.forgetSessions();
    await page.click('text=Save and get the link');
    expect(await page.textContent('main')).toContain('nothing that you typed is lost');
    await page.fill('[name=key]', bench.keys.sales);
    await page.click('main button');
    await page.click('main button');
    await page.waitForURL(/quotes\/quote_/);
    expect(await page.textContent('h1')).toBe('Assistant for 200 people');
    await close();
  });

  it('are listed, narrowed, sorted, exported whole, and begun from again with all they had', async () => {
    const request = {
      usage: [
        {
          model: 'gpt-4o',
          feature: 'search',
          deployment: 'east',
          promptTokenCount: '20',
          cachedPromptTokenCount: '5',
          completionTokenCount: '10',
          requestCount: '3',
        },
      ],
      adjustments: { modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4o-mini' }], batchShare: '0.25' },
      customerId: 'northwind',
      mode: 'merge',
      targetMarginPercent: '12.5',
      validDays: 7,
      title: `Again ${HOSTILE}`.slice(0, 200),
    };
    const earlier = await post(request);
    const { page, close } = await bench.open(`/console/quotes?text=${encodeURIComponent('again <SCRIPT')}`);
    expect(await page.locator('#quotes tbody tr').count()).toBe(1);
    const csv = await page.request.get(`${bench.origin}/console/quotes?text=again&csv=quotes&quotes-sort=by`);
    expect(await csv.text()).toContain(earlier.quoteId);
    await page.click('text=Start from this');
    expect(await page.inputValue('[name=title]')).toBe(request.title);
    await page.click('text=Save and get the link');
    await page.waitForURL(/quotes\/quote_/);
    const copyId = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    const rows = await bench.ledger.database
      .selectFrom('quotes')
      .select(['quote_id', 'request', 'result_hash'])
      .where('quote_id', 'in', [earlier.quoteId, copyId])
      .execute();
    expect(new Set(rows.map((row) => row.request)).size).toBe(1);
    expect(new Set(rows.map((row) => row.result_hash)).size).toBe(1);
    await close();
  });

  it('say what changed since, and that the old answer still proves itself', async () => {
    const { quoteId } = await post({
      usage: [{ model: 'gpt-4o', promptTokenCount: 1_000_000, completionTokenCount: 0 }],
    });
    const setPrice = (cents: string) =>
      bench.ledger.database
        .updateTable('subscription_items')
        .set({ unit_amount_decimal: cents })
        .where('subscription_item_id', 'like', '%\\_prompt')
        .execute();
    await setPrice('0.0006');
    const { page, close } = await bench.open(`/console/quotes/${quoteId}`);
    await setPrice('0.0003');
    const changed = await page.textContent('[aria-label="What changed since"]');
    expect(changed).toContain('it gives the same to the last digit');
    expect(changed).toContain('the price would be $6.00 instead of $3.00');
    await close();
  });
});
