import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SYSTEMS, type SystemName } from '../../sandbox/fault-switches.ts';
import type { NetworkFault } from '../../sandbox/network-faults.ts';
import { type FaultyWorld, openFaultyWorld } from './world.ts';

let world: FaultyWorld;
beforeAll(async () => {
  world = await openFaultyWorld();
  await world.advance(30);
});
afterEach(() => world.clear());
afterAll(() => world.close());

const next = (system: SystemName, fault: NetworkFault, more: object = {}) =>
  world.set({ [system]: { network: { next: [fault], ...more } } });

/** Tokens of the two systems that take writes, once everything is stored. */
async function tokensOf(system: 'openMeter' | 'stripe'): Promise<number> {
  await world.advance(0.1);
  const totals = await world.totals();
  return Number(system === 'openMeter' ? totals.meteredTokens : totals.billedTokens);
}

const codeOf = async (call: Promise<unknown>) => {
  const error = await call.then(
    () => null,
    (reason: Error & { cause?: { code?: string } }) => reason,
  );
  return error?.cause?.code ?? error?.name ?? 'no error';
};

const CUT = /^(ECONNRESET|UND_ERR_SOCKET)$/;

describe.each(SYSTEMS)('in front of %s', (system) => {
  it('connections can be refused, and are taken again at the same address', async () => {
    await world.set({ [system]: { network: { down: true } } });
    expect(await codeOf(world.read(system))).toBe('ECONNREFUSED');
    expect(await codeOf(world.read(system))).toBe('ECONNREFUSED');
    await world.set({ [system]: { network: { down: false } } });
    expect((await world.read(system)).status).toBe(200);
  });

  it('a connection is cut', async () => {
    await next(system, 'reset-before');
    expect(await codeOf(world.read(system))).toMatch(CUT);
    expect((await world.read(system)).status).toBe(200);
  });

  it.each(['hang-before', 'hang-after'] as const)('no answer comes: %s', async (fault) => {
    await next(system, fault);
    expect(await codeOf(world.read(system, { signal: AbortSignal.timeout(150) }))).toBe('TimeoutError');
  });

  it('429 comes with what Retry-After was set to, and without', async () => {
    await next(system, 'throttle', { retryAfterSeconds: 7 });
    const told = await world.read(system);
    expect([told.status, told.headers.get('retry-after')]).toEqual([429, '7']);
    await next(system, 'throttle-bare');
    const bare = await world.read(system);
    expect([bare.status, bare.headers.get('retry-after')]).toEqual([429, null]);
  });

  it('half of a body arrives', async () => {
    const whole = await (await world.read(system)).text();
    await next(system, 'truncate');
    const cut = await world.read(system);
    expect(Number(cut.headers.get('content-length'))).toBe(Buffer.byteLength(whole));
    expect(await codeOf(cut.text())).toMatch(/UND_ERR_SOCKET|ECONNRESET|TypeError/);
  });

  it('a body comes byte by byte, and whole', async () => {
    const whole = await (await world.read(system)).text();
    const countChunks = async () => {
      await next(system, 'drip', { dripMs: 0 });
      const dripping = await world.read(system);
      let chunkCount = 0;
      let text = '';
      for await (const chunk of dripping.body ?? []) {
        chunkCount += 1;
        text += Buffer.from(chunk).toString();
      }
      expect(text).toBe(whole);
      return chunkCount;
    };
    // A reader that is late finds all of a short body at once.
    await expect.poll(countChunks).toBeGreaterThan(1);
  });
});

describe.each(['openMeter', 'stripe'] as const)('a write to %s', (system) => {
  it.each<[NetworkFault, boolean, string | number]>([
    ['reset-before', false, 'cut'],
    ['reset-after', true, 'cut'],
    ['fail-before', false, 500],
    ['fail-after', true, 500],
    ['throttle', false, 429],
    ['throttle-bare', false, 429],
  ])('%s: took effect: %s', async (fault, tookEffect, seen) => {
    const before = await tokensOf(system);
    await next(system, fault, { appliesTo: 'writes' });
    const answer = await world.write(system).catch(() => null);
    expect(answer?.status ?? 'cut').toBe(seen);
    expect((await tokensOf(system)) - before).toBe(tookEffect ? 7 : 0);
  });

  it('hangs after it took effect', async () => {
    const before = await tokensOf(system);
    await next(system, 'hang-after', { appliesTo: 'writes' });
    const call = world.write(system).catch(() => null);
    await expect.poll(async () => (await tokensOf(system)) - before).toBe(7);
    // The server's end frees the caller.
    await world.set({ [system]: { network: { down: true } } });
    expect(await call).toBeNull();
  });
});

describe('chances', () => {
  const outcomes = async (seed: number) => {
    const other = await openFaultyWorld({
      scenario: { seed, dayCount: 0, customerCount: 1, userCount: 1, startMs: 0 },
    });
    await other.set({ stripe: { network: { percent: { 'fail-before': 30, throttle: 20 } } } });
    const statuses: number[] = [];
    for (let call = 0; call < 40; call += 1) statuses.push((await other.read('stripe')).status);
    await other.close();
    return statuses.join(' ');
  };

  it('are drawn from the seed', async () => {
    const first = await outcomes(1);
    expect(first).toBe(await outcomes(1));
    expect(first).not.toBe(await outcomes(2));
    for (const status of ['200', '429', '500']) expect(first).toContain(status);
  });
});

describe('the switchboard', () => {
  it('refuses what it does not know, by name, and changes nothing', async () => {
    for (const settings of [
      { stripe: { network: { next: ['explode'] } } },
      { stripe: { netwrok: {} } },
      { azure: { duplicatePercent: 101 } },
      { azure: { lateRows: { percent: 1, maxMinutes: 3_001 } } },
    ]) {
      const response = await world.set(settings as never);
      expect(response.status).toBe(400);
      expect(((await response.json()) as { error: string }).error).toMatch(
        /explode|netwrok|101|100|3000|Invalid/,
      );
    }
    expect((await world.read('stripe')).status).toBe(200);
  });
});
