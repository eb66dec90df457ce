import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PurchaseShown } from '../../src/costs/provisioned/routes.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import { groupDigits, moneyInWords, twoDecimals } from '../../src/pages/words.ts';
import { insertRequests, insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;

const dollars = (amount: string | null) => moneyInWords(twoDecimals(amount ?? ''), 'usd');
const ask = async <Body>(path: string) => (await (await bench.call(path)).json()) as Body;

describe.skipIf(!hasChromium())('models and deployments of the console', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await insertRollupWorld(database);
    await insertRequests(database, [{ hour: '2026-11-02T09:00:00Z', requests: 40n }]);
    // In force in the days that use is measured over, too.
    await database.updateTable('provisioned_capacity').set({ valid_until: null }).execute();
    await rate(database);
  });
  afterAll(() => bench?.close());

  it('is whole at every size, in both themes, without scripts', async () => {
    await bench.walk('/console/models?period=2026-11', { scope: 'sales' });
  });

  it.each(['model', 'deployment'] as const)(
    'says what the API says of each %s, and exports it exactly',
    async (kind) => {
      const { rows } = await ask<CostsBody>(`/v1/costs?period=2026-11&groupBy=${kind}`);
      const { page, complaints, close } = await bench.open('/console/models?period=2026-11');
      const table = page.locator(`#${kind}s tbody tr`);
      expect(await table.count()).toBe(rows.length);
      const csv = String(
        await page.evaluate(
          `fetch('/console/models?period=2026-11&csv=${kind}s').then((answer) => answer.text())`,
        ),
      );
      for (const row of rows) {
        const shown = table.filter({ has: page.locator(`th bdi:text-is("${row[kind]}")`) });
        const text = async (label: string) => await shown.locator(`td[data-label="${label}"]`).innerText();
        const isUnpriced = row.unpricedTokenCount === row.tokenCount;
        expect((await text('Cost')).split('\n')[0]).toBe(isUnpriced ? 'unknown' : dollars(row.knownCost));
        if (isUnpriced) expect(await text('a million')).toBe('unknown');
        expect(await text('Tokens')).toBe(groupDigits(row.tokenCount));
        if (kind === 'deployment') expect(await text('Idle')).toBe(dollars(row.overhead));
        expect(csv).toContain(`${row[kind]},${isUnpriced ? '' : row.knownCost},${row.tokenCount},`);
      }
      expect(complaints).toEqual([]);
      await close();
    },
  );

  it('leads from a deployment to whose usage it is, by customer, day and user, as the API has it', async () => {
    const { page, complaints, close } = await bench.open('/console/models?period=2026-11', {
      scope: 'sales',
    });
    await page.click('#models th a:has-text("gpt-4o")');
    await page.waitForURL(/of=model&name=gpt-4o&period=2026-11/);
    for (const [tab, dimension] of [
      ['customer', 'customerId'],
      ['day', 'day'],
      ['user', 'user'],
      ['feature', 'feature'],
    ] as const) {
      await page.click(`.tabs a:text-is("by ${tab}")`);
      await page.waitForURL(new RegExp(`by=${tab}`));
      const sort = tab === 'day' ? '' : '&sort=-cost';
      const { rows, totals } = await ask<CostsBody>(
        `/v1/costs?period=2026-11&model=gpt-4o&groupBy=${tab}${sort}`,
      );
      const costs = await page.locator(`#${tab}s td[data-label="Cost"]`).allInnerTexts();
      expect([tab, costs]).toEqual([tab, rows.map(({ knownCost }) => dollars(knownCost))]);
      expect(await page.locator('.figures dd').first().innerText()).toContain(dollars(totals.knownCost));
      const address = new URL(page.url());
      address.searchParams.set('csv', `${tab}s`);
      const csv = await page.evaluate(
        `fetch(${JSON.stringify(address.href)}).then((answer) => answer.text())`,
      );
      for (const row of rows) expect(csv).toContain(`${row[dimension] ?? ''},${row.knownCost},`);
    }
    await page.goto(`${bench.origin}/console/usage?of=model&name=gpt-4o&period=2026-11&by=day`);
    await page.locator('#days tbody th a').first().click();
    await page.waitForURL(/from=2026-11-02&to=2026-11-02/);
    expect(await page.locator('#customers tbody tr').count()).toBe(1);
    await page.goto(
      `${bench.origin}/console/usage?${new URLSearchParams({ of: 'feature', name: HOSTILE_NAMES[0] ?? '' })}`,
    );
    expect(await page.locator('h1').innerText()).toContain('Usage of the feature <script>');
    expect(complaints).toEqual([]);
    await close();
  });

  it('says of throughput what the API says', async () => {
    const { purchases } = await ask<{ purchases: PurchaseShown[] }>('/v1/provisioned');
    const { page, close } = await bench.open('/console/models');
    const csv = String(
      await page.evaluate("fetch('/console/models?csv=throughput').then((answer) => answer.text())"),
    );
    const [, line = ''] = csv.split('\r\n');
    const [purchase] = purchases;
    const [deployment, , , hourlyCost, bought, used, busiest] = line.split(',');
    expect([deployment, hourlyCost, used, busiest]).toEqual([
      purchase?.deployment,
      purchase?.hourlyCost,
      purchase?.use.usedWeightedTokens,
      purchase?.use.busiestHourWeightedTokens,
    ]);
    expect(Number(bought)).toBe(
      Number(purchase?.use.weightedTokensPerHourAtMost) * (purchase?.use.hourCount ?? 0),
    );
    expect(Number(bought)).toBeGreaterThan(0);
    await close();
  });
});
