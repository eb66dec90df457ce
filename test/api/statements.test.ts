import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStatementUrl } from '../../src/statements/links.ts';
import type { StatementBody, StatementPreviewBody } from '../../src/statements/schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, type LineSeed, storeLines } from './statement-world.ts';
import { insertCatalog, insertUsage, stripePreview } from './world.ts';

const JSON_HEADERS = { 'content-type': 'application/json' };
const warnings: { fields: Record<string, unknown>; message: string }[] = [];
let bench: ApiBench;

beforeEach(async () => {
  warnings.length = 0;
  bench = await createApiBench({
    log: {
      info: () => {},
      warn: (fields, message) => warnings.push({ fields, message }),
      error: () => {},
    },
  });
  await insertCatalog(bench.ledger.database);
  bench.clock.instant = new Date('2026-12-01T04:00:00Z');
});
afterEach(() => bench.close());

const prompt = (quantity: bigint, amountMinor: bigint, more: Partial<LineSeed> = {}): LineSeed => ({
  lineId: 'il_prompt',
  description: `${quantity} × GPT-4o prompt`,
  subscriptionItemId: 'si_northwind_prompt',
  quantity,
  unitAmountDecimal: '0.0003',
  amountMinor,
  ...more,
});

async function read(invoiceId: string): Promise<StatementBody> {
  const response = await bench.call(`/v1/statements/${invoiceId}`, { scope: 'finance' });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as StatementBody;
}

