import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TELLABLE_PARTS } from '../../pricing/usage/untold.ts';
import type { QuoteBody } from '../../src/quotes/schemas.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, STEADY_USE } from './world.ts';

let bench: ApiBench;
beforeEach(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
});
afterEach(() => bench.close());

const post = (body: unknown, path = '/v1/quotes') =>
  bench.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

async function quote(body: unknown): Promise<QuoteBody> {
  const response = await post(body);
  expect(response.status, await response.clone().text()).toBe(201);
  return (await response.json()) as QuoteBody;
}

const AUDIO = { model: 'gpt-4o-audio-preview', promptTokenCount: 600, completionTokenCount: 900 };
const SAID = { ...AUDIO, audioPromptTokenCount: 500, audioCompletionTokenCount: '800' };
const NONE = { ...AUDIO, audioPromptTokenCount: 0, audioCompletionTokenCount: 0 };

describe('a quote for a model with a price for audio', () => {
  it('costs 0.08525 USD where it says what is audio, in JSON and as CSV', async () => {
    const { quoteId, totals, lines } = await quote({ usage: [SAID] });
    expect(totals.cost).toEqual({ amount: '0.08525', reason: null });
    expect(lines.map(({ tokenType, cost }) => [tokenType, cost.amount])).toEqual([
      ['prompt', '0.00025'],
      ['prompt_audio', '0.02'],
      ['completion', '0.001'],
      ['completion_audio', '0.064'],
    ]);
    const csv = await (await bench.call(`/v1/quotes/${quoteId}.csv`)).text();
    expect(csv).toContain('prompt_audio,500,usd,40.00,0.02');
  });

  it('has no cost where it does not, says why, and how to say it', async () => {
    const { quoteId, totals, lines, assumptions, averageCost } = await quote({ usage: [AUDIO] });
    expect(totals.cost).toEqual({ amount: null, reason: 'audio_not_told' });
    expect(totals.margin.amount).toBeNull();
    expect(totals.knownCost).toBe('0.00');
    expect(averageCost.perMillionTokens.reason).toBe('audio_not_told');
    expect(lines.map(({ cost }) => cost)).toEqual([totals.cost, totals.cost]);
    expect(assumptions).toContain(
      'How many tokens of gpt-4o-audio-preview are audio was not said: what they cost is unknown. Say audioPromptTokenCount, audioCompletionTokenCount: 0 where there are none.',
    );
    const again = await (await post({}, `/v1/quotes/${quoteId}/recompute`)).json();
    expect(again).toMatchObject({ reproduced: { identical: true }, changed: { usage: false } });
  });

  it('is computed again to the letter if it is of before there was audio', async () => {
    const { quoteId, totals } = await quote({ usage: [NONE] });
    expect(totals.cost.amount).toBe('0.0105');
    const { database } = bench.ledger;
    await sql`alter table quotes disable trigger quotes_append_only`.execute(database);
    for (const { tokenType } of TELLABLE_PARTS) {
      await sql`update quotes set snapshot = replace(snapshot, ${`"${tokenType}":{"$whole":"0"},`}, '')
                where quote_id = ${quoteId}`.execute(database);
      await sql`update quotes set snapshot = replace(snapshot, ${`,"${tokenType}":{"$whole":"0"}`}, '')
                where quote_id = ${quoteId}`.execute(database);
    }
    const { rows } = await sql<{ snapshot: string }>`select snapshot from quotes`.execute(database);
    expect(rows[0]?.snapshot).not.toContain('audio":');
    const again = await (await post({}, `/v1/quotes/${quoteId}/recompute`)).json();
    expect(again).toMatchObject({ reproduced: { identical: true }, changed: { usage: false } });
  });

  it.each([
    ['promptTokenCount', { ...SAID, audioPromptTokenCount: 601 }],
    ['completionTokenCount', { ...SAID, audioCompletionTokenCount: 901 }],
    ['promptTokenCount', { ...SAID, cachedAudioPromptTokenCount: 1 }],
    ['promptTokenCount', { ...SAID, imagePromptTokenCount: 60, cacheWrite5mTokenCount: 41 }],
    ['cachedShare', { ...SAID, cachedShare: '0.5' }],
    ['audioPromptTokenCount', { ...SAID, audioPromptTokenCount: -1 }],
  ])('refuses parts that are not within their whole: %s', async (field, usage) => {
    const response = await post({ usage: [usage] });
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as { errors: { field: string }[] };
    expect(errors.map((error) => error.field)).toContain(`usage.0.${field}`);
  });

  it('is refused for audio of a model that the book has no price of it for', async () => {
    const response = await post({ usage: [{ ...SAID, model: 'gpt-4o' }] });
    expect(response.status).toBe(422);
    expect(await response.text()).toContain('prompt_audio tokens of \\"gpt-4o\\"');
  });
});

