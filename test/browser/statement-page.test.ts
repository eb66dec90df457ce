import { serve } from '@hono/node-server';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { hasChromium, launchChromium, openPage } from '../setup/chromium.ts';
import { addStatementMonth } from './statement-month.ts';

const PHONE_WIDTH = 375;
const isAvailable = hasChromium();

let bench: ApiBench;
let browser: Browser;
let server: ReturnType<typeof serve>;
let origin: string;

async function linkTo(path: string): Promise<string> {
  const response = await bench.call(`${origin}${path}/links`, {
    method: 'POST',
    scope: 'finance',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(response.status, await response.clone().text()).toBe(201);
  return ((await response.json()) as { url: string }).url;
}

describe.skipIf(!isAvailable)('the page of a statement in a real browser', () => {
  beforeAll(async () => {
    bench = await createApiBench();
    bench.clock.instant = new Date('2026-12-01T04:00:00Z');
    await addStatementMonth(bench.ledger.database, {
      customerId: 'contoso',
      invoiceId: 'in_contoso',
      hourCount: 720,
      hourStep: 8,
      userCount: 200,
    });
    const port = await findFreePort();
    origin = `http://127.0.0.1:${port}`;
    server = serve({ fetch: bench.api.fetch, port, hostname: '127.0.0.1' });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await new Promise((resolve) => server.close(resolve));
    await bench.close();
  });

  it('shows the month, its lines and every breakdown', async () => {
    const { page, complaints, status } = await openPage(browser, await linkTo('/v1/statements/in_contoso'));
    expect(status).toBe(200);
    const text = await page.locator('main').innerText();
    for (const words of [
      'November 2026',
      'Contoso Ltd',
      'CONTOSO-0007',
      'GPT-4o cached input tokens',
      'By feature',
      'user-0200',
    ]) {
      expect(text).toContain(words);
    }
    // 24 lines; each table ends with the sum of the usage lines.
    expect(await page.locator('table.lines tbody tr').count()).toBe(24);
    const total = await page.locator('.total .amount').innerText();
    const sums = await page.locator('table.breakdown tfoot td:last-child').allInnerTexts();
    expect(sums).toEqual([total, total, total, total]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('draws the month: a bar for each day, in words too, and nothing that runs', async () => {
    const { page } = await openPage(browser, await linkTo('/v1/statements/in_contoso'));
    expect(await page.locator('svg.bars > g').count()).toBe(30);
    expect(await page.locator('svg.bars > g').first().locator('rect').count()).toBe(8);
    expect(await page.getByRole('img', { name: 'Tokens by day, stacked by model' }).count()).toBe(1);
    expect(await page.locator('svg.bars desc').textContent()).toMatch(/tokens on 30 of 30 days; most on/);
    expect(await page.locator('script').count()).toBe(0);
    await page.context().close();
  });

  it('fits a phone, in the light and in the dark', async () => {
    const url = await linkTo('/v1/statements/in_contoso');
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, complaints } = await openPage(browser, url, {
        viewport: { width: PHONE_WIDTH, height: 812 },
        colorScheme,
      });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(PHONE_WIDTH);
      const background = await page.evaluate(
        "getComputedStyle(document.querySelector('main')).backgroundColor",
      );
      expect(background).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(23, 29, 36)');
      expect(complaints).toEqual([]);
      await page.context().close();
    }
  });

  it('prints a month of 200 users on at most three A4 pages, on white', async () => {
    const { page } = await openPage(browser, await linkTo('/v1/statements/in_contoso'), {
      colorScheme: 'dark',
    });
    const pdf = await page.pdf({ format: 'A4', preferCSSPageSize: true, printBackground: true });
    expect(pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length).toBeLessThanOrEqual(3);
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor")).toBe(
      'rgb(255, 255, 255)',
    );
    await page.context().close();
  });

  it('has contrast of at least 4.5 to 1 for its texts, light and dark', async () => {
    const url = await linkTo('/v1/statements/in_contoso');
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page } = await openPage(browser, url, { colorScheme });
      const colors =
        (await page.evaluate(`[...document.querySelectorAll('h1, h2, p, th, td, dt, dd, li, .amount, a')].map((element) => {
        let ground = element;
        while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
      })`)) as [string, string][];
      expect(colors.length).toBeGreaterThan(100);
      for (const [ink, ground] of new Map(colors.map((pair) => [pair.join(), pair])).values()) {
        expect(contrast(ink, ground)).toBeGreaterThanOrEqual(4.5);
      }
      await page.context().close();
    }
  });

  it('sums users beyond 200 as others', async () => {
    await addStatementMonth(bench.ledger.database, {
      customerId: 'fabrikam',
      invoiceId: 'in_fabrikam',
      hourCount: 24,
      userCount: 230,
      userPrefix: 'person-',
      models: ['gpt-4o'],
    });
    const { page } = await openPage(browser, await linkTo('/v1/statements/in_fabrikam'));
    const text = await page.locator('main').innerText();
    expect(text).toContain('30 others');
    expect(text).toContain('the CSV has all 230');
    await page.context().close();
  });

  it('shows a page of its own for a wrong link', async () => {
    const url = await linkTo('/v1/statements/in_contoso');
    const { page, status } = await openPage(browser, url.replace('signature=', 'signature=x'));
    expect(status).toBe(404);
    expect(await page.locator('h1').innerText()).toBe('This statement cannot be shown');
    await page.context().close();
  });
});

/** WCAG 2.2, contrast ratio. */
function contrast(first: string, second: string): number {
  const [high = 0, low = 0] = [luminance(first), luminance(second)].sort((left, right) => right - left);
  return (high + 0.05) / (low + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).slice(0, 3).map((text) => {
    const value = Number(text) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