async function makeLink(path: string, body: object = {}): Promise<{ url: string; expiresAt: string }> {
  const response = await bench.call(`${path}/links`, {
    method: 'POST',
    scope: 'finance',
    headers: JSON_HEADERS,
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as { url: string; expiresAt: string };
}

const cents = (amount: string) => BigInt(amount.replace('.', ''));
const push = { meterId: 'mtr_prompt', status: 'delivered' as const };

describe('a statement', () => {
  it('has the lines of the invoice, and tables that sum to them', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [
      { hour: '2026-11-03T10:00:00Z', tokens: 1_000_001n, push },
      { hour: '2026-11-03T11:00:00Z', tokens: 999_999n, subject: 'user-2', feature: 'search', push },
      { hour: '2026-11-30T23:00:00Z', tokens: 1_000_000n, push },
      {
        hour: '2026-11-04T10:00:00Z',
        tokens: 500n,
        tokenType: 'completion',
        push: { ...push, meterId: 'mtr_completion' },
      },
      // Not of this invoice: another customer, another period, refused.
      { hour: '2026-11-03T10:00:00Z', tokens: 77n, customer: 'adatum', subject: 'user-3', push },
      { hour: '2026-12-01T00:00:00Z', tokens: 88n, push },
      { hour: '2026-11-05T00:00:00Z', tokens: 99n, push: { ...push, status: 'refused' } },
    ]);
    await insertInvoice(database, { id: 'in_1' });
    const completion = {
      lineId: 'il_completion',
      subscriptionItemId: 'si_northwind_completion',
      quantity: 500n,
    };
    await storeLines(database, {
      id: 'in_1',
      totalMinor: 1_400n,
      lines: [
        prompt(3_000_000n, 900n),
        { ...completion, unitAmountDecimal: '0.0012', amountMinor: 1n },
        { lineId: 'il_fee', description: 'Support', amountMinor: 500n },
      ],
    });
    const statement = await read('in_1');
    expect(statement.status).toBe('final');
    expect(statement.lines.map(({ text, kind, amount }) => [text, kind, amount])).toEqual([
      ['GPT-4o input tokens, 3,000,000 tokens', 'usage', '9.00'],
      ['GPT-4o output tokens, 500 tokens', 'usage', '0.01'],
      ['Support', 'other', '5.00'],
    ]);
    expect(statement.totals).toEqual({
      usageTokenCount: '3000500',
      usageAmount: '9.01',
      otherAmount: '5.00',
      lineAmount: '14.01',
      adjustmentAmount: '-0.01',
      amount: '14.00',
      amountDue: null,
    });
    expect(statement.byDay.rows).toEqual([
      { name: '2026-11-03', tokenCount: '2000000', amount: '6.00' },
      { name: '2026-11-04', tokenCount: '500', amount: '0.01' },
      { name: '2026-11-30', tokenCount: '1000000', amount: '3.00' },
    ]);
    expect(statement.byUser.rows).toEqual([
      { name: 'user-1', tokenCount: '2000501', amount: '6.01' },
      { name: 'user-2', tokenCount: '999999', amount: '3.00' },
    ]);
    expect(statement.byFeature.rows.map(({ name }) => name)).toEqual(['chat', 'search']);
    for (const table of [statement.byDay, statement.byModel, statement.byFeature, statement.byUser]) {
      expect(table.rest).toBeNull();
      expect(table.total).toEqual({ tokenCount: '3000500', amount: '9.01' });
    }
    expect(statement.days).toHaveLength(30);
    expect(statement.howMetered).toHaveLength(3);
  });

  it('sums to its lines whatever was used and whatever Stripe billed', async () => {
    const { database } = bench.ledger;
    let number = 0;
    const anyUse = fc.record({
      day: fc.integer({ min: 1, max: 30 }),
      subject: fc.constantFrom('user-1', 'user-2'),
      feature: fc.constantFrom('chat', 'search', ''),
      tokenType: fc.constantFrom('prompt' as const, 'prompt_cached' as const, 'completion' as const),
      tokens: fc.bigInt({ min: 1n, max: 10n ** 9n }),
    });
    const meterOf = { prompt: 'mtr_prompt', prompt_cached: 'mtr_cached', completion: 'mtr_completion' };
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyUse, { minLength: 1, maxLength: 12 }),
        fc.array(fc.bigInt({ min: 0n, max: 10n ** 7n }), { minLength: 3, maxLength: 3 }),
        fc.bigInt({ min: -100n, max: 100n }),
        async (uses, amounts, unknown) => {
          number += 1;
          const invoiceId = `in_any_${number}`;
          await database.deleteFrom('hourly_usage').execute();
          await database.deleteFrom('meter_pushes').execute();
          await insertUsage(
            database,
            uses.map(({ day, tokenType, ...use }, index) => ({
              hour: new Date(Date.UTC(2026, 10, day, index)).toISOString(),
              tokenType,
              ...use,
              push: { meterId: meterOf[tokenType], status: 'delivered' as const },
            })),
          );
          const lines = (['prompt', 'prompt_cached', 'completion'] as const).map((tokenType, index) => {
            const used = uses
              .filter((use) => use.tokenType === tokenType)
              .reduce((sum, { tokens }) => sum + tokens, 0n);
            // One line may bill a little more or less than the ledger knows.
            const quantity = index === 0 && used > 0n ? used + (used + unknown < 0n ? 0n : unknown) : used;
            return {
              lineId: `il_${number}_${tokenType}`,
              subscriptionItemId: `si_northwind_${tokenType}`,
              quantity,
              amountMinor: amounts[index] ?? 0n,
            };
          });
          await insertInvoice(database, { id: invoiceId });
          await storeLines(database, { id: invoiceId, lines });
          const statement = await read(invoiceId);
          const billed = lines.reduce((sum, line) => sum + line.quantity, 0n);
          const charged = lines.reduce((sum, line) => sum + line.amountMinor, 0n);
          for (const table of [statement.byDay, statement.byModel, statement.byFeature, statement.byUser]) {
            const all = [...table.rows, ...(table.rest === null ? [] : [table.rest])];
            expect(all.reduce((sum, row) => sum + BigInt(row.tokenCount), 0n)).toBe(billed);
            expect(all.reduce((sum, row) => sum + cents(row.amount), 0n)).toBe(charged);
            expect(table.total).toEqual({ tokenCount: String(billed), amount: expect.any(String) });
          }
          const drawn = statement.days
            .flatMap((day) => day.models)
            .map(({ tokenCount }) => BigInt(tokenCount));
          expect(drawn.reduce((sum, count) => sum + count, 0n)).toBe(
            uses.reduce((sum, { tokens }) => sum + tokens, 0n),
          );
        },
      ),
      { numRuns: 25 },
    );
  });

  it('says what its lines bill and no usage explains, and shares the amount with it', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [{ hour: '2026-11-03T10:00:00Z', tokens: 750_000n, push }]);
    await insertInvoice(database, { id: 'in_1' });
    await storeLines(database, { id: 'in_1', lines: [prompt(1_000_000n, 300n)] });
    const statement = await read('in_1');
    expect(statement.byUser.rest).toEqual({ tokenCount: '250000', amount: '0.75' });
    const page = await (
      await bench.call((await makeLink('/v1/statements/in_1')).url, { scope: null })
    ).text();
    expect(page).toContain('The lines bill 250,000 tokens that are not divided here');
  });

  it('follows what is pushed later, and usage of a withdrawn push leaves it', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [{ hour: '2026-11-03T10:00:00Z', tokens: 10n, push }]);
    await insertInvoice(database, { id: 'in_1', status: 'draft' });
    await storeLines(database, { id: 'in_1', status: 'draft', lines: [prompt(30n, 1n)] });
    expect((await read('in_1')).byUser.rest?.tokenCount).toBe('20');
    await insertUsage(database, [{ hour: '2026-11-03T12:00:00Z', tokens: 20n, subject: 'user-2', push }]);
    const later = await read('in_1');
    expect(later.byUser.rest).toBeNull();
    expect(later.byUser.rows).toHaveLength(2);
    await database
      .updateTable('meter_pushes')
      .set({ status: 'refused' })
      .where('delta_token_count', '=', 20n)
      .execute();
    expect((await read('in_1')).byUser.rows.map(({ name }) => name)).toEqual(['user-1']);
  });

  it('counts a period that begins inside a day, and its other part to the other', async () => {
    const { database } = bench.ledger;
    const periodStart = new Date('2026-11-15T10:30:00Z');
    const periodEnd = new Date('2026-12-15T10:30:00Z');
    await insertUsage(database, [
      { hour: '2026-11-15T09:00:00Z', tokens: 1n, push },
      { hour: '2026-11-15T11:00:00Z', tokens: 10n, push },
      { hour: '2026-12-15T09:00:00Z', tokens: 100n, push },
      { hour: '2026-12-15T11:00:00Z', tokens: 1_000n, push },
    ]);
    await insertInvoice(database, { id: 'in_1' });
    await storeLines(database, { id: 'in_1', lines: [prompt(110n, 3n, { periodStart, periodEnd })] });
    const statement = await read('in_1');
    expect(statement.byDay.rest).toBeNull();
    expect(statement.byDay.rows.map(({ name }) => name)).toEqual(['2026-11-15', '2026-12-15']);
    expect([statement.periodStart, statement.periodEnd]).toEqual([
      periodStart.toISOString(),
      periodEnd.toISOString(),
    ]);
  });

  it('keeps periods apart that share part of a day', async () => {
    const { database } = bench.ledger;
    const cut = new Date('2026-11-15T10:30:00Z');
    await insertUsage(database, [
      { hour: '2026-11-15T09:00:00Z', tokens: 1n, push },
      { hour: '2026-11-15T11:00:00Z', tokens: 10n, push },
      { hour: '2026-11-16T11:00:00Z', tokens: 100n, push },
    ]);
    await insertInvoice(database, { id: 'in_whole' });
    await storeLines(database, { id: 'in_whole', lines: [prompt(111n, 3n)] });
    await insertInvoice(database, { id: 'in_part' });
    await storeLines(database, { id: 'in_part', lines: [prompt(110n, 3n, { periodStart: cut })] });
    for (const [invoiceId, tokenCount] of [
      ['in_whole', '111'],
      ['in_part', '110'],
      ['in_whole', '111'],
    ] as const) {
      const { byDay, byUser } = await read(invoiceId);
      expect([byDay.rest, byUser.rest, byUser.rows[0]?.tokenCount]).toEqual([null, null, tokenCount]);
    }
  });

  it('shows tiers as included allowance, late items, minimum and credit as they are on the invoice', async () => {
    const { database } = bench.ledger;
    await database
      .updateTable('subscription_items')
      .set({
        unit_amount_decimal: null,
        tiers_mode: 'graduated',
        price_tiers: JSON.stringify([
          { upTo: '1000000', unitAmountDecimal: '0', flatAmountDecimal: null },
          { upTo: null, unitAmountDecimal: '0.0003', flatAmountDecimal: null },
        ]),
      })
      .where('subscription_item_id', '=', 'si_northwind_prompt')
      .execute();
    await insertUsage(database, [{ hour: '2026-11-03T10:00:00Z', tokens: 3_000_000n, push }]);
    await insertInvoice(database, { id: 'in_1' });
    await storeLines(database, {
      id: 'in_1',
      lines: [
        prompt(1_000_000n, 0n, { unitAmountDecimal: '0' }),
        prompt(2_000_000n, 600n, { lineId: 'il_prompt_2' }),
        {
          lineId: 'il_late',
          description: 'GPT-4o prompt, late usage',
          invoiceItemId: 'ii_1',
          quantity: 4_000n,
          unitAmountDecimal: '0.0003',
          amountMinor: 1n,
          periodStart: new Date('2026-10-31T22:00:00Z'),
          periodEnd: new Date('2026-11-01T00:00:00Z'),
        },
        {
          lineId: 'il_minimum',
          description: 'Up to the monthly minimum',
          quantity: 1n,
          amountMinor: 400n,
          invoiceItemId: 'ii_2',
        },
        {
          lineId: 'il_credit',
          description: 'Credit for an outage',
          quantity: 1n,
          amountMinor: -100n,
          invoiceItemId: 'ii_3',
        },
      ],
    });
    const statement = await read('in_1');
    expect(statement.lines.map(({ kind, isIncluded }) => [kind, isIncluded])).toEqual([
      ['usage', true],
      ['usage', false],
      ['late', false],
      ['minimum', false],
      ['credit', false],
    ]);
    expect(statement.allowances).toEqual([
      { name: 'GPT-4o input tokens', includedTokenCount: '1000000', usedTokenCount: '1000000' },
    ]);
    expect(statement.byDay.total).toEqual({ tokenCount: '3000000', amount: '6.00' });
    expect(statement.totals).toMatchObject({ otherAmount: '3.01', amount: '9.01' });
    const page = await (
      await bench.call((await makeLink('/v1/statements/in_1')).url, { scope: null })
    ).text();
    expect(page).toContain('used 31 Oct 2026');
    expect(page).toContain('−$1.00');
    expect(page).toContain('Up to the monthly minimum');
  });

  it('as CSV has every user, and rows that sum', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [
      { hour: '2026-11-03T10:00:00Z', tokens: 5n, push },
      { hour: '2026-11-03T10:00:00Z', tokens: 2n, subject: '=cmd()', push },
    ]);
    await insertInvoice(database, { id: 'in_1' });
    await storeLines(database, { id: 'in_1', lines: [prompt(7n, 5n)] });
    const response = await bench.call('/v1/statements/in_1', {
      scope: 'finance',
      headers: { accept: 'text/csv' },
    });
    expect(response.headers.get('content-type')).toContain('text/csv');
    const rows = parse<Record<string, string>>(await response.text(), { columns: true });
    const users = rows.filter(({ section, kind }) => section === 'user' && kind !== 'total');
    expect(users.map(({ name, tokenCount, amount }) => [name, tokenCount, amount])).toEqual([
      ['user-1', '5', '0.04'],
      ["'=cmd()", '2', '0.01'],
    ]);
    expect(rows.find(({ kind }) => kind === 'invoice')?.amount).toBe('0.05');
  });

  it('tells nobody of cost, margin or other customers', async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [
      { hour: '2026-11-03T10:00:00Z', tokens: 5n, push },
      { hour: '2026-11-03T10:00:00Z', tokens: 6n, customer: 'adatum', subject: 'user-3', push },
    ]);
    await insertInvoice(database, { id: 'in_1' });
    await storeLines(database, { id: 'in_1', lines: [prompt(5n, 5n)] });
    const { url } = await makeLink('/v1/statements/in_1');
    for (const form of ['', '&format=json', '&format=csv']) {
      const text = await (await bench.call(`${url}${form}`, { scope: null })).text();
      expect(text).not.toMatch(/user-3|adatum|margin|mtr_|sub_northwind"?>|price book/i);
    }
  });
});

