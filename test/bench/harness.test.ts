import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Bench, judge } from './bench.ts';
import { Cleanup } from './support/cleanup.ts';
import { describeSpread, median } from './support/statistics.ts';
import { renderVolumeAnswer, VOLUME_ROWS_PER_MINUTE } from './support/volume-rows.ts';

const MAIN = new URL('./main.ts', import.meta.url).pathname;

function runMain(...options: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...options], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

function makeBench(better: Bench['better'], target: number): Bench {
  return { name: 'made-up', title: '', target, better, run: () => Promise.reject(new Error('not run')) };
}

describe('the bench program', () => {
  it('lists the names when it is asked for one that does not exist', () => {
    const { status, stdout, stderr } = runMain('--json', '--only', 'colect');
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('There is no bench "colect". There are: collect, ');
  });

  it('refuses options it does not know, and explains those it knows', () => {
    expect(runMain('--fast')).toMatchObject({ status: 2, stdout: '' });
    const help = runMain('--help');
    expect(help.status).toBe(0);
    for (const option of ['--json', '--only', '--quick']) expect(help.stdout).toContain(option);
  });
});

describe('a verdict', () => {
  it('follows the direction in which better lies, and includes the target itself', () => {
    const met = (better: Bench['better'], ratio: number) =>
      judge(makeBench(better, 1), { ratio, detail: '' }, false).met;
    expect([0.99, 1, 1.01].map((ratio) => met('lower', ratio))).toEqual([true, true, false]);
    expect([0.99, 1, 1.01].map((ratio) => met('higher', ratio))).toEqual([false, true, true]);
  });

  it('is not given in a quick run, which says so', () => {
    const result = judge(makeBench('lower', 1), { ratio: 0.5, detail: 'ten rows' }, true);
    expect(result).toEqual({
      name: 'made-up',
      ratio: 0.5,
      target: 1,
      better: 'lower',
      met: null,
      detail: 'quick run, smaller sizes, no verdict; ten rows',
    });
  });
});

describe('what the benches are built of', () => {
  it('takes the median of odd and even numbers of values, and of none refuses to', () => {
    expect([median([3]), median([9, 1, 2]), median([4, 1, 3, 2])]).toEqual([3, 2, 2.5]);
    expect(() => median([])).toThrow(RangeError);
    expect(describeSpread([3, 1, 2], String)).toBe('2 (1-3)');
  });

  it('undoes everything once, last first, also past an error', async () => {
    const cleanup = new Cleanup();
    const done: string[] = [];
    cleanup.defer(() => void done.push('first'));
    cleanup.defer(() => {
      throw new Error('stuck');
    });
    const early = cleanup.defer(() => void done.push('early'));
    cleanup.defer(() => void done.push('last'));
    await early();
    await expect(cleanup.run()).rejects.toThrow('stuck');
    await early();
    await cleanup.run();
    expect(done).toEqual(['early', 'last', 'first']);
    cleanup.defer(async () => {
      await sleep(20);
      done.push('late');
    });
    await cleanup.run();
    expect(done).toEqual(['early', 'last', 'first', 'late']);
  });

  it('renders volume rows that differ in their ids, inside the window, and cut at the limit', () => {
    const startMs = Date.UTC(2026, 9, 1, 0, 30);
    const read = (endMs: number, limit: number) => {
      const answer = JSON.parse(renderVolumeAnswer(startMs, endMs, limit).toString());
      return answer.tables[0].rows as [string, string][];
    };
    const rows = read(startMs + 3 * 60_000, 1_000_000);
    expect(rows).toHaveLength(3 * VOLUME_ROWS_PER_MINUTE);
    expect(new Set(rows.map(([id]) => id)).size).toBe(rows.length);
    expect([...new Set(rows.map(([, time]) => time))]).toEqual([
      '2026-10-01T00:30:00.0000000Z',
      '2026-10-01T00:31:00.0000000Z',
      '2026-10-01T00:32:00.0000000Z',
    ]);
    expect(read(startMs + 3 * 60_000, 7)).toEqual(rows.slice(0, 7));
    expect(read(startMs, 7)).toEqual([]);
  });
});
