import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await openPipeline();
  pipeline.traffic.inject([
    ...makeCall({ cachedPrompt: 40 }),
    ...makeCall({ minute: 9, prompt: 7, completion: 0 }),
  ]);
  pipeline.advance(2);
  await pipeline.run('sync-catalog', 'collect-usage');
});
afterEach(() => pipeline.close());

const events = () =>
  pipeline.deps.database.selectFrom('usage_events').selectAll().orderBy('event_time').execute();

/** Changes the first event's row in place, as no code of ours would. */
async function damage(changes: {
  body?: (body: string) => string;
  prompt_token_count?: bigint;
  subject?: string;
}) {
  const [event] = await events();
  if (event === undefined) throw new Error('no event');
  await pipeline.deps.database
    .updateTable('usage_events')
    .set({
      body: changes.body?.(event.body) ?? event.body,
      prompt_token_count: changes.prompt_token_count ?? event.prompt_token_count,
      subject: changes.subject ?? event.subject,
    })
    .where('usage_event_id', '=', event.usage_event_id)
    .execute();
  return event;
}

async function bringThrough() {
  for (let round = 0; round < 2; round += 1) await pipeline.tick(1);
}

describe('a damaged event of the outbox', () => {
  it.each([
    ['cut short', { body: (body: string) => body.slice(0, -9) }],
    ['empty', { body: () => '' }],
    ['of another id', { body: (body: string) => body.replace('"ue_', '"ue_0') }],
    ['of another subject', { body: (body: string) => body.replace('user-00001', 'user-00002') }],
    ['of another time', { body: (body: string) => body.replace('T00:01:00Z', 'T00:02:00Z') }],
    [
      'of other counts',
      { body: (body: string) => body.replace('"prompt_tokens":"100"', '"prompt_tokens":"900"') },
    ],
    [
      'of another specversion',
      { body: (body: string) => body.replace('"specversion":"1.0"', '"specversion":"1.1"') },
    ],
    ['with an attribute too many', { body: (body: string) => body.replace('{', '{"tenant_id":"a",') }],
    ['whose row was changed', { prompt_token_count: 900n, subject: 'user-00002' }],
    ['that is JSON and nothing else', { body: () => 'null' }],
  ])('%s is made anew from its source items before it is sent', async (_, changes) => {
    const before = await damage(changes);
    expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
      sentCount: 2,
      repairedCount: 1,
    });
    expect((await events())[0]).toMatchObject({ body: before.body, subject: before.subject, status: 'sent' });
    await bringThrough();
    expect(await balance(pipeline)).toMatchObject({
      metered: 127n,
      billed: 127n,
      due: 0n,
      quarantined: 0n,
      drift: 0n,
    });
  });

  it('that was made before ids told the day is made anew under its own id', async () => {
    const [event] = await events();
    if (event === undefined) throw new Error('no event');
    const { database } = pipeline.deps;
    const items = await database
      .selectFrom('source_items')
      .select(['source_item_id', 'metric_name'])
      .where('usage_event_id', '=', event.usage_event_id)
      .execute();
    const facts = items.map((item) => `${item.source_item_id} ${item.metric_name}`).sort();
    const id = `ue_${createHash('sha256').update(facts.join('\n')).digest('hex').slice(0, 40)}`;
    const body = event.body.replace(event.usage_event_id, id);
    const place = (table: 'source_items' | 'usage_events') =>
      database.updateTable(table).where('usage_event_id', '=', event.usage_event_id);
    await place('source_items').set({ usage_event_id: id }).execute();
    await place('usage_events').set({ usage_event_id: id, body: '{}' }).execute();
    expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
      sentCount: 2,
      repairedCount: 1,
    });
    expect((await events())[0]).toMatchObject({ usage_event_id: id, body, status: 'sent' });
  });

  it('that was stored before a figure was known is intact, and is sent with that figure as nothing', async () => {
    const stored = (body: string) => body.replace(/,"audio_prompt_tokens":"0"/, '');
    const before = await damage({ body: stored });
    expect(stored(before.body)).not.toBe(before.body);
    const sent: string[] = [];
    const { metering } = pipeline.deps;
    pipeline.deps.metering = {
      ...metering,
      ingestEvents: async (bodies, signal) => {
        sent.push(...bodies);
        await metering.ingestEvents(bodies, signal);
      },
    };
    expect((await pipeline.run('ingest-events'))['ingest-events']).toMatchObject({
      sentCount: 2,
      repairedCount: 0,
    });
    const body = sent.find((text) => text.includes(before.usage_event_id)) ?? '';
    expect(JSON.parse(body)).toEqual(JSON.parse(before.body));
    expect((await events())[0]?.body).toBe(stored(before.body));
    await bringThrough();
    expect(await balance(pipeline)).toMatchObject({ metered: 127n, billed: 127n, due: 0n, drift: 0n });
  });

  it('whose source items are gone is never sent, and holds up no other', async () => {
    const { usage_event_id: id } = await damage({ body: () => '{}' });
    const { database } = pipeline.deps;
    await database
      .deleteFrom('source_items')
      .where('usage_event_id', '=', id)
      .where('token_kind', '=', 'total')
      .execute();
    await bringThrough();
    expect((await events()).find((event) => event.usage_event_id === id)).toMatchObject({
      status: 'quarantined',
      quarantine_reason: 'corrupt',
      sent_at: null,
    });
    expect(await balance(pipeline)).toMatchObject({ metered: 7n, billed: 7n, due: 0n, drift: 0n });
    expect((await balance(pipeline)).byReason).toEqual({ corrupt: 120n });
  });
});
