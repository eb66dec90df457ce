import { describe, expect, test } from 'vitest';
import { createRateLimiter } from '../../src/stripe/rate-limiter.ts';

/** Time that passes only while somebody sleeps; sleepers wake in order of their instant. */
function createTime() {
  let nowMs = 0;
  const sleepers: { atMs: number; wake: () => void }[] = [];
  return {
    nowMs: () => nowMs,
    sleep: (milliseconds: number) =>
      new Promise<void>((wake) => {
        sleepers.push({ atMs: nowMs + milliseconds, wake });
      }),
    async run(until: number) {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        sleepers.sort((one, other) => one.atMs - other.atMs);
        const next = sleepers[0];
        if (next === undefined || next.atMs > until) break;
        sleepers.shift();
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
      }
      nowMs = until;
    },
  };
}

describe('a rate limiter', () => {
  test('never gives more turns than rate times time plus burst, in any window', async () => {
    const time = createTime();
    const limiter = createRateLimiter({ callsPerSecond: 100, burst: 5, ...time });
    const turns: number[] = [];
    for (let call = 0; call < 300; call += 1) {
      limiter.take().then(() => turns.push(time.nowMs()));
    }
    await time.run(10_000);
    expect(turns).toHaveLength(300);
    for (let from = 0; from < turns.length; from += 1) {
      for (let to = from; to < turns.length; to += 1) {
        const span = (turns[to] ?? 0) - (turns[from] ?? 0);
        expect(to - from + 1).toBeLessThanOrEqual(span / 10 + 5 + 1e-6);
      }
    }
    // 300 calls, 5 at once and the others 10 ms apart.
    expect(turns.at(-1)).toBeCloseTo(2_950, 5);
  });

  test('keeps its rate when wake-ups are late', async () => {
    const time = createTime();
    const late = (milliseconds: number) => time.sleep(milliseconds + 7);
    const limiter = createRateLimiter({ callsPerSecond: 100, burst: 5, nowMs: time.nowMs, sleep: late });
    let last = 0;
    const caller = async () => {
      for (let call = 0; call < 50; call += 1) {
        await limiter.take();
        last = time.nowMs();
      }
    };
    const callers = Promise.all([caller(), caller(), caller(), caller()]);
    await time.run(60_000);
    await callers;
    expect(last).toBeLessThan(2_000 + 50);
  });

  test('gives no turn during a pause, not even to those already waiting', async () => {
    const time = createTime();
    const limiter = createRateLimiter({ callsPerSecond: 10, burst: 1, ...time });
    const turns: number[] = [];
    for (let call = 0; call < 4; call += 1) limiter.take().then(() => turns.push(time.nowMs()));
    await time.run(50);
    limiter.pauseFor(1_000);
    limiter.take().then(() => turns.push(time.nowMs()));
    await time.run(5_000);
    expect(turns).toHaveLength(5);
    expect(turns[0]).toBe(0);
    for (const turn of turns.slice(1)) expect(turn).toBeGreaterThanOrEqual(1_050);
  });

  test('comes down to what an account lets through, and back up when it lets through more', async () => {
    const time = createTime();
    const limiter = createRateLimiter({ callsPerSecond: 800, ...time });
    let allowedPerSecond = 25;
    const second = { at: -1, count: 0 };
    const answers: { atMs: number; refused: boolean }[] = [];
    /** As many a second as the account has, by its own clock. */
    const call = async () => {
      await limiter.take();
      const at = Math.floor(time.nowMs() / 1_000);
      if (at !== second.at) Object.assign(second, { at, count: 0 });
      second.count += 1;
      const refused = second.count > allowedPerSecond;
      answers.push({ atMs: time.nowMs(), refused });
      if (refused) limiter.slowDown();
    };
    let isOver = false;
    const caller = async () => {
      while (!isOver) await call();
    };
    const callers = Array.from({ length: 8 }, caller);
    await time.run(120_000);
    const within = (from: number, to: number) => answers.filter(({ atMs }) => atMs >= from && atMs < to);
    const learnt = within(20_000, 120_000);
    const refusedShare = learnt.filter(({ refused }) => refused).length / learnt.length;
    expect(refusedShare).toBeLessThan(0.03);
    expect(learnt.length / 100).toBeGreaterThan(15);
    allowedPerSecond = 1_000;
    await time.run(300_000);
    expect(within(299_000, 300_000).length).toBeGreaterThan(750);
    isOver = true;
    await time.run(301_000);
    await Promise.all(callers);
  });

  test('without a rate gives every turn at once', async () => {
    const limiter = createRateLimiter({
      callsPerSecond: Number.POSITIVE_INFINITY,
      sleep: () => Promise.reject(new Error('waited')),
    });
    for (let call = 0; call < 10_000; call += 1) await limiter.take();
  });

  test('stops waiting when its caller gives up', async () => {
    const limiter = createRateLimiter({ callsPerSecond: 0.1, burst: 1 });
    await limiter.take();
    const waiting = limiter.take(AbortSignal.timeout(20));
    await expect(waiting).rejects.toThrow();
  });

  test.each([0, -1, Number.NaN])('refuses %s calls per second', (callsPerSecond) => {
    expect(() => createRateLimiter({ callsPerSecond })).toThrow(RangeError);
  });
});
