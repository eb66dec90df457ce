import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, STEADY_USE, stripePreview } from './world.ts';

let bench: ApiBench;

type Figure = { amount: string | null; reason: string | null };
interface QuoteBody {
  quoteId: string;
  plan: { planId: string; versionId: string } | null;
  mode: string;
  usageBasis: {
    activeUsers: { sampleUserCount: number; sampleDayCount: number; tokensPerUserMonth: object }[];
    existing: { tokenCount: string } | null;
    to: string;
    extrapolated?: object;
  };
  pageUrl: string;
  lines: {
    model: string;
    deploymentType: string | null;
    tokenType: string;
    tokenCount: string;
    cost: Figure;
    notes: string[];
  }[];
  minimumTopUp: { added: string };
  totals: Record<'cost' | 'price' | 'margin' | 'invoiceAmount', Figure> & {
    tokenCount: string;
    knownCost: string;
  };
  averageCost: { perMillionTokens: Figure; perRequest: Figure };
  targetMargin: { price: Figure; markupPercent: string; rates: { pricePerMillionTokens: string }[] } | null;
  offer?: {
    invoiceAmount: Figure;
    marginPercent: Figure;
    discountPercent: string | null;
    planFile: string;
  } | null;
  range: Record<'low' | 'expected' | 'high', { tokenCount: string; price: Figure }> | null;
  rangeReason: string | null;
  assumptions: string[];
}

