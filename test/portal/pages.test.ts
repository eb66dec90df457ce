import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { insertItem } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { openPortal, type SeenPortal } from './bench.ts';
import { HOSTILE, insertPortalWorld, SELLER } from './world.ts';

let bench: SeenPortal;
let base: string;

describe.skipIf(!hasChromium())('the portal in a browser', () => {
  beforeAll(async () => {
    bench = await openPortal({ settings: { ...DEFAULT_API_SETTINGS, seller: SELLER } });
    await insertPortalWorld(bench.ledger.database);
    base = await bench.visit({});
  });
  afterAll(() => bench?.close());

  it.each([
    ['the period', ''],
    ['picked days', '?from=2026-11-10&to=2026-11-12'],
    ['an invoice', '/invoices/in_october'],
    ['the hours of a day', '/hours?day=2026-11-20&zone=Asia/Tokyo'],
    ['a day without data', '/hours?day=2026-11-15&zone=UTC'],
  ])('%s is whole at every size, in both themes, without scripts', async (_, path) => {
    await bench.walk(`${base}${path}`);
  });

  it('is so in German, for one user, and where there is nothing', async () => {
    await bench.walk(base, { locale: 'de-DE' });
    await bench.walk(await bench.visit({ userId: 'user-2' }), { locale: 'de-DE' });
    await bench.walk(`${base}/nowhere`, { status: 404 });
    await bench.walk('/portal', { status: 401 });
  });

  it('is so for a customer without a subscription, and one whose price is not known', async () => {
    const { database } = bench.ledger;
    const synced_at = new Date('2026-11-21T09:00:00Z');
    const customers = ['empty', 'unpriced'].map((customer_id) => ({ customer_id, name: HOSTILE, synced_at }));
    await database.insertInto('customers').values(customers).execute();
    const subject = {
      tenant_key: 'unpriced',
      assigned_by: 'tenant' as const,
      first_seen_at: synced_at,
      updated_at: synced_at,
    };
    await database
      .insertInto('subjects')
      .values({ ...subject, subject: 'user-9', customer_id: 'unpriced' })
      .execute();
    const item = { customer: 'unpriced', currency: 'usd', cents: null };
    await insertItem(database, { ...item, id: 'si_unpriced', meterId: 'mtr_prompt', name: 'GPT-4o prompt' });
    const usage = {
      subject: 'user-9',
      feature: '',
      model: 'gpt-4o',
      deployment: 'd',
      token_type: 'prompt' as const,
    };
    const tokens = { token_count: 4_321n, delta_token_count: 4_321n, revision: 1, created_at: synced_at };
    await database
      .insertInto('hourly_usage')
      .values({ ...usage, ...tokens, window_start: new Date('2026-11-20T08:00:00Z') })
      .execute();
    const empty = await bench.visit({ customerId: 'empty' });
    expect((await bench.read(empty)).text).toContain('No subscription is active');
    await bench.walk(empty);
    const unpriced = await bench.visit({ customerId: 'unpriced' });
    const { text } = await bench.read(unpriced);
    expect(text).toContain('some of the usage has no price yet');
    expect(text).toContain('4,321');
    expect(text).not.toMatch(/\$0\.00/);
    await bench.walk(unpriced);
    await bench.walk(await bench.visit({ customerId: 'unpriced', userId: 'user-9' }));
  });

  it('picks a day in the drawing, several by dragging, and all again', async () => {
    const { page, complaints, close } = await bench.open(base);
    const at = async (day: string) => {
      const box = await page.locator(`a[data-place="${day}"]`).boundingBox();
      if (box === null) throw new Error(`no bar for ${day}`);
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    };
    await page.locator('#drawn').scrollIntoViewIfNeeded();
    const first = await at('2026-11-12');
    await page.mouse.click(first.x, first.y);
    await page.waitForURL(/from=2026-11-12&to=2026-11-12/);
    expect(await page.locator('.notice[role=status]').innerText()).toContain('Only 12 November 2026');
    const [from, to] = [await at('2026-11-17'), await at('2026-11-10')];
    await page.mouse.move(from.x, from.y);
    await page.mouse.down();
    await page.mouse.move(to.x, to.y, { steps: 8 });
    await page.mouse.up();
    await page.waitForURL(/from=2026-11-10&to=2026-11-17/);
    expect(await page.locator('#days tbody tr').count()).toBeGreaterThan(0);
    await page.getByRole('link', { name: 'Show the whole period' }).click();
    await page.waitForURL((url) => !url.searchParams.has('from'));
    expect(complaints).toEqual([]);
    await close();
  });

  it('picks days by keyboard alone, without scripts', async () => {
    const { page, close } = await bench.open(base, { javaScriptEnabled: false });
    const form = page.locator('#drawn-span');
    await form.locator('select[name=from]').selectOption('2026-11-16');
    await form.locator('select[name=to]').selectOption('2026-11-18');
    await form.locator('button').press('Enter');
    await page.waitForURL(/from=2026-11-16&to=2026-11-18/);
    expect(await page.locator('.parts table').last().locator('tbody tr').count()).toBe(3);
    await close();
  });

  it("shows hours in the browser's own zone where none was chosen, and another one when it is", async () => {
    const { page, close } = await bench.open(`${base}/hours?day=2026-11-20`, { timezoneId: 'Asia/Tokyo' });
    await page.waitForURL(/zone=Asia%2FTokyo/);
    expect(await page.locator('time[datetime="2026-11-20T08:00:00.000Z"]').innerText()).toContain('17:00');
    await page.locator('select[name=zone]').selectOption('Europe/Berlin');
    await page.waitForURL(/zone=Europe%2FBerlin/);
    expect(await page.locator('time[datetime="2026-11-20T08:00:00.000Z"]').innerText()).toContain('09:00');
    await close();
  });
});
