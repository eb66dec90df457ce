import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SystemName } from '../../sandbox/fault-switches.ts';
import { NETWORK_FAULTS, type NetworkFault } from '../../sandbox/network-faults.ts';
import { createOpenMeter } from '../../src/openmeter/client.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { createStripe } from '../../src/stripe/client.ts';
import { openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

/** Shorter than any answer that drips or hangs, longer than any that does not. */
/** How long a client waits for an answer that does not come, or not to its end. */
const SHORT_MS = 400;
/** Longer than a loaded machine needs for one that does. */
const LONG_MS = 60_000;
const DRIP_MS = 200;

let pipeline: Pipeline;
beforeEach(async () => {
  pipeline = await openPipeline();
  pipeline.traffic.inject(makeCall({}));
  pipeline.advance(2);
});
afterEach(() => pipeline.close());

const url = (system: SystemName) => pipeline.urls[system];

/** One call of each of our clients, with a single attempt of so long. */
const CALLS: Record<SystemName, (timeoutMs: number) => Promise<unknown>> = {
  azure: (timeoutMs) =>
    pipeline.deps.source.queryRows(
      {
        window: { start: new Date(START_MS), end: new Date(START_MS + HOUR_MS) },
        by: 'ingestion',
        rowLimit: 1_000,
      } as never,
      AbortSignal.timeout(timeoutMs),
    ),
  openMeter: (timeoutMs) =>
    createOpenMeter({ OPENMETER_URL: url('openMeter') }, { timeoutMs, attemptCount: 1 }).ensureMeters(),
  stripe: (timeoutMs) =>
    createStripe(
      { STRIPE_API_KEY: pipeline.stripe.apiKey, STRIPE_API_BASE: url('stripe') },
      { timeoutMs, retryPolicy: { attemptCount: 1 } },
    ).readCatalog({ invoicesSince: new Date(0) }),
};

describe.each(Object.keys(CALLS) as SystemName[])('our client of %s', (system) => {
  it.each(NETWORK_FAULTS)('ends within its time, and says what it is: %s', async (fault: NetworkFault) => {
    await pipeline.faults.set({ [system]: { network: { percent: { [fault]: 100 }, dripMs: DRIP_MS } } });
    const error = await CALLS[system](/hang|drip/.test(fault) ? SHORT_MS : LONG_MS).then(
      () => 'an answer',
      (reason: unknown) => reason,
    );
    if (system === 'azure' && error instanceof DOMException) {
      // Queries may take minutes: only the caller's own signal is so short.
      expect(error.name).toBe('TimeoutError');
      return;
    }
    expect(error).toBeInstanceOf(UpstreamError);
    expect((error as UpstreamError).code).toBe(
      fault.startsWith('throttle') ? 'UPSTREAM_THROTTLED' : 'UPSTREAM_UNAVAILABLE',
    );
    expect((error as UpstreamError).retry).toBe(true);
  });

  it('ends at once where nobody listens', async () => {
    await pipeline.faults.set({ [system]: { network: { down: true } } });
    await expect(CALLS[system](LONG_MS)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  });
});

describe('the whole pipeline', () => {
  it.each(NETWORK_FAULTS.filter((fault) => !/hang|drip/.test(fault)))(
    'charges once through a storm of %s',
    async (fault) => {
      const network = { percent: { [fault]: 25 }, retryAfterSeconds: 0 };
      await pipeline.faults.set({ azure: { network }, openMeter: { network }, stripe: { network } });
      for (let round = 0; round < 6; round += 1) {
        pipeline.advance(1);
        for (const step of [
          'sync-catalog',
          'collect-usage',
          'ingest-events',
          'aggregate-usage',
          'push-usage',
        ] as const)
          await pipeline.run(step).catch(() => {});
      }
      await pipeline.faults.clear();
      for (let round = 0; round < 3; round += 1) await pipeline.tick(1);
      const hours = await pipeline.deps.database.selectFrom('meter_pushes').select('sent_value').execute();
      expect(hours.reduce((sum, push) => sum + push.sent_value, 0n)).toBe(120n);
      expect(pipeline.stripe.tokenTotal()).toBe(120n);
      expect(pipeline.openMeter.tokenTotal()).toBe(120n);
    },
  );
});
