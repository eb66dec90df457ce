import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type PlanCatalogChange,
  type PlanCatalogState,
  planCatalogChanges,
} from '../../pricing/plans/catalog.ts';
import { parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook as book } from '../../pricing/prices/azure-openai.ts';
import { applyPlanChanges } from '../../src/stripe/plans/apply.ts';
import { createPlanCatalog, type PlanCatalogPort } from '../../src/stripe/plans/catalog.ts';
import { openAccount, type TestAccount } from './account.ts';

const AT = new Date('2026-11-01T00:00:00Z');
/** gpt-4o has meters in the account already; o3 has none. */
const RATES = [
  '{ model: gpt-4o, tokenType: prompt, perMillion: 3, includedTokens: 1000 }',
  '{ model: gpt-4o, tokenType: completion, graduated: [{ upTo: 10, perMillion: 12, flat: 1.50 }, { perMillion: 10.00000001 }] }',
  '{ model: o3, tokenType: prompt, volume: [{ upTo: 500, perMillion: 2 }, { perMillion: 1 }] }',
  '{ model: o3, tokenType: prompt, feature: chat, perMillion: 4 }',
];

let account: TestAccount;
let port: PlanCatalogPort;

beforeEach(async () => {
  account = await openAccount();
  port = createPlanCatalog(
    { STRIPE_API_KEY: account.standIn.apiKey, STRIPE_API_BASE: account.url },
    { timeoutMs: 60_000, retryPolicy: { baseDelayMs: 1, maxDelayMs: 20 } },
  );
});
afterEach(() => account.close());

function planOf(rates: readonly string[], planId = 'team', tax = '') {
  const source = `{ plan: ${planId}, name: Team, currency: usd, versions: [{ effectiveFrom: 2026-01-01, ${tax} rates: [${rates.join(', ')}] }] }`;
  const parsed = parsePlanFile(source);
  if (parsed.value === null) throw new Error(JSON.stringify(parsed.problems));
  return toPlan(parsed.value, []);
}

async function compare(
  rates: readonly string[],
  planId = 'team',
  bindings: PlanCatalogState['bindings'] = [],
  tax = '',
): Promise<PlanCatalogChange[]> {
  const plan = planOf(rates, planId, tax);
  const listing = await port.listPlanCatalog();
  return planCatalogChanges(plan, planRatesAt(plan, AT, book), { ...listing, bindings });
}

const kinds = (changes: readonly PlanCatalogChange[]) => changes.map((change) => change.kind);

/** Everything at Stripe, for comparisons; order does not matter. */
async function everything() {
  const { products, meters, prices } = await port.listPlanCatalog();
  const productOf = new Map(products.map((product) => [product.productId, product.name]));
  const meterOf = new Map(meters.map((meter) => [meter.meterId, meter.eventName]));
  return prices
    .map(({ lookupKey, active, price, productId, meterId, metadata }) => ({
      lookupKey,
      active,
      price,
      product: productOf.get(productId),
      meter: meterOf.get(meterId ?? ''),
      metadata,
    }))
    .sort((left, right) => ((left.lookupKey ?? '') < (right.lookupKey ?? '') ? -1 : 1));
}

