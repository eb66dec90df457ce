import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { QuoteBody } from '../../src/quotes/schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage } from './world.ts';

let bench: ApiBench;

const post = (path: string, body: unknown) =>
  bench.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function quote(body: unknown): Promise<QuoteBody> {
  const response = await post('/v1/quotes', body);
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as QuoteBody;
}

beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  // Two hours of the 168 carried anything; the busier one 3,000,000 weighted tokens of 7,500,000.
  await insertUsage(bench.ledger.database, [
    { hour: '2026-11-20T09:00:00Z', tokens: 1_000_000n, deployment: 'GPT-4o-PTU' },
    { hour: '2026-11-20T09:00:00Z', tokens: 500_000n, deployment: 'GPT-4o-PTU', tokenType: 'completion' },
    { hour: '2026-11-19T09:00:00Z', tokens: 1_200_000n, deployment: 'GPT-4o-PTU' },
  ]);
  const bought = await post('/v1/provisioned', {
    deployment: 'gpt-4o-ptu',
    from: '2026-11-01T00:00:00Z',
    unitCount: 50,
    unitIncrement: 50,
    hourlyUsdPerUnit: '1.00',
    tokensPerMinutePerUnit: 2_500,
    completionWeight: '4',
  });
  expect(bought.status).toBe(201);
});
afterEach(() => bench.close());

describe('a quote for usage on throughput bought by the hour', () => {
  const usage = (promptTokenCount: number) => [
    { model: 'gpt-4o', feature: 'chat', deployment: 'gpt-4o-ptu', promptTokenCount, completionTokenCount: 0 },
  ];

  it('costs nothing more while it fits, and says what there is', async () => {
    // 4,200,000 weighted tokens in 168 hours: the busiest hour is 120 times the mean, so 720,000 tokens add 120,000 to it.
    const body = await quote({ usage: usage(720_000) });
    expect(body.boughtThroughput).toEqual([
      {
        deployment: 'gpt-4o-ptu',
        addedWeightedTokens: '720000',
        addedToBusiestHour: '120000',
        busiestHourWeightedTokens: '3000000',
        weightedTokensPerHourAtMost: '7500000',
        spreadEvenly: false,
        addedUnitCount: 0,
        addedHourlyCost: '0.00',
        addedMonthlyCost: '0.00',
      },
    ]);
    expect(body.totals.cost).toEqual({ amount: '0.00', reason: null });
    expect(body.lines[0]).toMatchObject({
      cost: { amount: '0.00' },
      costPerMillionTokens: null,
      notes: ['cost_of_further_throughput'],
    });
    expect(body.assumptions.join('\n')).toContain(
      '120,000 weighted tokens beside 3,000,000 in an hour that takes 7,500,000, so it fits, and costs nothing more',
    );
  });

  it('costs the units that must be bought where it does not, and has no average that nobody measured', async () => {
    const body = await quote({ usage: usage(28_000_000), targetMarginPercent: '50' });
    expect(body.boughtThroughput).toMatchObject([
      { addedToBusiestHour: '4666666.666667', addedUnitCount: 50, addedHourlyCost: '50.00' },
    ]);
    expect(body.totals.cost.amount).toBe('36000.00');
    expect(body.targetMargin?.price.amount).toBe('72000.00');
    expect(body.averageCost).toMatchObject({
      perMillionTokens: { amount: null, reason: 'no_measured_average' },
      basis: 'with_provisioned',
    });
    const byType = await quote({
      usage: [{ model: 'gpt-4o', promptTokenCount: 28_000_000, completionTokenCount: 0 }],
      adjustments: { deploymentType: 'provisioned' },
    });
    expect(byType.totals.cost.amount).toBe('36000.00');
  });

  it('is what docs/quotes.md works out', async () => {
    const document = readFileSync(new URL('../../docs/quotes.md', import.meta.url), 'utf8').replace(
      /\s+/g,
      ' ',
    );
    const group = (figure: string | undefined) =>
      Math.round(Number(figure)).toLocaleString('en-US', { useGrouping: true });
    const [small, big] = await Promise.all([
      quote({ usage: usage(720_000) }),
      quote({ usage: usage(28_000_000) }),
    ]);
    const [fits, lacks] = [small.boughtThroughput?.[0], big.boughtThroughput?.[0]];
    expect(document).toContain(
      `720,000 more prompt tokens a month add ${group(fits?.addedToBusiestHour)} to such an hour: ${small.totals.cost.amount} USD.`,
    );
    expect(document).toContain(
      `28,000,000 add ${group(lacks?.addedToBusiestHour)}, which do not fit: ${lacks?.addedUnitCount} more units for ${lacks?.addedHourlyCost} USD an hour, ${Number(big.totals.cost.amount).toLocaleString('en-US')}.00 USD a month.`,
    );
  });

  it('is computed again to the letter when more was bought since, and today is told apart', async () => {
    const body = await quote({ usage: usage(28_000_000) });
    const again = async () =>
      (await (await post(`/v1/quotes/${body.quoteId}/recompute`, {})).json()) as {
        reproduced: { identical: boolean };
        changed: { throughput: boolean };
        now: QuoteBody;
      };
    expect(await again()).toMatchObject({ reproduced: { identical: true }, changed: { throughput: false } });
    const more = await post('/v1/provisioned', {
      deployment: 'gpt-4o-ptu',
      from: '2026-11-21T00:00:00Z',
      unitCount: 100,
      unitIncrement: 50,
      hourlyUsdPerUnit: '1.00',
      tokensPerMinutePerUnit: 2_500,
      completionWeight: '4',
    });
    expect(more.status).toBe(201);
    const later = await again();
    expect(later).toMatchObject({ reproduced: { identical: true }, changed: { throughput: true } });
    expect(later.now.totals.cost.amount).toBe('0.00');
    expect(later.now.boughtThroughput).toMatchObject([{ weightedTokensPerHourAtMost: '15000000' }]);
  });

  it('is computed again to the letter where only what is there already runs on it', async () => {
    const body = await quote({
      usage: [{ ...usage(1_000_000)[0], deployment: 'gpt-4o-global' }],
      mode: 'merge',
      customerId: 'northwind',
    });
    expect(body).not.toHaveProperty('boughtThroughput');
    expect(body.usageBasis.existing?.tokenCount).toBe('2700000');
    expect([body.before.cost.amount, body.after.cost.amount]).toEqual(['0.00', '2.50']);
    const again = await (await post(`/v1/quotes/${body.quoteId}/recompute`, {})).json();
    expect(again).toMatchObject({ reproduced: { identical: true } });
  });

  it('leaves the field out where nothing runs on such, and refuses an empty name', async () => {
    const body = await quote({ usage: [{ ...usage(1_000_000)[0], deployment: 'gpt-4o-global' }] });
    expect(body).not.toHaveProperty('boughtThroughput');
    expect(body.totals.cost.amount).toBe('2.50');
    const refused = await post('/v1/quotes', { usage: [{ ...usage(1)[0], deployment: ' ' }] });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ errors: [{ field: 'usage.0.deployment' }] });
  });
});
