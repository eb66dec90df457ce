import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { groupIntoRuns } from '../../jobs/aggregate/aggregate-usage.ts';
import { renderUsageEvent } from '../../jobs/collect/build-events.ts';
import { STEP_NAMES } from '../../jobs/queue/steps.ts';
import { byProperty, type UsageFigures } from '../../pricing/usage/shape.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { insertUsageEvents } from '../../src/usage/events/usage-events.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall, makeRow } from '../setup/rows.ts';
import { foreignEvent } from './foreign-event.ts';

let pipeline: Pipeline;

const hourAt = (hours: number) => new Date(START_MS + hours * HOUR_MS);

async function openDrifts() {
  return await pipeline.deps.database
    .selectFrom('drifts')
    .select(['window_start', 'meter_slug', 'subject', 'ledger_value', 'metered_value'])
    .where('resolved_at', 'is', null)
    .orderBy('window_start')
    .orderBy('meter_slug')
    .execute();
}

async function hourStatus(hours: number) {
  return await pipeline.deps.database
    .selectFrom('settlements')
    .select(['status', 'attempt_count'])
    .where('window_start', '=', hourAt(hours))
    .executeTakeFirst();
}

/** The last revision of each token type of the first hour. */
async function settledUsage(subject?: string) {
  const rows = await pipeline.deps.database
    .selectFrom('hourly_usage')
    .distinctOn('token_type')
    .select(['token_type', 'token_count'])
    .where('window_start', '=', hourAt(0))
    .where((where) => (subject === undefined ? where.lit(true) : where('subject', '=', subject)))
    .orderBy('token_type')
    .orderBy('revision', 'desc')
    .execute();
  return rows;
}

/** An event of the first hour, as the collector would make none. @returns its id */
async function addEvent(figures: Partial<UsageFigures>): Promise<string> {
  const event = {
    usageEventId: `ue_${randomUUID()}`,
    windowStart: hourAt(0),
    eventTime: new Date(START_MS + 60_000),
    subject: 'user-00001',
    feature: 'chat',
    model: 'gpt-4o',
    deployment: 'gpt-4o-global',
    ...byProperty(() => 0n),
    requestCount: 1n,
    ...figures,
  };
  await pipeline.deps.database
    .transaction()
    .execute((transaction) =>
      insertUsageEvents(
        transaction,
        [{ ...event, body: renderUsageEvent(event) }],
        pipeline.deps.clock.now(),
      ),
    );
  return event.usageEventId;
}

