import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Where Debian and others put it; CHROMIUM_PATH names another place. */
const PLACES = [
  process.env.CHROMIUM_PATH,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Nothing but the page under test is asked for: no updates, no telemetry, no QUIC. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

function findChromium(): string | undefined {
  return PLACES.find((place) => place !== undefined && existsSync(place));
}

/** Whether there is a Chromium; its absence is a failure on the build server and said elsewhere. */
export function hasChromium(): boolean {
  if (findChromium() !== undefined) return true;
  const message = 'there is no Chromium: install it, or name it in CHROMIUM_PATH, to look at the pages.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
  return false;
}

/** The real browser, headless. @throws Error when there is none */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('there is no Chromium');
  return await chromium.launch({ executablePath, headless: true, args: ARGUMENTS });
}

export interface OpenedPage {
  page: Page;
  /** Addresses that it asked for, but those of `data:`. */
  asked: string[];
  /** What the page complained of: errors, warnings, requests that failed. */
  complaints: string[];
  status: number | undefined;
}

/** A page in a window of its own that collects what went wrong in it. */
export async function openPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<OpenedPage> {
  const context = await browser.newContext(options);
  // Ends what hangs, and no page of a loaded machine.
  context.setDefaultTimeout(150_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  const asked: string[] = [];
  page.on('request', (request) => void (request.url().startsWith('data:') || asked.push(request.url())));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
  const response = await page.goto(url, { waitUntil: 'networkidle' });
  return { page, complaints, asked, status: response?.status() };
}
