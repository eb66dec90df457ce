import { serve } from '@hono/node-server';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { ApiScope } from '../../src/identity/api-keys.ts';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';
import type { AppDependencies } from '../../src/service/app.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { launchChromium, openPage } from '../setup/chromium.ts';
import { sessionCookie } from '../setup/session-cookie.ts';

const SIZES = [
  { width: 1_280, height: 900 },
  { width: 360, height: 740 },
];
const SCHEMES = ['light', 'dark'] as const;

export interface ConsoleBench extends ApiBench {
  origin: string;
  browser: Browser;
  /** A page in a window of its own, signed in with the key of a scope (`admin` unless named). */
  open(path: string, options?: OpenOptions): Promise<OpenedConsolePage>;
  /** Signs in anew for the next page, where a test has ended the sessions. */
  forgetSessions(): void;
  /** Opens a page at every size and in both themes, and holds it to what every page must be. */
  walk(path: string, options?: { scope?: ApiScope; status?: number }): Promise<void>;
}

interface OpenOptions {
  scope?: ApiScope | null;
  width?: number;
  colorScheme?: (typeof SCHEMES)[number];
  javaScriptEnabled?: boolean;
}

interface OpenedConsolePage {
  page: Page;
  complaints: string[];
  /** Requests to any other host so far. */
  foreign: () => string[];
  status: number | undefined;
  close(): Promise<void>;
}

/** The console served on a loopback port over a ledger of its own, and a real browser. */
export async function openConsole(more: Partial<AppDependencies> = {}): Promise<ConsoleBench> {
  const bench = await createApiBench(more);
  const port = await findFreePort();
  const origin = `http://127.0.0.1:${port}`;
  const server = serve({ fetch: bench.api.fetch, port, hostname: '127.0.0.1' });
  const browser = await launchChromium();

  const signedIn = new Map<ApiScope, string>();
  const open = async (path: string, options: OpenOptions = {}): Promise<OpenedConsolePage> => {
    const { scope = 'admin', width = 1_280, colorScheme = 'light', javaScriptEnabled = true } = options;
    const size = SIZES.find((each) => each.width === width) ?? { width, height: 900 };
    const cookie = scope === null ? undefined : (signedIn.get(scope) ?? (await signIn(scope)));
    const { page, complaints, asked, status } = await openPage(browser, `${origin}${path}`, {
      viewport: size,
      colorScheme,
      javaScriptEnabled,
      ...(cookie === undefined ? {} : { storageState: { cookies: [sessionCookie(cookie)], origins: [] } }),
    });
    return {
      page,
      complaints,
      foreign: () => asked.filter((url) => !url.startsWith(origin)),
      status,
      close: () => page.context().close(),
    };
  };
  const signIn = async (scope: ApiScope): Promise<string> => {
    const response = await fetch(`${origin}/console/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ key: bench.keys[scope] }),
    });
    const cookie = /^tallystick_session=([^;]+)/.exec(response.headers.get('set-cookie') ?? '')?.[1] ?? '';
    signedIn.set(scope, cookie);
    return cookie;
  };

  const walk: ConsoleBench['walk'] = async (path, { scope = 'admin', status = 200 } = {}) => {
    for (const { width } of SIZES) {
      for (const colorScheme of SCHEMES) {
        const where = `${path} at ${width} in the ${colorScheme}`;
        const opened = await open(path, { scope, width, colorScheme });
        expect(opened.status, where).toBe(status);
        await checkPage(opened.page, where, width);
        if (status < 400) expect(opened.complaints, where).toEqual([]);
        expect(opened.foreign(), where).toEqual([]);
        await opened.close();
      }
    }
    const bare = await open(path, { scope, javaScriptEnabled: false });
    expect(await bare.page.locator('main h1').count(), `${path} without scripts`).toBe(1);
    await bare.close();
  };

  return {
    ...bench,
    origin,
    browser,
    open,
    forgetSessions: () => signedIn.clear(),
    walk,
    close: async () => {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
      await bench.close();
    },
  };
}

/**
 * Sends a form twice at once, as two tabs would: which answers say that it was refused, which what was done, and where each of the two
 * led and what it showed.
 * @param button by which it is sent where it is not the form's own address that it goes to
 */
export async function sendTwice(
  page: Page,
  form: string,
  button: string | null = null,
): Promise<{ refused: string[]; done: string[]; led: string[]; showed: string[] }> {
  const answers = (await page.evaluate(`(async () => {
    const form = document.querySelector(${JSON.stringify(form)});
    const button = ${JSON.stringify(button)} === null ? null : form.querySelector(${JSON.stringify(button)});
    const body = new URLSearchParams(new FormData(form, button));
    const send = async () => {
      const answer = await fetch(button?.formAction ?? form.action, { method: 'POST', body });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const told = ['alert', 'status'].map((role) => page.querySelector('main > [role=' + role + ']')?.textContent ?? '');
      const values = [...page.querySelectorAll('main input[readonly]')].map(({ value }) => value);
      return [...told, answer.url, (page.querySelector('main h1')?.textContent ?? '') + ' ' + (page.querySelector('main code')?.textContent ?? '') + ' ' + values.join(' ')];
    };
    return await Promise.all([send(), send()]);
  })()`)) as [string, string, string, string][];
  return {
    refused: answers.map(([alert]) => alert).filter((text) => text !== ''),
    done: answers.map(([, status]) => status).filter((text) => text !== ''),
    led: answers.map(([, , url]) => url),
    showed: answers.map(([, , , text]) => text),
  };
}

/** Nothing serious by axe, no scrolling sideways, one heading, every id once. */
export async function checkPage(page: Page, where: string, width: number): Promise<void> {
  expect(await page.evaluate('document.documentElement.scrollWidth'), where).toBeLessThanOrEqual(width);
  expect(await page.locator('h1').count(), where).toBe(1);
  // A table without rows says why.
  const mute = '.table:not(:has(tbody tr)):not(:has(.empty))';
  expect(await page.locator(mute).evaluateAll((all) => all.map(({ id }) => id)), where).toEqual([]);
  expect(await findAxeTroubles(page), where).toEqual([]);
}

/** What axe-core calls serious or critical: its rule, and where. */
async function findAxeTroubles(page: Page): Promise<string[]> {
  // Evaluated and not added as an element, and without style elements of its own: the page's policy lets neither in.
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"], preload: false })',
  )) as {
    violations: { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }[];
  };
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
    );
}
