import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { EXPERIMENTATION, experimentationSteps } from '../../pricing/budgets/templates.ts';
import { GatewayStandIn } from '../../sandbox/gateway/gateway.ts';
import { readGatewaySecrets } from '../../src/enforcement/signature.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { createApp } from '../../src/service/app.ts';
import { openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

/** A row is at the source so long after its call; a look of each step follows the collection's lag; then the gateway's cache. */
const SOURCE_DELAY_MINUTES = 2;
const STEP_MINUTES = 1;
const ENFORCEMENT_SECONDS = 30;
const TENANT = 'lab-tenant';
const PROMPT_TOKENS = 200_000;

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await openPipeline();
  await seedPriceBook(pipeline.ledger.database, new Date(START_MS));
});
afterAll(() => pipeline.close());

it('experiments of the house reach their cap, and are stopped at the gateway within the time that is promised', async () => {
  const { deps, traffic, clock } = pipeline;
  const { database } = pipeline.ledger;
  const api = createApp({ database, clock: deps.clock, billing: deps.billing, version: 'test' });
  const keyOf = async (scope: 'admin' | 'gateway') =>
    (await createApiKey(database, { name: scope, scopes: [scope], actor: 'test', now: deps.clock.now() }))
      .plainKey;
  const admin = await keyOf('admin');
  const send = async (method: string, path: string, body: object) => {
    const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
    const response = await api.request(path, { method, headers, body: JSON.stringify(body) });
    expect(response.ok, await response.clone().text()).toBe(true);
    return (await response.json()) as { id: string };
  };
  await send('PUT', `/v1/customers/${EXPERIMENTATION.customerId}`, {
    name: EXPERIMENTATION.name,
    tenantKey: TENANT,
    stripeCustomerId: null,
  });
  await send('POST', '/v1/budgets', {
    name: EXPERIMENTATION.name,
    scope: 'customer',
    customerId: EXPERIMENTATION.customerId,
    period: 'month',
    measure: 'cost',
    currency: 'usd',
    limit: '5',
    steps: experimentationSteps('the platform team'),
  });
  await pipeline.run('sync-catalog');

  const [secret = ''] = await readGatewaySecrets({ database, clock: deps.clock });
  const settings = {
    tallystickUrl: '',
    apiKey: await keyOf('gateway'),
    secret,
    enforcementSeconds: ENFORCEMENT_SECONDS,
    fail: 'open' as const,
    deploymentModels: 'gpt-4o-global=gpt-4o',
  };
  const gateway = new GatewayStandIn(settings, clock, async (url, init) => await api.request(url, init));
  const call = {
    tenantKey: TENANT,
    subject: 'lab-user',
    feature: 'chat',
    deployment: 'gpt-4o-global',
    promptTokens: PROMPT_TOKENS,
    completionTokens: 0,
  };
  const actionOfCaller = async () => {
    const path = `/v1/enforcement/caller?tenantKey=${TENANT}&subject=${call.subject}`;
    const response = await api.request(path, { headers: { authorization: `Bearer ${settings.apiKey}` } });
    return ((await response.json()) as { action: string }).action;
  };
  const minuteOf = { capped: 0, reached: 0, stopped: 0 };
  let letThroughCount = 0;
  for (let minute = 1; minuteOf.stopped === 0 && minute < 60; minute += 1) {
    pipeline.advance(1 / 60);
    const answer = await gateway.call(call);
    if (answer.status !== 200) {
      minuteOf.stopped = minute;
      expect(answer).toMatchObject({
        status: 403,
        body: { error: { budget: { name: EXPERIMENTATION.name }, contact: 'the platform team' } },
      });
      break;
    }
    letThroughCount += 1;
    // 0.50 USD a call: the tenth is the cap.
    if (letThroughCount === 10) minuteOf.capped = minute;
    const at = clock.nowMs() - START_MS;
    const rows = makeCall({
      minute: Math.floor(at / 60_000),
      prompt: PROMPT_TOKENS,
      completion: 0,
      dimensions: { userId: call.subject, tenantId: TENANT },
    });
    traffic.inject(rows);
    const { 'judge-budgets': judged } = await pipeline.run('collect-usage', 'judge-budgets');
    if (minuteOf.reached === 0 && letThroughCount >= 10 && 'reachedCount' in judged) {
      const open = await api.request('/v1/enforcement/steps', {
        headers: { authorization: `Bearer ${admin}` },
      });
      if (((await open.json()) as { steps: unknown[] }).steps.length > 0) {
        minuteOf.reached = minute;
        // Told within a second of real time, of which the minutes here know nothing.
        await vi.waitFor(async () => expect(await actionOfCaller()).toBe('stop'), { timeout: 60_000 });
      }
    }
  }

  const lagMinutes = deps.settings.collectLagMs / 60_000;
  const stages = {
    sourceMinutes: SOURCE_DELAY_MINUTES,
    lagMinutes,
    toStepMinutes: minuteOf.reached - minuteOf.capped,
    toGatewayMinutes: minuteOf.stopped - minuteOf.reached,
  };
  console.info(`from the call that reached the cap: ${JSON.stringify(stages)}`);
  expect(stages.toStepMinutes).toBeGreaterThanOrEqual(SOURCE_DELAY_MINUTES + lagMinutes - 1);
  expect(stages.toStepMinutes).toBeLessThanOrEqual(SOURCE_DELAY_MINUTES + lagMinutes + 2 * STEP_MINUTES);
  expect(stages.toGatewayMinutes).toBe(1);
  // What was used meanwhile is the overshoot: a call a minute, and no more once it is stopped.
  expect(letThroughCount).toBe(minuteOf.stopped - 1);
  for (let count = 0; count < 3; count += 1) expect((await gateway.call(call)).status).toBe(403);
  // Another customer's calls go on.
  expect((await gateway.call({ ...call, tenantKey: 'northwind', subject: 'user-00001' })).status).toBe(200);
});
