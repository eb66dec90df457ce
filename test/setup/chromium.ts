import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

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
