import { assertEqual } from '../bench.ts';
import { median } from './statistics.ts';

export const MOST_TIMES = 3;
const MOST_BYTES = 300_000;

/** Pages as they are asked for. */
export interface AskedPage {
  name: string;
  path: string;
}

interface PageRounds {
  pages: readonly AskedPage[];
  /** Answers a page's path. */
  ask: (path: string) => Response | Promise<Response>;
  /** What they are held to. @returns milliseconds */
  bare: () => Promise<number>;
  roundCount: number;
  note: (text: string) => void;
}

/**
 * Every page from its request to its last byte, over the bare query that is asked beside each.
 * @returns the slowest over the bare query, and all of them in words
 * @throws Error for a page that is not answered; beyond 300 kB at the median, unless `isQuick`
 */
export async function measurePages({ pages, ask, bare, roundCount, note }: PageRounds, isQuick: boolean) {
  const open = async (path: string) => {
    const startedMs = performance.now();
    const response = await ask(path);
    const text = await response.text();
    const tookMs = performance.now() - startedMs;
    assertEqual(`status of ${path}`, response.status, 200);
    return { tookMs, byteCount: Buffer.byteLength(text) };
  };
  // Once for nothing: kept sums are made, and caches are warm for both sides.
  await bare();
  for (const { path } of pages) await open(path);
  const bareMs: number[] = [];
  const seen = pages.map(({ name, path }) => ({ name, path, timesMs: [] as number[], byteCount: 0 }));
  for (let round = 0; round < roundCount; round += 1) {
    for (const page of seen) {
      // In turn, so that a slow minute of the machine is shared.
      bareMs.push(await bare());
      const { tookMs, byteCount } = await open(page.path);
      page.timesMs.push(tookMs);
      page.byteCount = byteCount;
    }
    note(`round ${round + 1}: bare ${median(bareMs).toFixed(1)} ms`);
  }
  const bareMedianMs = median(bareMs);
  const judged = seen
    .map(({ name, timesMs, byteCount }) => ({ name, times: median(timesMs) / bareMedianMs, byteCount }))
    .sort((one, other) => other.times - one.times);
  const bytes = median(judged.map(({ byteCount }) => byteCount));
  if (!isQuick && bytes > MOST_BYTES) throw new Error(`a page has ${bytes} bytes at the median`);
  const beyond = judged.filter(({ times }) => times > MOST_TIMES).map(({ name }) => name);
  return {
    ratio: judged[0]?.times ?? 0,
    words:
      `bare query ${bareMedianMs.toFixed(1)} ms; ` +
      `${judged.map(({ name, times, byteCount }) => `${name} ${times.toFixed(2)} (${(byteCount / 1_000).toFixed(0)} kB)`).join(', ')}; ` +
      `median ${(bytes / 1_000).toFixed(0)} kB; beyond ${MOST_TIMES}: ${beyond.length === 0 ? 'none' : beyond.join(', ')}`,
  };
}
