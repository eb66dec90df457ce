import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LaneVerdict, runKeyedLanes } from '../../src/stripe/keyed-lanes.ts';

interface Task {
  key: string;
  index: number;
}

function tasksOf(keys: string[]): Task[] {
  return keys.map((key, index) => ({ key, index }));
}

describe('keyed lanes', () => {
  test('run everything once, in order within a key, one per key and so many at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 60 }),
        fc.integer({ min: 1, max: 8 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
        async (keys, concurrency, delays) => {
          const tasks = tasksOf(keys);
          const inFlight = new Set<string>();
          const ran: Task[] = [];
          const result = await runKeyedLanes({
            tasks,
            keyOf: (task) => task.key,
            concurrency,
            run: async (task) => {
              expect(inFlight.has(task.key)).toBe(false);
              inFlight.add(task.key);
              expect(inFlight.size).toBeLessThanOrEqual(concurrency);
              ran.push(task);
              for (let turns = delays.next().value; turns > 0; turns -= 1) await Promise.resolve();
              inFlight.delete(task.key);
              return 'continue';
            },
          });
          expect(result).toEqual({ ranCount: tasks.length, skippedCount: 0 });
          for (const key of new Set(keys)) {
            expect(ran.filter((task) => task.key === key)).toEqual(tasks.filter((task) => task.key === key));
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('start the longest lane first and keep it busy', async () => {
    const keys = [...Array.from({ length: 20 }, (_, index) => `short-${index}`), ...Array(20).fill('long')];
    const order: string[] = [];
    await runKeyedLanes({
      tasks: tasksOf(keys),
      keyOf: (task) => task.key,
      concurrency: 2,
      run: async (task) => {
        order.push(task.key);
        await new Promise((resolve) => setImmediate(resolve));
        return 'continue';
      },
    });
    expect(order[0]).toBe('long');
    // With two at work, the long lane takes every second turn and ends with the short ones.
    expect(order.filter((key) => key === 'long')).toHaveLength(20);
    expect(order.slice(0, 20).filter((key) => key === 'long').length).toBeGreaterThanOrEqual(9);
  });

  test('a closed lane skips the rest of its key only', async () => {
    const ran: string[] = [];
    const result = await runKeyedLanes({
      tasks: tasksOf(['a', 'a', 'a', 'b', 'b']),
      keyOf: (task) => task.key,
      concurrency: 2,
      run: async (task): Promise<LaneVerdict> => {
        ran.push(`${task.key}${task.index}`);
        return task.key === 'a' && task.index === 1 ? 'close-lane' : 'continue';
      },
    });
    expect(ran.sort()).toEqual(['a0', 'a1', 'b3', 'b4']);
    expect(result).toEqual({ ranCount: 4, skippedCount: 1 });
  });

  test('stop starts nothing more, and waits for what is in flight', async () => {
    let finished = 0;
    const result = await runKeyedLanes({
      tasks: tasksOf(['a', 'b', 'c', 'd', 'e', 'f']),
      keyOf: (task) => task.key,
      concurrency: 3,
      run: async (task): Promise<LaneVerdict> => {
        if (task.key === 'a') return 'stop';
        await new Promise((resolve) => setTimeout(resolve, 10));
        finished += 1;
        return 'continue';
      },
    });
    expect(finished).toBe(result.ranCount - 1);
    expect(result.ranCount + result.skippedCount).toBe(6);
    expect(result.skippedCount).toBeGreaterThanOrEqual(3);
  });

  test('a failure is thrown after what is in flight has ended', async () => {
    let finished = false;
    const work = runKeyedLanes({
      tasks: tasksOf(['a', 'b', 'c']),
      keyOf: (task) => task.key,
      concurrency: 2,
      run: async (task): Promise<LaneVerdict> => {
        if (task.key === 'a') throw new Error('broken');
        await new Promise((resolve) => setTimeout(resolve, 10));
        finished = true;
        return 'continue';
      },
    });
    await expect(work).rejects.toThrow('broken');
    expect(finished).toBe(true);
  });

  test('an abort stops the starting and is thrown', async () => {
    const aborter = new AbortController();
    let ranCount = 0;
    const work = runKeyedLanes({
      tasks: tasksOf(Array(100).fill('a')),
      keyOf: (task) => task.key,
      concurrency: 2,
      signal: aborter.signal,
      run: async () => {
        ranCount += 1;
        if (ranCount === 3) aborter.abort(new Error('enough'));
        return 'continue';
      },
    });
    await expect(work).rejects.toThrow('enough');
    expect(ranCount).toBe(3);
  });

  test('nothing to do is done at once', async () => {
    const none = { tasks: [] as Task[], keyOf: (task: Task) => task.key, concurrency: 4 };
    expect(await runKeyedLanes({ ...none, run: async () => 'continue' })).toEqual({
      ranCount: 0,
      skippedCount: 0,
    });
    await expect(runKeyedLanes({ ...none, concurrency: 0, run: async () => 'continue' })).rejects.toThrow(
      RangeError,
    );
  });

  test.each([1, 400, 20_000])('20,000 tasks in %s lanes cost little of their own', async (laneCount) => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `key-${index % laneCount}`);
    // Its own, whatever else the machine does: a quadratic one takes minutes.
    const before = process.threadCpuUsage();
    const result = await runKeyedLanes({
      tasks: tasksOf(keys),
      keyOf: (task) => task.key,
      concurrency: 100,
      run: async () => 'continue',
    });
    expect(result.ranCount).toBe(20_000);
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });
});