describe('a link to a statement', () => {
  beforeEach(async () => {
    const { database } = bench.ledger;
    await insertUsage(database, [{ hour: '2026-11-03T10:00:00Z', tokens: 5n, push }]);
    await insertInvoice(database, { id: 'in_1' });
    await storeLines(database, { id: 'in_1', lines: [prompt(5n, 5n)] });
    await insertInvoice(database, { id: 'in_2', customer: 'adatum' });
    await storeLines(database, { id: 'in_2', lines: [] });
  });

  it('opens the page, JSON and CSV without a key', async () => {
    const { url } = await makeLink('/v1/statements/in_1');
    const page = await bench.call(url, { scope: null });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('GPT-4o input tokens');
    const json = await bench.call(url, { scope: null, headers: { accept: 'application/json' } });
    expect(((await json.json()) as StatementBody).invoiceId).toBe('in_1');
    const csv = await bench.call(`${url}&format=csv`, { scope: null });
    expect(csv.headers.get('content-disposition')).toContain('in_1.csv');
    const { pathname, search } = new URL(url);
    expect((await bench.call(`/v1${pathname}${search}`, { scope: null })).status).toBe(200);
  });

  it('that is altered, of another invoice, or absent is 404 and logged, and all look alike', async () => {
    const { url } = await makeLink('/v1/statements/in_1');
    const wrong = [
      url.replace(/signature=./, 'signature=_'),
      url.replace(/expires=\d/, 'expires=9'),
      url.replace('in_1', 'in_2'),
      url.replace('/statements/in_1', '/statements/preview/northwind'),
      url.replace('in_1', 'in_none'),
      url.split('?')[0] ?? '',
      `${url.split('?')[0]}?expires=abc&signature=x`,
    ];
    const pages = new Set<string>();
    for (const [index, address] of wrong.entries()) {
      const response = await bench.call(address, { scope: null });
      expect(response.status).toBe(404);
      pages.add(await response.text());
      expect(warnings).toHaveLength(index + 1);
    }
    expect(pages.size).toBe(1);
    expect(warnings[2]).toMatchObject({ fields: { invoiceId: 'in_2', reason: 'altered' } });
    expect(JSON.stringify(warnings)).not.toContain(new URL(url).searchParams.get('signature'));
  });

  it('lives as long as it says', async () => {
    const { url, expiresAt } = await makeLink('/v1/statements/in_1', { validDays: 2 });
    expect(expiresAt).toBe('2026-12-03T04:00:00.000Z');
    bench.clock.instant = new Date('2026-12-03T03:59:59Z');
    expect((await bench.call(url, { scope: null })).status).toBe(200);
    bench.clock.instant = new Date('2026-12-03T04:00:00Z');
    expect((await bench.call(url, { scope: null })).status).toBe(404);
    expect(warnings.at(-1)).toMatchObject({ fields: { reason: 'expired' } });
    const { pathname, search } = new URL(url);
    expect((await bench.call(`/v1${pathname}${search}`, { scope: null })).status).toBe(401);
  });

  it('is made by finance alone, for days within bounds, for invoices there are', async () => {
    const ask = (scope: 'sales' | 'finance', path: string, body: object) =>
      bench.call(`${path}/links`, {
        method: 'POST',
        scope,
        headers: JSON_HEADERS,
        body: JSON.stringify(body),
      });
    expect((await ask('sales', '/v1/statements/in_1', {})).status).toBe(403);
    expect((await ask('finance', '/v1/statements/in_1', { validDays: 0 })).status).toBe(400);
    expect((await ask('finance', '/v1/statements/in_1', { validDays: 401 })).status).toBe(400);
    expect((await ask('finance', '/v1/statements/in_none', {})).status).toBe(404);
    const audited = () =>
      bench.ledger.database
        .selectFrom('audit_log')
        .select('target')
        .where('action', '=', 'statement.link')
        .execute();
    expect(await audited()).toEqual([]);
    await makeLink('/v1/statements/in_1');
    expect(await audited()).toEqual([{ target: 'in_1' }]);
  });

  it('is null for a memo where no public address is known', async () => {
    const { database } = bench.ledger;
    const { clock } = bench;
    expect(await createStatementUrl({ database, clock })('in_1')).toBeNull();
    const settings = { publicUrl: 'https://usage.example.com/' } as never;
    const url = await createStatementUrl({ database, clock, settings })('in_1');
    expect(url).toMatch(/^https:\/\/usage\.example\.com\/statements\/in_1\?expires=\d+&signature=/);
    expect(
      (await bench.call((url ?? '').replace('https://usage.example.com', ''), { scope: null })).status,
    ).toBe(200);
  });
});