describe('settling an hour', () => {
  afterEach(() => pipeline.close());

  it('waits until OpenMeter shows what it was sent, and bills nothing before', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    pipeline.openMeter.setFaults({ staleReadMs: 100 * HOUR_MS });
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(await hourStatus(0)).toMatchObject({ status: 'open', attempt_count: 1 });
    expect(
      (await openDrifts()).map((drift) => [drift.meter_slug, drift.ledger_value, drift.metered_value]),
    ).toEqual([
      ['tallystick_completion_tokens', 20n, 0n],
      ['tallystick_prompt_tokens', 100n, 0n],
      ['tallystick_requests', 1n, 0n],
      ['tallystick_total_tokens', 120n, 0n],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, due: 120n, drift: 0n });
    pipeline.openMeter.setFaults({ staleReadMs: 0 });
    // It is asked again after a while, not at every tick.
    await pipeline.tick(0.1);
    expect(await hourStatus(0)).toMatchObject({ status: 'open', attempt_count: 1 });
    await pipeline.tick(1);
    expect(await hourStatus(0)).toMatchObject({ status: 'settled' });
    expect(await openDrifts()).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, due: 0n, drift: 0n });
  });

  it('never happens for usage that OpenMeter acknowledged and lost, unless repaired: it stays due, and shows', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([...makeCall({}), ...makeCall({ dimensions: { userId: 'user-00002' } })]);
    pipeline.openMeter.setFaults({ dropEvery: 2 });
    for (let round = 0; round < 6; round += 1) {
      pipeline.advance(2);
      await pipeline.run(...STEP_NAMES.filter((name) => name !== 'repair-usage'));
    }
    expect(await hourStatus(0)).toMatchObject({ status: 'open' });
    const drifts = await openDrifts();
    expect(new Set(drifts.map((drift) => drift.subject)).size).toBe(1);
    expect(drifts.find((drift) => drift.meter_slug === 'tallystick_total_tokens')).toMatchObject({
      ledger_value: 120n,
      metered_value: 0n,
    });
    // The other user's usage agreed, and did not wait for this one's.
    expect(await balance(pipeline)).toMatchObject({ metered: 120n, billed: 120n, due: 120n, drift: 0n });
  });

  it('is left open when events came between reading and committing', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    await pipeline.tick(2);
    pipeline.traffic.inject(makeCall({ minute: 40, prompt: 7, completion: 0, ingestedAtHour: 2 }));
    pipeline.advance(1);
    const { metering } = pipeline.deps;
    let collecting: Promise<unknown> | undefined;
    pipeline.deps.metering = {
      ...metering,
      async queryHourly(slug, window, signal) {
        const answer = await metering.queryHourly(slug, window, signal);
        collecting ??= pipeline.run('collect-usage');
        await collecting;
        return answer;
      },
    };
    expect((await pipeline.run('aggregate-usage'))['aggregate-usage']).toMatchObject({
      settledCount: 0,
      revisionCount: 0,
    });
    expect(await hourStatus(0)).toMatchObject({ status: 'open' });
    pipeline.deps.metering = metering;
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ billed: 127n, due: 0n, drift: 0n });
  });

  it('has audio as token types of its own', async () => {
    pipeline = await openPipeline();
    const call = makeCall({ prompt: 600, completion: 900, dimensions: { model: 'gpt-4o-audio-preview' } });
    const { eventMs, ingestedMs, properties } = call[0] ?? makeRow();
    pipeline.traffic.inject([
      ...call,
      makeRow({ metricName: 'Prompt Audio Tokens', sum: 500, max: 500, eventMs, ingestedMs, properties }),
      makeRow({ metricName: 'Completion Audio Tokens', sum: 800, max: 800, eventMs, ingestedMs, properties }),
    ]);
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(await settledUsage()).toEqual([
      { token_type: 'completion', token_count: 100n },
      { token_type: 'completion_audio', token_count: 800n },
      { token_type: 'prompt', token_count: 100n },
      { token_type: 'prompt_audio', token_count: 500n },
    ]);
  });

  it('of figures that contradict each other waits whole, alone, until they agree', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({ dimensions: { userId: 'user-00002' } }));
    await pipeline.run('sync-catalog');
    await addEvent({ promptTokenCount: 100n, cachedPromptTokenCount: 250n, totalTokenCount: 100n });
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(await hourStatus(0)).toMatchObject({ status: 'open' });
    const classes = () =>
      pipeline.deps.database
        .selectFrom('drifts')
        .select(['meter_slug', 'subject', 'ledger_value', 'class'])
        .where('resolved_at', 'is', null)
        .execute();
    const waiting = {
      meter_slug: 'tallystick_prompt_tokens',
      subject: 'user-00001',
      ledger_value: 100n,
      class: 'counts_disagree',
    };
    expect(await classes()).toEqual([waiting]);
    // The event has no row of the source: only what is sent and what is due are compared.
    expect(await readTokenTotals(pipeline.deps.database)).toMatchObject({
      deliveredTokenCount: 120n,
      dueTokenCount: 100n,
    });
    // The repair has no part in it: OpenMeter holds what was sent.
    await pipeline.tick(6);
    expect(await classes()).toEqual([waiting]);
    await addEvent({ promptTokenCount: 200n, totalTokenCount: 200n });
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await classes()).toEqual([]);
    expect(await settledUsage('user-00001')).toEqual([
      { token_type: 'prompt', token_count: 50n },
      { token_type: 'prompt_cached', token_count: 250n },
    ]);
    expect(await hourStatus(0)).toMatchObject({ status: 'settled' });
  });

  it('keeps what was billed of usage that was counted formerly, and counts exactly what comes late', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    const id = await addEvent({
      promptTokenCount: 100n,
      cachedPromptTokenCount: 250n,
      totalTokenCount: 100n,
    });
    await pipeline.deps.database
      .updateTable('usage_events')
      .set({ counted_formerly: true })
      .where('usage_event_id', '=', id)
      .execute();
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(await settledUsage()).toEqual([{ token_type: 'prompt_cached', token_count: 100n }]);
    await addEvent({ promptTokenCount: 60n, cachedPromptTokenCount: 10n, totalTokenCount: 60n });
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await settledUsage()).toEqual([
      { token_type: 'prompt', token_count: 50n },
      { token_type: 'prompt_cached', token_count: 110n },
    ]);
  });

  it('takes a token type back to nothing where it had something', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    await addEvent({ promptTokenCount: 100n, totalTokenCount: 100n });
    await pipeline.tick(2);
    await pipeline.tick(1);
    await addEvent({ audioPromptTokenCount: 100n });
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await settledUsage()).toEqual([
      { token_type: 'prompt', token_count: 0n },
      { token_type: 'prompt_audio', token_count: 100n },
    ]);
  });

  it('shows usage in OpenMeter that the ledger never sent, and bills what agrees', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    await pipeline.deps.metering.ingestEvents([foreignEvent({ tokens: '55', hour: 0 })]);
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(await openDrifts()).toContainEqual({
      window_start: hourAt(0),
      meter_slug: 'tallystick_prompt_tokens',
      subject: 'stranger',
      ledger_value: 0n,
      metered_value: 55n,
    });
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, due: 0n });
  });

  it('asks for keys of a figure only where there is something of it, and misses nothing that others put there', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    pipeline.traffic.inject(makeCall({ hour: 20 }));
    const { metering } = pipeline.deps;
    const asked = new Set<string>();
    pipeline.deps.metering = {
      ...metering,
      queryHourly: async (slug, window, signal) => {
        asked.add(slug);
        return await metering.queryHourly(slug, window, signal);
      },
    };
    await pipeline.tick(2);
    await pipeline.tick(1);
    expect(asked).toContain('tallystick_prompt_tokens');
    expect(asked).not.toContain('tallystick_audio_prompt_tokens');
    await metering.ingestEvents([foreignEvent({ tokens: '55', hour: 20, field: 'audio_prompt_tokens' })]);
    await pipeline.tick(20);
    await pipeline.tick(1);
    expect(asked).toContain('tallystick_audio_prompt_tokens');
    expect(await openDrifts()).toContainEqual({
      window_start: hourAt(20),
      meter_slug: 'tallystick_audio_prompt_tokens',
      subject: 'stranger',
      ledger_value: 0n,
      metered_value: 55n,
    });
  });

  it('that OpenMeter can give no exact count for holds up no other hour', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([0, 1, 2, 3].flatMap((hour) => makeCall({ hour })));
    await pipeline.deps.metering.ingestEvents([foreignEvent({ tokens: '9007199254740993000', hour: 1 })]);
    pipeline.advance(5);
    await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events');
    pipeline.advance(1);
    await expect(pipeline.run('aggregate-usage')).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
    await pipeline.run('push-usage');
    expect(await balance(pipeline)).toMatchObject({ billed: 360n, due: 120n, drift: 0n });
    expect(await hourStatus(1)).toMatchObject({ status: 'open' });
  });
});

describe('hours that are due', () => {
  const due = (hours: number, keyCount = 1) => ({ windowStart: hourAt(hours), eventVersion: 1n, keyCount });
  const windows = (runs: ReturnType<typeof groupIntoRuns>) =>
    runs.map(({ window, hours }) => [
      (window.start.getTime() - START_MS) / HOUR_MS,
      (window.end.getTime() - START_MS) / HOUR_MS,
      hours.length,
    ]);

  it('share a question with their neighbours, within bounds of gap, width and rows', () => {
    expect(windows(groupIntoRuns([due(0), due(1), due(4), due(9)], 100))).toEqual([
      [0, 5, 3],
      [9, 10, 1],
    ]);
    const day = Array.from({ length: 30 }, (_, hour) => due(hour));
    expect(windows(groupIntoRuns(day, 100))).toEqual([
      [0, 24, 24],
      [24, 30, 6],
    ]);
    expect(windows(groupIntoRuns([due(0, 60), due(1, 60), due(2, 300)], 100))).toEqual([
      [0, 1, 1],
      [1, 2, 1],
      [2, 3, 1],
    ]);
  });
});