const post = (body: unknown) =>
  bench.call('/v1/quotes', {
    method: 'POST',
    scope: 'sales',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function quote(body: unknown): Promise<QuoteBody> {
  const response = await post(body);
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as QuoteBody;
}

async function problem(
  body: unknown,
): Promise<{ status: number; code: string; detail: string; errors: { field: string; fix?: string }[] }> {
  const response = await post(body);
  return {
    ...((await response.json()) as { code: string; detail: string; errors: [] }),
    status: response.status,
  };
}

const million = { model: 'gpt-4o', promptTokenCount: 1_000_000, completionTokenCount: 0 };

const day = (number: number) => `2026-11-${String(number).padStart(2, '0')}T09:00:00Z`;

beforeEach(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await insertUsage(database, [
    // Six users of chat over twelve days, one of search.
    ...[1, 2, 3, 4, 5, 6].flatMap((user) => [
      { hour: day(9), subject: `user-${user}`, tokens: BigInt(user) * 1_000n },
      {
        hour: day(9),
        subject: `user-${user}`,
        tokens: BigInt(user) * 100n,
        tokenType: 'completion' as const,
      },
    ]),
    { hour: day(20), feature: 'search', subject: 'user-1', tokens: 10n },
    {
      hour: day(19),
      feature: 'draft',
      subject: 'user-1',
      tokens: 10n,
      model: 'mystery-9',
      quarantine: 'no_binding',
    },
    { hour: '2026-10-05T09:00:00Z', tokens: 5_000n },
    ...STEADY_USE,
  ]);
  bench.billing.previews.set('sub_northwind', stripePreview('northwind', {}));
});
afterEach(() => bench.close());

describe('a quote for active users', () => {
  it('uses what ours were measured to use, with the sample and a range', async () => {
    const body = await quote({ activeUsers: [{ feature: 'chat', count: 12 }] });
    // 21,000 and 2,100 tokens of 6 users in 12 days (the first hour is 11 days and an hour before the newest one's end).
    expect(body.usageBasis.activeUsers).toMatchObject([
      {
        feature: 'chat',
        count: '12',
        sampleUserCount: 6,
        sampleDayCount: 12,
        tokensPerUserMonth: { p50: '8250', p90: '16500', mean: '9625' },
        costPerUserMonth: { p50: '0.02625' },
      },
    ]);
    expect(body.totals.tokenCount).toBe('115500');
    // Six users tell no range.
    expect(body).toMatchObject({ range: null, rangeReason: 'too_few_users_for_a_range' });
    expect(body.assumptions.join(' ')).toContain('12 active users of chat');
  });

  it('has a range of what so many use together from ten users on, and counts no user who is nobody’s', async () => {
    const more = [7, 8, 9, 10].map((user) => ({
      hour: day(9),
      subject: `user-${user}`,
      tokens: BigInt(user) * 1_000n,
    }));
    const strays = Array.from({ length: 5 }, (_, user) => ({
      hour: day(1),
      subject: `stray-${user}`,
      customer: null,
      tokens: 10n ** 9n,
    }));
    await insertUsage(bench.ledger.database, strays);
    const few = await quote({ activeUsers: [{ feature: 'chat', count: 12 }] });
    expect(few).toMatchObject({ range: null, totals: { tokenCount: '115500' } });

    await insertUsage(bench.ledger.database, more);
    const [one, many] = [
      await quote({ activeUsers: [{ feature: 'chat', count: 12 }] }),
      await quote({ activeUsers: [{ feature: 'chat', count: 1_200 }] }),
    ];
    expect(one.usageBasis.activeUsers).toMatchObject([{ sampleUserCount: 10, sampleDayCount: 12 }]);
    const width = ({ range }: QuoteBody) => {
      const [low, expected, high] = [range?.low, range?.expected, range?.high].map((point) =>
        Number(point?.tokenCount),
      ) as [number, number, number];
      expect(low).toBeLessThan(expected);
      expect(high).toBeGreaterThan(expected);
      return (high - low) / expected;
    };
    // What a sample of ten may be off by stays, however many they stand for.
    expect(width(many)).toBeLessThan(width(one));
    expect(width(many)).toBeGreaterThan(width(one) / 3);
    expect(one.assumptions.join(' ')).toContain('In 8 of 10 cases');
  });

  it('is refused rather than guessed from too little, saying what there is and what is needed', async () => {
    const few = await problem({ activeUsers: [{ feature: 'search', count: 5 }] });
    expect(few).toMatchObject({
      status: 422,
      code: 'NOT_ENOUGH_DATA',
      errors: [{ field: 'activeUsers.0.feature' }],
    });
    expect(JSON.stringify(few)).toMatch(/1 active user over \d days?; .* at least 5 users over 7 days/);
  });

  it('names near features for one that nobody used', async () => {
    const unknown = await problem({ activeUsers: [{ feature: 'chatt', count: 5 }] });
    expect(unknown).toMatchObject({
      status: 422,
      code: 'UNKNOWN_FEATURE',
      errors: [{ fix: 'Near names: chat, draft.' }],
    });
  });
});

describe('a quote like a customer', () => {
  it('takes a calendar month, and varies by week where there are enough days', async () => {
    const november = await quote({
      likeCustomer: { customerId: 'northwind', period: '2026-11', scale: '2' },
    });
    expect(november.totals.tokenCount).toBe('71456');
    expect(november.range).not.toBeNull();
    expect(november.totals.cost).toEqual({ amount: null, reason: 'unknown_model' });
    expect(Number(november.totals.knownCost)).toBeGreaterThan(0);
    expect(november.usageBasis.extrapolated).toEqual({
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-11-20T10:00:00.000Z',
      monthDayCount: '30',
    });
    const early = await problem({ likeCustomer: { customerId: 'northwind', period: '2027-01' } });
    expect(early).toMatchObject({ status: 400, errors: [{ field: 'likeCustomer.period' }] });
  });

  it('is refused where a month would be made of too little', async () => {
    const october = await problem({ likeCustomer: { customerId: 'northwind', period: '2026-10' } });
    expect(october).toMatchObject({
      status: 422,
      code: 'NOT_ENOUGH_DATA',
      detail: expect.stringContaining(
        '"northwind" has 26.6 days of usage in that time, with tokens on 2 of them',
      ),
      errors: [{ field: 'likeCustomer' }],
    });
    await insertUsage(bench.ledger.database, [
      { hour: day(19), customer: 'adatum', subject: 'user-9', tokens: 900n },
      { hour: day(20), customer: 'adatum', subject: 'user-9', tokens: 900n },
    ]);
    const young = await problem({ likeCustomer: 'adatum' });
    expect(young).toMatchObject({
      code: 'NOT_ENOUGH_DATA',
      detail: expect.stringContaining('"adatum" has 1 days of usage in that time, with tokens on 2 of them'),
    });
  });

  it('brings a part of a month to a month, and says so, also to the customer', async () => {
    await insertUsage(
      bench.ledger.database,
      [11, 13, 15, 17, 19].map((number) => ({
        hour: day(number),
        customer: 'adatum',
        subject: 'user-9',
        tokens: 100n,
      })),
    );
    const body = await quote({ likeCustomer: 'adatum', planId: 'standard' });
    // 500 tokens from 11 November, 09:00, to 20 November, 10:00: 217 of 720 hours.
    expect(body.totals.tokenCount).toBe('1659');
    expect(body.assumptions[0]).toContain('a part of a month, brought to 30 days');
    const page = await bench.call(body.pageUrl.replace(/^https?:\/\/[^/]+/, ''), { scope: null });
    expect(await page.text()).toContain('estimated from 9 days of comparable use, brought to 30 days');
  });

  it('ends where the ledger does, not at the clock', async () => {
    bench.clock.instant = new Date('2026-11-30T10:30:00.000Z');
    const body = await quote({ likeCustomer: 'northwind' });
    expect(body.usageBasis.to).toBe('2026-11-20T10:00:00.000Z');
  });
});

describe('a quote with adjustments', () => {
  it('swaps models, caches and runs in batch, with every token kept', async () => {
    const body = await quote({
      usage: [million],
      adjustments: { modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4.1' }], cachedShare: '0.4', batchShare: '0.5' },
    });
    expect(
      body.lines.map((line) => [line.model, line.deploymentType, line.tokenType, line.tokenCount]),
    ).toEqual([
      ['gpt-4.1', null, 'prompt', '300000'],
      ['gpt-4.1', null, 'prompt_cached', '200000'],
      ['gpt-4.1', 'batch', 'prompt', '300000'],
      ['gpt-4.1', 'batch', 'prompt_cached', '200000'],
    ]);
    expect(body.lines[2]?.cost.amount).toBe('0.30');
    expect(body.lines[3]).toMatchObject({
      cost: { amount: '0.10', reason: null },
      notes: ['priced_as_global_for_want_of_a_batch_price'],
    });
    expect(body.lines[2]?.notes).toEqual([]);
  });

  it('refuses swaps to what has no price, and of what is not used', async () => {
    const to = await problem({
      usage: [million],
      adjustments: { modelSwaps: [{ from: 'gpt-4o', to: 'gpt4.1' }] },
    });
    expect(to).toMatchObject({
      status: 422,
      code: 'UNKNOWN_MODEL',
      errors: [{ field: 'adjustments.modelSwaps.0.to' }],
    });
    expect(to.errors[0]?.fix).toContain('gpt-4.1');
    const from = await problem({
      usage: [million],
      adjustments: { modelSwaps: [{ from: 'o3', to: 'gpt-4.1' }] },
    });
    expect(from).toMatchObject({ status: 422, errors: [{ field: 'adjustments.modelSwaps.0.from' }] });
  });
});

describe('a quote under a plan', () => {
  it('has its tiers, allowance and minimum', async () => {
    const body = await quote({ usage: [{ ...million, promptTokenCount: 6_000_000 }], planId: 'scale' });
    expect(body.plan).toMatchObject({ planId: 'scale' });
    // 5,000,000 included, a million at 2.95, and a minimum of 500.
    expect(body.totals.invoiceAmount.amount).toBe('500.00');
    expect(body.minimumTopUp.added).toBe('497.05');
    expect(body.assumptions).toContain(
      `Prices are those of the plan scale, version ${body.plan?.versionId}.`,
    );
  });

  it('marks up what the usage costs, also of dated versions of a model', async () => {
    const body = await quote({ usage: [{ ...million, model: 'gpt-4o-2024-08-06' }], planId: 'cost-plus' });
    expect(body.totals.price.amount).toBe('2.875');
    expect(body.totals.margin.amount).toBe('0.375');
  });

  it('answers the price for a target margin, and reaches it', async () => {
    const body = await quote({ usage: [million], targetMarginPercent: '35' });
    expect(body.targetMargin?.price.amount).toBe('3.84615384615385');
    expect(body.targetMargin?.rates).toMatchObject([{ pricePerMillionTokens: '3.84615385' }]);
    // 2.50 / 0.65 = 3.846..., a whole cent on the invoice.
    expect(body.offer).toMatchObject({
      invoiceAmount: { amount: '3.85' },
      marginPercent: { amount: '35.00' },
      discountPercent: null,
    });
    const page = await bench.call(body.pageUrl.replace(/^https?:\/\/[^/]+/, ''), { scope: null });
    const text = await page.text();
    expect(text).toContain('$3.85');
    expect(text).not.toContain('$3.00');
    expect(text).not.toMatch(/margin|offer-/i);
    const recorded = await bench.call('/v1/plans', {
      method: 'POST',
      headers: { 'content-type': 'application/yaml' },
      body: body.offer?.planFile ?? '',
    });
    expect([recorded.status, await recorded.clone().text()]).toMatchObject([201, expect.anything()]);
    const [, planId = ''] = /^plan: (.*)$/m.exec(body.offer?.planFile ?? '') ?? [];
    const again = await quote({ usage: [million], planId });
    expect(again.totals.invoiceAmount.amount).toBe('3.85');
    const cheaper = await quote({ usage: [million], targetMarginPercent: '10' });
    expect(cheaper.offer).toMatchObject({ invoiceAmount: { amount: '2.78' }, discountPercent: '7.33' });
  });

  it('offers no other price where none reaches the target margin', async () => {
    const body = await quote({ likeCustomer: 'northwind', targetMarginPercent: '35' });
    expect([body.totals.cost.reason, body.offer]).toEqual(['unknown_model', null]);
    const page = await bench.call(body.pageUrl.replace(/^https?:\/\/[^/]+/, ''), { scope: null });
    expect(await page.text()).toMatch(/class="amount">On request/);
  });

  it('records the offers of one day and margin beside each other', async () => {
    for (const promptTokenCount of ['1000', '1000000000']) {
      const { offer } = await quote({
        usage: [{ ...million, promptTokenCount }],
        targetMarginPercent: '35',
      });
      const recorded = await bench.call('/v1/plans', {
        method: 'POST',
        headers: { 'content-type': 'application/yaml' },
        body: offer?.planFile ?? '',
      });
      expect([recorded.status, await recorded.text()]).toMatchObject([201, expect.anything()]);
    }
  });

  it.each(['merge', 'replace'])(
    'sends no price that misses the target margin, with %s either',
    async (mode) => {
      const body = await quote({
        usage: [million],
        customerId: 'northwind',
        mode,
        targetMarginPercent: '35',
      });
      expect(body.offer).toBeNull();
      expect(body.totals.price.amount).not.toBeNull();
      const page = await bench.call(body.pageUrl.replace(/^https?:\/\/[^/]+/, ''), { scope: null });
      const text = await page.text();
      expect(text).toMatch(/class="amount">On request/);
      expect(text).toContain('Its price is yet to be agreed.');
      expect(text).not.toMatch(/\$\d/);
      const plain = await quote({ usage: [million], customerId: 'northwind', mode });
      const plainPage = await bench.call(plain.pageUrl.replace(/^https?:\/\/[^/]+/, ''), { scope: null });
      expect(await plainPage.text()).toMatch(/class="amount">\$\d/);
    },
  );

  it('answers costs of a million tokens and of a request', async () => {
    const body = await quote({ usage: [{ ...million, requestCount: 1_000 }] });
    expect(body.averageCost.perMillionTokens.amount).toBe('2.50');
    expect(body.averageCost.perRequest.amount).toBe('0.0025');
  });

  it('refuses what it does not know, with near names, and currencies that would mix', async () => {
    expect(await problem({ usage: [million], planId: 'standart' })).toMatchObject({
      status: 422,
      code: 'UNKNOWN_PLAN',
      errors: [{ field: 'planId' }],
    });
    expect(await problem({ usage: [million], planId: 'standard', currency: 'eur' })).toMatchObject({
      status: 400,
      errors: [{ field: 'currency' }],
    });
    expect(
      await problem({ usage: [million], planId: 'standard', customerId: 'adatum', mode: 'merge' }),
    ).toMatchObject({ status: 400, errors: [{ field: 'planId' }] });
    expect(await problem({ usage: [million], currency: 'uds' })).toMatchObject({
      status: 422,
      code: 'UNKNOWN_CURRENCY',
    });
    expect(await problem({ usage: [million], planId: 'standard', at: '2001-01-01T00:00:00Z' })).toMatchObject(
      {
        status: 400,
        errors: [{ field: 'at' }],
      },
    );
    expect(await problem({ usage: [million], at: '2036-01-01T00:00:00Z' })).toMatchObject({
      status: 400,
      errors: [{ field: 'at' }],
    });
  });
});

describe('a quote for an existing customer', () => {
  /** The ledger's own total of the customer's preview, in cents. */
  async function previewCents(): Promise<number> {
    bench.clock.instant = new Date(bench.clock.instant.getTime() + 60_000);
    const response = await bench.call('/v1/customers/northwind/invoice-preview');
    const body = (await response.json()) as { subscriptions: { total: string }[] };
    return Math.round(Number(body.subscriptions[0]?.total) * 100);
  }

  it('adds exactly what the invoice preview then adds: tiers and allowance included', async () => {
    const { database } = bench.ledger;
    const tiers = [
      { upTo: '20000', unitAmountDecimal: '0', flatAmountDecimal: null },
      { upTo: '60000', unitAmountDecimal: '0.05', flatAmountDecimal: '150' },
      { upTo: null, unitAmountDecimal: '0.013', flatAmountDecimal: null },
    ];
    await database
      .updateTable('subscription_items')
      .set({ unit_amount_decimal: null, tiers_mode: 'graduated', price_tiers: JSON.stringify(tiers) })
      .where('subscription_item_id', '=', 'si_northwind_prompt')
      .execute();
    const before = await previewCents();
    const promptTokenCount = 70_003;
    const request = {
      usage: [{ model: 'gpt-4o', feature: 'chat', promptTokenCount, completionTokenCount: 777_777 }],
      customerId: 'northwind',
      mode: 'merge',
    };
    const body = await quote(request);
    expect(body.usageBasis.existing?.tokenCount).toBe('23114');
    await insertUsage(database, [
      { hour: day(21), subject: 'user-9', tokens: BigInt(promptTokenCount) },
      { hour: day(21), subject: 'user-9', tokens: 777_777n, tokenType: 'completion' },
    ]);
    const added = (await previewCents()) - before;
    expect(added).toBeGreaterThan(0);
    expect(Math.round(Number(body.totals.invoiceAmount.amount) * 100)).toBe(added);
  });

  it('instead of what it uses takes that away', async () => {
    const usage = [{ model: 'gpt-4o', feature: 'chat', promptTokenCount: 0, completionTokenCount: 1 }];
    const body = await quote({ usage, customerId: 'northwind', mode: 'replace' });
    expect(Number(body.totals.tokenCount)).toBeLessThan(0);
    expect(Number(body.totals.invoiceAmount.amount)).toBeLessThan(0);
  });

  it('needs the customer', async () => {
    const refused = await problem({ usage: [million], mode: 'merge' });
    expect(refused).toMatchObject({ status: 400, errors: [{ field: 'customerId' }] });
  });
});

describe('where throughput is bought by the hour', () => {
  it('the average cost holds its share, and the marginal cost does not', async () => {
    const { database } = bench.ledger;
    const now = bench.clock.now();
    await database
      .insertInto('provisioned_capacity')
      .values({
        provisioned_capacity_id: 'capacity-1',
        deployment: 'gpt-4o-ptu',
        valid_from: new Date('2026-11-01T00:00:00Z'),
        valid_until: null,
        unit_count: 15,
        unit_increment: 5,
        hourly_usd_per_unit: '1',
        reserved_unit_count: 0,
        reserved_hourly_usd_per_unit: null,
        tokens_per_minute_per_unit: 2_500n,
        completion_weight: '4',
        cached_weight: '0',
        idle_policy: 'spread',
        note: '',
        noticed_until: now,
        created_by: 'test',
        created_at: now,
      })
      .execute();
    for (const [kind, tokenCount, costPicoUsd] of [
      ['provisioned', 1_000_000n, 30n * 10n ** 12n],
      ['tokens', 3_000_000n, 6n * 10n ** 12n],
    ] as const) {
      await database
        .insertInto('daily_costs')
        .values({
          day: '2026-11-20',
          kind,
          customer_id: null,
          model: 'gpt-4o',
          feature: 'chat',
          deployment: 'gpt-4o-ptu',
          token_type: 'prompt',
          token_count: tokenCount,
          cost_pico_usd: String(costPicoUsd),
          reason: null,
          price_reference: null,
          price_notes: [],
          price_book_version: '1',
          rated_at: now,
        })
        .execute();
    }
    const body = await quote({ usage: [million, { ...million, model: 'gpt-4.1' }] });
    // Half of it at (30 + 6) / 4 = 9.00 a million, half at the list price of 2.00.
    expect(body.averageCost).toMatchObject({
      perMillionTokens: { amount: '5.50' },
      basis: 'with_provisioned',
    });
    expect(body.totals.cost.amount).toBe('4.50');
    const others = await quote({ usage: [{ ...million, model: 'gpt-4.1' }] });
    expect(others.averageCost).toMatchObject({ perMillionTokens: { amount: '2.00' }, basis: 'list_prices' });
  });
});

describe('bad input', () => {
  it.each([
    [{ usage: [million], activeUsers: [{ feature: 'chat', count: 1 }] }, 'activeUsers'],
    [{ activeUsers: [{ feature: 'chat', count: 0 }] }, 'activeUsers.0.count'],
    [{ activeUsers: [{ feature: 'chat', count: 1.5 }] }, 'activeUsers.0.count'],
    [
      {
        activeUsers: [
          { feature: 'chat', count: 1 },
          { feature: 'chat', count: 2 },
        ],
      },
      'activeUsers',
    ],
    [{ likeCustomer: { customerId: 'northwind' }, scale: '2' }, 'scale'],
    [{ usage: [{ ...million, cachedShare: '0.5', cachedPromptTokenCount: 1 }] }, 'usage.0.cachedShare'],
    [{ usage: [{ ...million, cachedShare: '1.5' }] }, 'usage.0.cachedShare'],
    [{ usage: [million], adjustments: { batchShare: '-0.1' } }, 'adjustments.batchShare'],
    [{ usage: [million], targetMarginPercent: 100 }, 'targetMarginPercent'],
    [{ usage: [million], validDays: 0 }, 'validDays'],
    [{ usage: [million], at: 'tomorrow' }, 'at'],
    [{ usage: [million], mode: 'instead' }, 'mode'],
  ])('%# is refused, naming %s', async (body, field) => {
    const { status, errors } = await problem(body);
    expect(status).toBe(400);
    expect(errors.map((error) => error.field)).toContain(field);
  });
});