describe('a quote like a customer', () => {
  const HOUR = '2026-11-20T09:00:00Z';

  async function measure(kinds: Record<string, [requests: bigint, tokens: bigint]>) {
    await bench.ledger.database
      .insertInto('measured_figures')
      .values(
        Object.entries(kinds).map(([token_kind, [measurement_count, token_count]]) => ({
          window_start: new Date(HOUR),
          model: 'gpt-4o-audio-preview',
          deployment: 'gpt-4o-global',
          token_kind,
          measurement_count,
          token_count,
        })),
      )
      .execute();
  }

  it('takes over what its source told of audio, and what it did not', async () => {
    const kind = { hour: HOUR, model: AUDIO.model, deployment: 'gpt-4o-global' };
    await insertUsage(bench.ledger.database, [
      { ...kind, tokens: 100n },
      { ...kind, tokens: 500n, tokenType: 'prompt_audio' },
      { ...kind, tokens: 900n, tokenType: 'completion' },
      ...STEADY_USE,
    ]);
    await measure({ prompt: [2n, 600n], audio_prompt: [2n, 500n], completion: [2n, 900n] });
    const { lines, totals, assumptions } = await quote({ likeCustomer: 'northwind' });
    expect(lines.map(({ tokenType, cost }) => [tokenType, cost.reason ?? cost.amount])).toEqual([
      ['prompt', '0.00001'],
      ['prompt', '0.00025'],
      ['prompt_audio', '0.02'],
      ['completion', 'audio_not_told'],
    ]);
    expect(totals.cost.reason).toBe('audio_not_told');
    expect(totals.knownCost).toBe('0.02026');
    expect(assumptions.join(' ')).toContain('are audio was not said: what they cost is unknown.');
    expect(assumptions.join(' ')).not.toContain('Say ');
  });
});

describe('GET /v1/coverage', () => {
  it('says which hours did not tell of parts that have a price, and of no others', async () => {
    const at = (hour: number) => new Date(Date.UTC(2026, 10, 20, hour));
    const measured = (hour: number, model: string, kinds: Record<string, bigint>) =>
      Object.entries(kinds).map(([token_kind, measurement_count]) => ({
        window_start: at(hour),
        model,
        deployment: 'speech',
        token_kind,
        measurement_count,
        token_count: 10n,
      }));
    const all = { prompt: 3n, completion: 3n };
    const told = { ...all, audio_prompt: 3n, audio_completion: 3n };
    await bench.ledger.database
      .insertInto('measured_figures')
      .values([
        ...measured(1, AUDIO.model, told),
        ...measured(2, AUDIO.model, { ...told, audio_completion: 2n }),
        ...measured(3, AUDIO.model, { ...told, audio_completion: 2n }),
        ...measured(5, AUDIO.model, all),
        ...measured(2, 'gpt-4o', all),
      ])
      .execute();
    const response = await bench.call('/v1/coverage?from=2026-11-20&to=2026-11-21', { scope: 'finance' });
    expect(response.status, await response.clone().text()).toBe(200);
    const part = (tokenType: string) => ({ tokenType, reason: 'audio_not_told' });
    const place = { model: AUDIO.model, deployment: 'speech' };
    expect(((await response.json()) as { untold: unknown }).untold).toEqual([
      { ...place, from: at(2).toISOString(), to: at(4).toISOString(), parts: [part('completion_audio')] },
      {
        ...place,
        from: at(5).toISOString(),
        to: at(6).toISOString(),
        parts: [part('prompt_audio'), part('completion_audio')],
      },
    ]);
  });
});

describe('a quote for a model whose requests differ in price', () => {
  it('takes size and tier of its requests, and says what an untold cost lies between', async () => {
    const prices = [
      { model: 'tiered-1', tokenType: 'prompt', amount: '2.50' },
      { model: 'tiered-1', tokenType: 'prompt', amount: '5.00', aboveInputTokenCount: 272_000 },
      { model: 'tiered-1', tokenType: 'prompt', amount: '5.00', serviceTier: 'priority' },
    ];
    const models = [{ model: 'tiered-1', aliases: [] }];
    const added = await bench.call('/v1/prices', {
      method: 'POST',
      scope: 'finance',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'Listed.', models, prices }),
    });
    expect(added.status).toBe(201);
    const long = { model: 'tiered-1', promptTokenCount: 500_000, completionTokenCount: 0 };
    const { totals: one } = await quote({ usage: [{ ...long, requestCount: 1 }] });
    expect(one.cost.amount).toBe('2.50');
    const fast = { serviceTier: 'priority', requestInputTokenCount: 1_000 };
    const { totals: priority, lines } = await quote({ usage: [long], adjustments: fast });
    expect(priority.cost.amount).toBe('2.50');
    expect(lines[0]).toMatchObject({ serviceTier: 'priority', requestInputTokenCount: '1000' });
    const { quoteId, totals, assumptions } = await quote({ usage: [long] });
    expect(totals.cost).toEqual({
      amount: null,
      reason: 'context_tier_not_told',
      atLeast: '1.25',
      atMost: '2.50',
    });
    expect(assumptions.join(' ')).toContain('Say requestInputTokenCount, or requestCount.');
    const again = await (await post({}, `/v1/quotes/${quoteId}/recompute`)).json();
    expect(again).toMatchObject({ reproduced: { identical: true }, changed: { usage: false } });
    const refused = await post({ usage: [{ ...long, serviceTier: 'priority', deploymentType: 'batch' }] });
    expect(await refused.json()).toMatchObject({ errors: [{ field: 'usage.0.serviceTier' }] });
  });
});
