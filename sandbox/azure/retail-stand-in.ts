/**
 * Stand-in for the Azure Retail Prices API (`prices.azure.com`).
 *
 * It models: GET /api/retail/prices with `$filter` (see retail-filter.ts), `$skip`, `currencyCode` and `api-version`;
 * pages of 100 with `NextPageLink` written with the port, as the service does; meters with irregular names, in
 * several regions, by the thousand, the million and the hour; prices below 0.0001 written with an exponent;
 * reservations, tiers and free meters; prices that change, are announced, or go, in virtual time; and, when switched
 * on, the faults of retail-faults.ts.
 *
 * It does not model: exchange rates (another currency answers the USD price under its name), savings plans,
 * `meterRegion`, and the real list's ids, which cannot be known here: its own begin with 5a17b0c5-0000.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import type { StandIn, StandInContext } from '../stand-in.ts';
import { type RetailFault, RetailFaultPlan, type RetailFaultSettings } from './retail-faults.ts';
import { compileRetailFilter } from './retail-filter.ts';
import { type RetailChange, RetailState } from './retail-state.ts';
import { renderRetailPage, retailRows } from './retail-wire.ts';

const PAGE_SIZE = 100;
const PATH = '/api/retail/prices';

export interface RetailStandIn extends StandIn {
  setFaults(faults: RetailFaultSettings): void;
  /** Changes a price in virtual time. */
  schedule(change: RetailChange): void;
  /** How many pages it was asked for, faulty answers included. */
  pageCount(): number;
}

export function createRetailStandIn(context: StandInContext, options: { startMs: number }): RetailStandIn {
  const state = new RetailState(options.startMs, context.stateDirectory);
  const faults = new RetailFaultPlan();
  let pageCount = 0;
  const app = new Hono();

  app.get(PATH, async (exchange) => {
    if (context.latencyMs > 0) await sleep(context.latencyMs);
    pageCount += 1;
    const fault = faults.draw();
    if (fault === 'hang') {
      await untilAborted(exchange.req.raw.signal);
      return exchange.body(null, 500);
    }
    if (fault === 'throttled') return exchange.body(null, 429);
    if (fault === 'throttled_with_retry_after') return exchange.body(null, 429, { 'Retry-After': '1' });
    if (fault === 'failed') return exchange.body(null, 500);
    const url = new URL(exchange.req.url);
    const currency = /^'?([A-Z]{3})'?$/.exec(url.searchParams.get('currencyCode') ?? 'USD')?.[1];
    const filterText = url.searchParams.get('$filter');
    const filter = filterText === null ? () => true : compileRetailFilter(filterText);
    const skip = Number(url.searchParams.get('$skip') ?? '0');
    if (currency === undefined || filter === null || !Number.isSafeInteger(skip) || skip < 0) {
      return exchange.json(
        { Error: { Code: 'BadRequest', Message: 'Invalid OData parameters supplied' } },
        400,
      );
    }
    const rows = retailRows(state.shownAt(context.clock.nowMs()), currency).filter((row) =>
      filter(row.fields),
    );
    const page = rows.slice(skip, skip + PAGE_SIZE);
    const hasMore = rows.length > skip + PAGE_SIZE;
    const text = renderRetailPage({
      rows: fault === 'half_page' ? page.slice(0, page.length >> 1) : page,
      count: page.length,
      currency,
      nextLink: hasMore || fault === 'foreign_link' ? nextLink(url, skip, fault) : null,
    });
    const body = fault === 'cut_body' ? text.slice(0, text.length >> 1) : text;
    return exchange.body(body, 200, { 'Content-Type': 'application/json; charset=utf-8' });
  });

  return {
    app,
    tokenTotal: () => 0n,
    advance: () => {},
    close: () => state.close(),
    setFaults: (settings) => faults.set(settings),
    schedule: (change) => state.schedule(change, context.clock.nowMs()),
    pageCount: () => pageCount,
  };
}

function nextLink(url: URL, skip: number, fault: RetailFault | null): string | null {
  if (fault === 'no_next_link') return null;
  const next = new URL(url);
  next.searchParams.set('$skip', String(skip + PAGE_SIZE * (fault === 'skipping_link' ? 2 : 1)));
  if (fault === 'foreign_link') next.hostname = 'prices.example.com';
  return next.href;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
