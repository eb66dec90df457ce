import { assertEqual } from '../bench.ts';
import { median } from './statistics.ts';

export const MOST_TIMES = 3;
const MOST_BYTES = 300_000;

/** Pages as they are asked for. */
export interface AskedPage {
  name: string;
  path: string;
  /** The bare query of the rollups that it shows, over the days that it shows. @returns milliseconds */
  bare: () => Promise<number>;
}

interface PageRounds {
  pages: readonly AskedPage[];
  /** Answers a page's path. */
  ask: (path: string) => Response | Promise<Response>;
  roundCount: number;
  note: (text: string) => void;
}

/**
 * Every page from its request to its last byte, over its own bare query that is asked beside it.
 * @returns the slowest over its bare query, and all of them in words
 * @throws Error for a page that is not answered; beyond 300 kB at the median, unless `isQuick`
 */
export async function measurePages({ pages, ask, roundCount, note }: PageRounds, isQuick: boolean) {
  const open = async (path: string) => {
    const startedMs = performance.now();
    const response = await ask(path);
    const text = await response.text();
    const tookMs = performance.now() - startedMs;
    assertEqual(`status of ${path}`, response.status, 200);
    return { tookMs, byteCount: Buffer.byteLength(text) };
  };
  // Once for nothing: kept sums are made, and caches are warm for both sides.
  for (const { path, bare } of pages) {
    await bare();
    await open(path);
  }
  const seen = pages.map((page) => ({
    ...page,
    bareMs: [] as number[],
    timesMs: [] as number[],
    byteCount: 0,
  }));
  for (let round = 0; round < roundCount; round += 1) {
    for (const page of seen) {
      // In turn, so that a slow minute of the machine is shared.
      page.bareMs.push(await page.bare());
      const { tookMs, byteCount } = await open(page.path);
      page.timesMs.push(tookMs);
      page.byteCount = byteCount;
    }
    note(`round ${round + 1} of ${roundCount}`);
  }
  const judged = seen
    .map(({ name, timesMs, bareMs, byteCount }) => ({
      name,
      times: median(timesMs) / median(bareMs),
      byteCount,
    }))
    .sort((one, other) => other.times - one.times);
  const bytes = median(judged.map(({ byteCount }) => byteCount));
  if (!isQuick && bytes > MOST_BYTES) throw new Error(`a page has ${bytes} bytes at the median`);
  const beyond = judged.filter(({ times }) => times > MOST_TIMES).map(({ name }) => name);
  return {
    ratio: judged[0]?.times ?? 0,
    words:
      `bare queries ${seen
        .map(({ bareMs }) => median(bareMs))
        .sort((one, other) => one - other)
        .map((ms) => ms.toFixed(0))
        .filter((_ms, index, all) => index === 0 || index === all.length - 1)
        .join(' to ')} ms; ` +
      `${judged.map(({ name, times, byteCount }) => `${name} ${times.toFixed(2)} (${(byteCount / 1_000).toFixed(0)} kB)`).join(', ')}; ` +
      `median ${(bytes / 1_000).toFixed(0)} kB; beyond ${MOST_TIMES}: ${beyond.length === 0 ? 'none' : beyond.join(', ')}`,
  };
}
