import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPlan, readPlans, readPlanVersion } from '../../src/plans/plans.ts';
import { recordGlobalMarkups, recordPlans } from '../../src/plans/recording.ts';
import type { PlanDetailBody, PlanListBody } from '../../src/plans/schemas.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;

beforeAll(async () => {
  bench = await createApiBench();
});
afterAll(() => bench.close());

const fileOf = (planId: string, date: string, perMillion: string, currency = 'usd') =>
  `plan: ${planId}
name: Made up
currency: ${currency}
versions:
  - effectiveFrom: ${date}
    rates:
      - { model: gpt-4o, tokenType: prompt, perMillion: ${perMillion} }`;
type Problem = { code: string; detail: string; errors?: { field: string; message: string; fix?: string }[] };

async function post(body: string, type = 'application/yaml') {
  const response = await bench.call('/v1/plans', {
    method: 'POST',
    scope: 'finance',
    headers: { 'content-type': type },
    body,
  });
  return { status: response.status, body: (await response.json()) as Problem & Record<string, unknown> };
}
async function get<Body>(path: string): Promise<Body> {
  const response = await bench.call(path, { scope: 'sales' });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as Body;
}

describe('plans', () => {
  it('that are shipped are there, and say what they charge', async () => {
    const { plans } = await get<PlanListBody>('/v1/plans');
    expect(plans.map((plan) => plan.planId)).toEqual(
      expect.arrayContaining(['cost-plus', 'scale', 'standard']),
    );
    const scale = await get<PlanDetailBody>('/v1/plans/scale');
    expect(scale).toMatchObject({ currency: 'usd', globalMarkupPercent: '25' });
    expect(scale.version.minimum).toBe('500.00');
    expect(scale.rates.find((rate) => rate.rateId === 'scale/gpt-4o/prompt/*')?.price).toMatchObject({
      kind: 'tiered',
      mode: 'graduated',
      tiers: [
        { upTo: '5000000', perMillion: '0.00', flatAmount: null },
        { upTo: '100000000', unitAmountDecimal: '0.000295', perMillion: '2.95' },
        { upTo: '1000000000' },
        { upTo: null },
      ],
    });
    const costPlus = await get<PlanDetailBody>('/v1/plans/cost-plus');
    expect(costPlus.rates.find((rate) => rate.rateId === 'cost-plus/gpt-4o/prompt/*')?.price).toMatchObject({
      unitAmountDecimal: '0.0002875',
    });
  });

  it('take a new plan and a version to come, as YAML and as JSON, amounts as written', async () => {
    expect((await post(fileOf('gold', '2026-01-01', '3.00000001'))).status).toBe(201);
    const json = `{"plan":"gold","name":"Gold","currency":"usd","versions":[{"effectiveFrom":"2027-01-01",
      "rates":[{"model":"gpt-4o","tokenType":"prompt","perMillion":12345678.87654321}]}]}`;
    const answer = await post(json, 'application/json');
    expect(answer).toMatchObject({ status: 201, body: { recorded: [{ planId: 'gold' }], unchanged: [] } });
    expect((await post(json, 'application/json')).status).toBe(200);
    const now = await get<PlanDetailBody>('/v1/plans/gold');
    expect(now.name).toBe('Gold');
    expect(now.rates[0]?.price).toMatchObject({ unitAmountDecimal: '0.000300000001' });
    expect(now.version.until).toBe('2027-01-01T00:00:00.000Z');
    const later = await get<PlanDetailBody>('/v1/plans/gold?at=2027-01-01');
    expect(later.rates[0]?.price).toMatchObject({ unitAmountDecimal: '1234.567887654321' });
    const audit = await bench.ledger.database
      .selectFrom('audit_log')
      .select(['actor', 'action'])
      .where('target', '=', 'gold')
      .execute();
    expect(audit).toHaveLength(2);
    expect(audit[0]).toMatchObject({ action: 'plan.record', actor: expect.stringContaining('finance key') });
  });

  it('never change what is in force, nor what was', async () => {
    await post(fileOf('steady', '2026-01-01', '3'));
    for (const date of ['2026-01-01', '2025-06-01', '2026-11-21']) {
      const answer = await post(fileOf('steady', date, '4'));
      expect(answer.status).toBe(409);
      expect(answer.body.detail).toMatch(/in force.*future/);
    }
    expect((await post(fileOf('steady', '2027-01-01', '4', 'eur'))).body.detail).toMatch(/usd.*eur/);
    const { versions } = await readPlan(bench.ledger.database, 'steady');
    expect(versions).toHaveLength(1);
  });

  it('let a version that is still to come be replaced, and keep what it was', async () => {
    const { database } = bench.ledger;
    await post(fileOf('draft', '2027-01-01', '3'));
    const [first] = (await readPlan(database, 'draft')).versions;
    await post(fileOf('draft', '2027-01-01', '5'));
    const [second] = (await readPlan(database, 'draft')).versions;
    expect(second?.versionId).not.toBe(first?.versionId);
    const kept = await readPlanVersion(database, 'draft', first?.versionId ?? '');
    expect(kept.version.rates).toMatchObject([{ price: { amount: '3' } }]);
    await expect(readPlanVersion(database, 'draft', 'none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await post(fileOf('draft', '2027-01-01', '3'));
    expect((await readPlan(database, 'draft')).versions[0]?.versionId).toBe(first?.versionId);
  });

  it.each<[string, string, number, string, RegExp]>([
    [
      'an unknown model',
      fileOf('x', '2026-01-01', '1').replace('gpt-4o', 'gpt-4q'),
      422,
      'UNKNOWN_MODEL',
      /Near names: gpt-4/,
    ],
    ['an unknown currency', fileOf('x', '2026-01-01', '1', 'usf'), 422, 'UNKNOWN_CURRENCY', /usd/],
    ['no plan at all', 'hello', 400, 'VALIDATION', /file/],
    ['broken JSON', '{"plan":', 400, 'VALIDATION', /syntax/],
    [
      'a markup in another currency',
      fileOf('x', '2026-01-01', '1', 'eur').replace('perMillion: 1', 'markupPercent: 1'),
      400,
      'VALIDATION',
      /in usd, and the plan is in eur/,
    ],
  ])('refuse %s', async (_, file, status, code, expected) => {
    const answer = await post(file);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.body.detail).toMatch(expected);
    expect(answer.body.errors?.length).toBeGreaterThan(0);
  });

  it('refuse everything wrong at once', async () => {
    const { body } = await post(fileOf('x', '2026-01-01', '-1').replace('gpt-4o', 'gpt-4q'));
    expect(body.errors?.map((error) => error.field)).toEqual([
      'versions[0].rates[0].model',
      'versions[0].rates[0].perMillion',
    ]);
  });

  it('are asked for by name and instant', async () => {
    const missing = await bench.call('/v1/plans/standart', { scope: 'sales' });
    expect(missing.status).toBe(404);
    expect(((await missing.json()) as Problem).detail).toMatch(/standard/);
    const early = await bench.call('/v1/plans/standard?at=2023-12-31', { scope: 'sales' });
    expect(early.status).toBe(400);
    expect(((await early.json()) as Problem).errors?.[0]?.field).toBe('at');
  });

  it('are written by finance alone', async () => {
    const body = fileOf('x', '2026-01-01', '1');
    expect((await bench.call('/v1/plans', { method: 'POST', scope: 'sales', body })).status).toBe(403);
    expect((await bench.call('/v1/plans', { scope: null })).status).toBe(401);
  });
});

describe('plan files', () => {
  it('are stored once, and change nothing when they are read again', async () => {
    const before = await readPlans(bench.ledger.database);
    expect(await seedPlans(bench.ledger.database, bench.clock.now())).toEqual([]);
    expect(await readPlans(bench.ledger.database)).toEqual(before);
  });

  it('do not undo what was recorded after them', async () => {
    const { database } = bench.ledger;
    const by = { actor: 'test', now: bench.clock.now() };
    const file = (perMillion: string) => ({
      plan: 'filed',
      name: 'Filed',
      currency: 'usd',
      versions: [
        {
          effectiveFrom: '2027-05-01',
          rates: [{ model: 'gpt-4o', tokenType: 'prompt' as const, perMillion }],
        },
      ],
    });
    await recordPlans(database, [file('1')], { ...by, isReplay: true });
    await recordPlans(database, [file('2')], by);
    const again = await recordPlans(database, [file('1')], { ...by, isReplay: true });
    expect(again).toMatchObject({ recorded: [], unchanged: [{ planId: 'filed' }] });
    expect((await readPlan(database, 'filed')).versions[0]?.rates).toMatchObject([
      { price: { amount: '2' } },
    ]);
  });

  it('cannot change the markup of the house that is in force', async () => {
    const { database } = bench.ledger;
    const by = { actor: 'test', now: bench.clock.now() };
    const past = [{ effectiveFrom: '2024-01-01T00:00:00.000Z', markupPercent: '90' }];
    expect((await recordGlobalMarkups(database, past, by)).refused).toEqual(past);
    const future = [{ effectiveFrom: '2027-01-01T00:00:00.000Z', markupPercent: '30' }];
    expect((await recordGlobalMarkups(database, future, by)).recorded).toEqual(future);
  });
});
