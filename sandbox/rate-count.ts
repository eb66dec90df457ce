import type { Hono } from 'hono';

/** Reads and writes of a system that rations both, as they came in, by seconds of real time. */
export class RateCount {
  readCount = 0;
  writeCount = 0;
  /** Answers 429. */
  throttledCount = 0;
  /** Most that came in within one second. */
  busiestSecondReadCount = 0;
  busiestSecondWriteCount = 0;
  /** How often each kind of call came: `POST /v1/invoices/:id/finalize`. */
  byRoute: Record<string, number> = {};
  #second = 0;
  #readsOfSecond = 0;
  #writesOfSecond = 0;

  note(method: string, pathname: string): void {
    const second = Math.floor(performance.now() / 1_000);
    if (second !== this.#second) [this.#second, this.#readsOfSecond, this.#writesOfSecond] = [second, 0, 0];
    if (method === 'GET') {
      this.readCount += 1;
      this.#readsOfSecond += 1;
    } else {
      this.writeCount += 1;
      this.#writesOfSecond += 1;
    }
    this.busiestSecondReadCount = Math.max(this.busiestSecondReadCount, this.#readsOfSecond);
    this.busiestSecondWriteCount = Math.max(this.busiestSecondWriteCount, this.#writesOfSecond);
    const route = `${method} ${pathname.replaceAll(/\/(in|ii|cus|sub|si|price|prod|mtr|evt|cn)_[^/]+/g, '/:id')}`;
    this.byRoute[route] = (this.byRoute[route] ?? 0) + 1;
  }
}

/** Counts all calls but those to one path. */
export function countingRates(fetch: Hono['fetch'], count: RateCount, exceptPath: string): Hono['fetch'] {
  return async (request, ...rest) => {
    const { pathname } = new URL(request.url);
    if (pathname === exceptPath) return await fetch(request, ...rest);
    count.note(request.method, pathname);
    const response = await fetch(request, ...rest);
    if (response.status === 429) count.throttledCount += 1;
    return response;
  };
}