describe('reading an invoice for its statement', () => {
  it('asks Stripe for lines that are not kept, once for a final invoice', async () => {
    await bench.close();
    let readCount = 0;
    bench = await createApiBench({
      invoicing: {
        readInvoice: async (invoiceId: string) => {
          readCount += 1;
          if (invoiceId === 'in_gone') return null;
          const { lines, ...header } = stripePreview('northwind', { prompt: 5n });
          return { ...header, invoiceId, status: 'paid', lines, amountDueMinor: 0n } as never;
        },
      },
    });
    await insertCatalog(bench.ledger.database);
    await insertInvoice(bench.ledger.database, { id: 'in_1' });
    await insertInvoice(bench.ledger.database, { id: 'in_gone', status: 'draft' });
    expect((await read('in_1')).lines).toHaveLength(1);
    await read('in_1');
    expect(readCount).toBe(1);
    expect((await bench.call('/v1/statements/in_gone', { scope: 'finance' })).status).toBe(404);
  });

  it('says that it cannot be shown yet when Stripe is not to be asked', async () => {
    await insertInvoice(bench.ledger.database, { id: 'in_1' });
    expect((await bench.call('/v1/statements/in_1', { scope: 'finance' })).status).toBe(503);
    const page = await bench.call((await makeLink('/v1/statements/in_1')).url, { scope: null });
    expect(page.status).toBe(503);
    expect(await page.text()).toContain('being prepared');
  });
});

