import { serve } from '@hono/node-server';
import type { Browser } from 'playwright-core';
import { expect } from 'vitest';
import { createApiKey } from '../../src/identity/api-keys.ts';
import type { PortalReader } from '../../src/identity/portal-access.ts';
import { beginPortalSession } from '../../src/identity/portal-sessions.ts';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';
import type { AppDependencies } from '../../src/service/app.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { checkPage } from '../console/walk.ts';
import { launchChromium, type OpenedPage, openPage } from '../setup/chromium.ts';

export interface PortalBench extends ApiBench {
  /** Begins a visit; answers what its addresses begin with. */
  visit(reader: Partial<PortalReader>): Promise<string>;
  /** Asks for a page as text. */
  read(address: string, language?: string): Promise<{ status: number; text: string; headers: Headers }>;
}

/** The portal over a real ledger of its own. */
export async function createPortalBench(more: Partial<AppDependencies> = {}): Promise<PortalBench> {
  const bench = await createApiBench(more);
  const made = { name: 'host', scopes: ['sales'] as const, actor: 'test', now: bench.clock.now() };
  const { apiKeyId } = (await createApiKey(bench.ledger.database, { ...made, scopes: ['sales'] })).key;
  return {
    ...bench,
    visit: async ({ customerId = 'northwind', userId = null }) => {
      const reader = { customerId, userId };
      const { token } = await beginPortalSession(bench.ledger.database, reader, { apiKeyId }, 3_600);
      return `/portal/s/${token}`;
    },
    read: async (address, language = 'en') => {
      const response = await bench.api.request(address, { headers: { 'accept-language': language } });
      return { status: response.status, text: await response.text(), headers: response.headers };
    },
  };
}

export interface SeenPortal extends PortalBench {
  origin: string;
  open(
    address: string,
    options?: {
      width?: number;
      colorScheme?: 'light' | 'dark';
      locale?: string;
      javaScriptEnabled?: boolean;
      timezoneId?: string;
    },
  ): Promise<OpenedPage & { foreign: string[]; close: () => Promise<void> }>;
  /** Opens a page at both sizes, in both themes and without scripts, and holds it to what every page must be. */
  walk(address: string, options?: { status?: number; locale?: string }): Promise<void>;
}

/** The same, served on a loopback port and seen by a real browser. */
export async function openPortal(more: Partial<AppDependencies> = {}): Promise<SeenPortal> {
  const bench = await createPortalBench(more);
  const port = await findFreePort();
  const origin = `http://127.0.0.1:${port}`;
  const server = serve({ fetch: bench.api.fetch, port, hostname: '127.0.0.1' });
  const browser: Browser = await launchChromium();
  const open: SeenPortal['open'] = async (address, options = {}) => {
    const { width = 1_280, ...context } = options;
    const viewport = { width, height: width > 600 ? 900 : 740 };
    const opened = await openPage(browser, `${origin}${address}`, { viewport, locale: 'en-GB', ...context });
    return {
      ...opened,
      foreign: opened.asked.filter((url) => !url.startsWith(origin)),
      close: () => opened.page.context().close(),
    };
  };
  return {
    ...bench,
    origin,
    open,
    walk: async (address, { status = 200, locale = 'en-GB' } = {}) => {
      for (const width of [1_280, 360]) {
        for (const colorScheme of ['light', 'dark'] as const) {
          const where = `${address} at ${width} in the ${colorScheme}`;
          const opened = await open(address, { width, colorScheme, locale });
          expect(opened.status, where).toBe(status);
          await checkPage(opened.page, where, width);
          if (status < 400) expect(opened.complaints, where).toEqual([]);
          expect(opened.foreign, where).toEqual([]);
          await opened.close();
        }
      }
      const bare = await open(address, { javaScriptEnabled: false });
      expect(await bare.page.locator('main h1').count(), `${address} without scripts`).toBe(1);
      await bare.close();
    },
    close: async () => {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
      await bench.close();
    },
  };
}