describe('writing a plan to Stripe', () => {
  it('says how its usage is taxed: to prices that did not say it, and by new ones where they said otherwise', async () => {
    const [rate = ''] = RATES;
    const apply = async (tax: string) => {
      const changes = await compare([rate], 'team', [], tax);
      await applyPlanChanges(port, changes);
      return kinds(changes);
    };
    await apply('');
    const exclusive = 'taxBehavior: exclusive, taxCode: txcd_10103001,';
    expect(await apply(exclusive)).toEqual(['update_product', 'set_tax_behavior']);
    expect(await apply(exclusive)).toEqual([]);
    expect(await apply('')).toEqual([]);
    expect(await apply('taxBehavior: inclusive,')).toEqual(['create_price', 'deactivate_price']);
    const { products, prices } = await port.listPlanCatalog();
    expect(products.map(({ taxCode }) => taxCode)).toEqual(['txcd_10103001']);
    expect(prices.map(({ taxBehavior, active }) => [taxBehavior, active])).toEqual([
      ['exclusive', false],
      ['inclusive', true],
    ]);
  });

  it('makes products, the meters that are missing, and prices; a second time nothing', async () => {
    const changes = await compare(RATES);
    expect(kinds(changes)).toEqual([
      'create_meter',
      'create_meter',
      ...Array(4).fill('create_product'),
      ...Array(4).fill('create_price'),
    ]);
    await applyPlanChanges(port, changes);
    const made = await everything();
    expect(made.map((price) => [price.lookupKey, price.meter, price.active])).toEqual([
      ['tallystick/team/gpt-4o/completion/*', 'gpt_4o_completion_tokens', true],
      ['tallystick/team/gpt-4o/prompt/*', 'gpt_4o_prompt_tokens', true],
      ['tallystick/team/o3/prompt/*', 'o3_prompt_tokens', true],
      ['tallystick/team/o3/prompt/chat', 'o3_prompt_tokens_chat', true],
    ]);
    expect(made[0]?.price).toEqual({
      kind: 'tiered',
      mode: 'graduated',
      tiers: [
        { upTo: 10n, unitAmountDecimal: '0.0012', flatAmountDecimal: '150' },
        { upTo: null, unitAmountDecimal: '0.001000000001', flatAmountDecimal: null },
      ],
    });
    expect(made[3]?.metadata).toEqual({
      tallystick_plan: 'team',
      tallystick_plan_version: planOf(RATES).versions[0]?.versionId,
      tallystick_model: 'o3',
      tallystick_token_type: 'prompt',
      tallystick_feature: 'chat',
    });
    expect(await compare(RATES)).toEqual([]);
  });

  it('replaces a price that changed under its lookup key, and touches nothing else', async () => {
    await applyPlanChanges(port, await compare(RATES));
    const cheaper = [RATES[0]?.replace('perMillion: 3', 'perMillion: 2.5') ?? '', ...RATES.slice(1)];
    const changes = await compare(cheaper);
    expect(kinds(changes)).toEqual(['create_price', 'deactivate_price']);
    await applyPlanChanges(port, changes);
    const prompts = (await everything()).filter((price) => price.product === 'gpt-4o prompt tokens');
    expect(prompts.map(({ lookupKey, active }) => [lookupKey, active])).toEqual([
      [null, false],
      ['tallystick/team/gpt-4o/prompt/*', true],
    ]);
    expect(await compare(cheaper)).toEqual([]);
    await applyPlanChanges(port, await compare(RATES));
    expect(await compare(RATES)).toEqual([]);
  });

  it('takes out of use what left the plan, and back into use what returns', async () => {
    await applyPlanChanges(port, await compare(RATES));
    const fewer = RATES.slice(0, 3);
    const changes = await compare(fewer);
    expect(changes).toMatchObject([
      { kind: 'deactivate_price', reason: 'not_in_plan' },
      { kind: 'update_product', active: false },
    ]);
    await applyPlanChanges(port, changes);
    expect(await compare(fewer)).toEqual([]);
    const back = await compare(RATES);
    expect(kinds(back)).toEqual(['update_product', 'activate_price']);
    await applyPlanChanges(port, back);
    expect(await compare(RATES)).toEqual([]);
  });

  it('never touches what no plan made, nor what another plan made', async () => {
    const foreign = async () => {
      const products = await account.sdk.products.list({ limit: 100 });
      const prices = await account.sdk.prices.list({ limit: 100 });
      return JSON.stringify(
        [...products.data, ...prices.data].filter((object) => !object.metadata.tallystick_plan),
      );
    };
    const before = await foreign();
    await applyPlanChanges(port, await compare(RATES, 'other'));
    const others = (await everything()).length;
    await applyPlanChanges(port, await compare(RATES));
    await applyPlanChanges(port, await compare(RATES.slice(0, 1)));
    expect(await compare(RATES, 'other')).toEqual([]);
    expect(await foreign()).toBe(before);
    expect((await everything()).length).toBe(others + 4);
  });

  it('ends in the same state wherever it is stopped', async () => {
    // Before anything, after a meter, after some products, between prices.
    const stops = [0, 1, 4, 7];
    for (const stopAfter of stops) {
      const planId = `stopped-${stopAfter}`;
      let done = 0;
      const stop = new AbortController();
      const onDone = () => {
        done += 1;
        if (done === stopAfter) stop.abort();
      };
      if (stopAfter === 0) stop.abort();
      const changes = await compare(RATES, planId);
      await expect(applyPlanChanges(port, changes, onDone, stop.signal)).rejects.toThrow();
      // Once what is left, and once more all of it, as two people who apply at once would.
      await applyPlanChanges(port, await compare(RATES, planId));
      await applyPlanChanges(port, changes);
      expect(await compare(RATES, planId)).toEqual([]);
    }
    const { products, prices } = await port.listPlanCatalog();
    expect([products.length, prices.length]).toEqual([4 * stops.length, 4 * stops.length]);
  });

  it('makes nothing twice when answers are lost', async () => {
    for (const path of ['/v1/products', '/v1/prices', '/v1/billing/meters']) {
      account.standIn.faults.add({ path, kind: 'reset_after', count: 1 });
    }
    await applyPlanChanges(port, await compare(RATES)).catch(() => {});
    await applyPlanChanges(port, await compare(RATES));
    expect(await compare(RATES)).toEqual([]);
    expect((await everything()).map(({ active }) => active)).toEqual([true, true, true, true]);
  });

  it('uses the meter that takes the usage already, whatever its name', async () => {
    const meter = await account.sdk.billing.meters.create({
      event_name: 'our_own_name',
      display_name: 'Own',
      default_aggregation: { formula: 'sum' },
    });
    const bindings = [{ model: 'o3', tokenType: 'prompt' as const, feature: '*', meterId: meter.id }];
    const changes = await compare(RATES, 'team', bindings);
    expect(changes.filter((change) => change.kind === 'create_meter')).toMatchObject([
      { eventName: 'o3_prompt_tokens_chat' },
    ]);
    await applyPlanChanges(port, changes);
    expect((await everything()).map((price) => price.meter)).toContain('our_own_name');
  });

  it('refuses a meter that does not sum, and names that would share one', async () => {
    await account.sdk.billing.meters.create({
      event_name: 'o3_prompt_tokens',
      display_name: 'Counts',
      default_aggregation: { formula: 'count' },
    });
    await expect(compare(RATES)).rejects.toThrow(/o3_prompt_tokens.*does not sum/);
    const alike = ['a-b', 'a b'].map(
      (feature) => `{ model: gpt-4o, tokenType: prompt, feature: "${feature}", perMillion: 1 }`,
    );
    await expect(compare(alike)).rejects.toThrow(/would share the meter gpt_4o_prompt_tokens_a_b/);
  });
});
