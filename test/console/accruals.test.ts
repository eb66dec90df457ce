import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccrualsBody } from '../../src/accruals/schemas.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

let bench: ConsoleBench;
const PATH = '/console/invoices/accruals';
const delivered = { meterId: 'mtr_prompt', status: 'delivered' } as const;

async function reported(query = ''): Promise<AccrualsBody> {
  return (await (await bench.call(`/v1/accruals?limit=100${query}`)).json()) as AccrualsBody;
}

describe.skipIf(!hasChromium())('the page of what is earned and not yet invoiced', () => {
  beforeAll(async () => {
    bench = await openConsole();
    const { database } = bench.ledger;
    await bench.walk(PATH);
    await insertCatalog(database);
    await database
      .insertInto('customers')
      .values(
        Array.from({ length: 30 }, (_, index) => ({
          customer_id: `c-${index}`,
          stripe_customer_id: `cus_${index}`,
          tenant_key: `c-${index}`,
          name: HOSTILE_NAMES[index] ?? `Customer ${index}`,
          currency: 'usd',
          deleted_at: null,
          synced_at: bench.clock.now(),
        })),
      )
      .execute();
    await insertUsage(database, [
      { hour: '2026-11-02T09:00:00Z', tokens: 12_345_678n, push: delivered },
      { hour: '2026-11-21T08:00:00Z', tokens: 50_000n },
      { hour: '2026-11-20T09:00:00Z', tokens: 77n, model: 'mystery-9', quarantine: 'no_binding' },
      {
        hour: '2026-11-20T10:00:00Z',
        tokens: 9n,
        customer: null,
        subject: 'stray',
        quarantine: 'no_customer',
      },
      {
        hour: '2026-11-03T10:00:00Z',
        tokens: 9_000_000n,
        customer: 'adatum',
        subject: 'user-3',
        push: delivered,
      },
      ...Array.from({ length: 30 }, (_, index) => ({
        hour: '2026-11-04T10:00:00Z',
        tokens: 1_000n,
        customer: `c-${index}`,
        subject: `s-${index}`,
        quarantine: 'no_binding',
      })),
    ]);
    await database
      .insertInto('settlements')
      .values([{ window_start: new Date('2026-11-21T09:00:00Z'), status: 'settled' }])
      .execute();
  });
  afterAll(() => bench?.close());

  it('is whole at every size, in both themes, without scripts, of all and of one', async () => {
    await bench.walk(PATH, { scope: 'finance' });
    await bench.walk(`${PATH}?customer=northwind`);
    await bench.walk(`${PATH}?customer=c-0`);
  });

  it.each(['', '2026-11-10', '2026-11-21T05:00:00Z'])('has the sums of the API as of "%s"', async (at) => {
    const query = at === '' ? '' : `&at=${at.length === 10 ? `${at}T00:00:00Z` : at}`;
    const { customers } = await reported(query);
    for (const id of ['northwind', 'adatum']) {
      const told = customers
        .find(({ customerId }) => customerId === id)
        ?.totals.find(({ currency }) => currency !== null);
      const { page, close } = await bench.open(`${PATH}?customer=${id}&at=${at}`, { scope: 'finance' });
      const cells = page.locator('#accruals tbody tr', { hasText: told?.currency?.toUpperCase() ?? 'none' });
      const amount = async (title: string) =>
        (await cells.locator(`td[data-label="${title}"]`).innerText()).replaceAll(/[^\d.]/g, '');
      expect([id, await amount('Earned')]).toEqual([id, told?.earned]);
      expect([id, await amount('Not yet invoiced')]).toEqual([id, told?.accrued]);
      expect([id, await amount('On final invoices')]).toEqual([id, told?.invoiced]);
      await close();
    }
  });

  it('counts what waits in quarantine, whenever it was used, and does not call it none', async () => {
    const at = '2026-11-21T05:00:00Z';
    const { customers } = await reported(`&from=2026-11-21T00:00:00Z&at=${at}`);
    expect(customers.find(({ customerId }) => customerId === null)?.totals[0]).toMatchObject({
      unvaluedTokenCount: '0',
      quarantinedTokenCount: '9',
    });
    for (const [id, count] of [
      ['northwind', '77'],
      ['', '9'],
      ['c-0', '1,000'],
    ] as const) {
      const { page, close } = await bench.open(`${PATH}?customer=${id}&at=${at}`, { scope: 'finance' });
      const cells = await page.locator('#accruals tbody td[data-label="In quarantine"]').allInnerTexts();
      expect([id, cells.filter((text) => text.trim() !== '0').map((text) => text.trim())]).toEqual([
        id,
        [count],
      ]);
      if (id === '') expect(await page.locator('.figures').innerText()).toContain('9 in quarantine');
      await close();
    }
  });

  it('pages customers, and has every row of all of them as the CSV of the API', async () => {
    const { page, close } = await bench.open(PATH, { scope: 'finance' });
    expect(await page.locator('.figures').innerText()).toContain('25 of 33 customers');
    const csv = await page.evaluate(`fetch('${PATH}?csv=accruals').then((answer) => answer.text())`);
    const api = await bench.call('/v1/accruals', { headers: { accept: 'text/csv' } });
    expect(csv).toBe(await api.text());
    expect(String(csv).split('\r\n').length).toBeGreaterThan(33);
    await close();
  });

  it('says what is wrong with an instant', async () => {
    const { page, status, close } = await bench.open(`${PATH}?at=2027-01-01`, { scope: 'finance' });
    expect(status).toBe(400);
    expect(await page.locator('main').innerText()).toContain('lies ahead');
    await close();
  });
});