describe('a statement so far', () => {
  it('has the preview of the next invoice in the same form, unpushed usage included', async () => {
    const { database } = bench.ledger;
    bench.clock.instant = new Date('2026-11-21T10:30:00Z');
    bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 1_000_000n }));
    await insertUsage(database, [
      { hour: '2026-11-20T10:00:00Z', tokens: 1_000_000n, push },
      { hour: '2026-11-21T09:00:00Z', tokens: 2_000_000n, subject: 'user-2', customer: null },
    ]);
    const { url } = await makeLink('/v1/statements/preview/northwind');
    const page = await (await bench.call(url, { scope: null })).text();
    expect(page).toContain('Usage so far');
    expect(page).toContain('$9.00');
    const { pathname, search } = new URL(url);
    const preview = (await (
      await bench.call(`/v1${pathname}${search}`, { scope: null })
    ).json()) as StatementPreviewBody;
    const [statement] = preview.statements;
    expect(statement).toMatchObject({ status: 'so_far', invoiceId: null, totals: { amount: '9.00' } });
    expect(statement?.byUser.rows).toEqual([
      { name: 'user-2', tokenCount: '2000000', amount: '6.00' },
      { name: 'user-1', tokenCount: '1000000', amount: '3.00' },
    ]);
    expect(statement?.byUser.rest).toBeNull();
  });

  it('of a customer that is not there is 404', async () => {
    expect((await bench.call('/v1/statements/preview/nobody', { scope: 'finance' })).status).toBe(404);
  });
});
