import { createApiKey } from '../../src/identity/api-keys.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { createApp } from '../../src/service/app.ts';
import { openPipeline } from '../setup/pipeline.ts';
import { makeCall, makeRow } from '../setup/rows.ts';

type UsageAnswer = { rows: Record<string, string | null>[] };

/**
 * Plays one hour of usage through the pipeline of this tree and says where it is seen: one call of 100 prompt tokens, 10 of
 * them cached, and 20 of completion.
 * @param metrics further metrics of the call, and @param dimensions further dimensions
 */
export async function playHour(metrics: Record<string, number>, dimensions: Record<string, string>) {
  const pipeline = await openPipeline();
  try {
    const { database, metering, clock } = pipeline.deps;
    await migrateLedger(pipeline.ledger.databaseUrl);
    const call = makeCall({ cachedPrompt: 10, dimensions });
    const { eventMs, ingestedMs, properties } = call[0] ?? makeRow();
    pipeline.traffic.inject([
      ...call,
      ...Object.entries(metrics).map(([metricName, sum]) =>
        makeRow({ metricName, sum, max: sum, eventMs, ingestedMs, properties }),
      ),
    ]);
    await pipeline.tick(2);
    await pipeline.tick(1);

    const { plainKey } = await createApiKey(database, {
      name: 'probe',
      scopes: ['admin'],
      actor: 'probe',
      now: clock.now(),
    });
    const api = createApp({ database, clock, version: '0.0.0-test', billing: pipeline.deps.billing });
    const ask = async <Answer>(path: string): Promise<Answer> => {
      const answer = await api.request(path, { headers: { authorization: `Bearer ${plainKey}` } });
      if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
      return (await answer.json()) as Answer;
    };
    const usageBy = async (names: string) =>
      (await ask<UsageAnswer>(`/v1/usage?period=2026-10&groupBy=${names}`)).rows;
    const read = async (table: 'usage_events' | 'hourly_usage' | 'settlements' | 'drifts' | 'source_items') =>
      (await database.selectFrom(table).selectAll().execute()) as Record<string, unknown>[];
    return {
      meters: (await metering.describe()).meterSlugs,
      events: (await read('usage_events')).map((event) => JSON.parse(String(event.body)).data),
      eventRows: await read('usage_events'),
      hourlyUsage: await read('hourly_usage'),
      settlements: (await read('settlements')).map(({ status }) => status),
      drifts: await read('drifts'),
      waiting: (await read('source_items')).map((item) => item.quarantine_reason).filter(Boolean),
      usageByType: await usageBy('tokenType'),
      usageByDimension: await Promise.all(Object.keys(dimensions).map(async (name) => await usageBy(name))),
      agreeing: (await ask<{ rows: Record<string, string>[] }>('/v1/drift?period=2026-10&show=all')).rows,
    };
  } finally {
    await pipeline.close();
  }
}
