import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { openPage } from '../setup/chromium.ts';
import { sessionCookie } from '../setup/session-cookie.ts';
import type { DemoAddresses } from './demo.ts';
import type { Subject } from './subjects.ts';

/** A page of a document should not weigh more. */
const MOST_BYTES = 200_000;

/** The cookie of a session of the demo's key. */
export async function signIn({ origin, key }: DemoAddresses): Promise<string> {
  const response = await fetch(`${origin}/console/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ key }),
  });
  const cookie = /^tallystick_session=([^;]+)/.exec(response.headers.get('set-cookie') ?? '')?.[1];
  if (cookie === undefined)
    throw new Error(`The console does not let the demo's key in: ${response.status}.`);
  return cookie;
}

/** Takes one picture; says how large it is, or why there is none. */
export async function take(
  browser: Browser,
  request: { subject: Subject; addresses: DemoAddresses; session: string; folder: string },
): Promise<string> {
  const { subject, addresses, session, folder } = request;
  const url = await addressOf(subject, addresses);
  if (url === undefined) return 'left out, the demo names no such address';
  const { page, status } = await openPage(browser, url, {
    viewport: { width: subject.width ?? 1_280, height: subject.height ?? 800 },
    colorScheme: subject.colorScheme ?? 'light',
    reducedMotion: 'reduce',
    // A customer's page is seen by customers, who are signed in nowhere.
    ...('console' in subject.of || 'simulation' in subject.of
      ? { storageState: { cookies: [sessionCookie(session)], origins: [] } }
      : {}),
  });
  try {
    if (status === 404) return 'left out, there is no such page yet';
    if (status !== 200) throw new Error(`${url} answers ${status}.`);
    const picture = await page.screenshot({ animations: 'disabled', caret: 'hide' });
    if (picture.length > MOST_BYTES) throw new Error(`${subject.file} has ${picture.length} bytes.`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, subject.file), picture);
    return `${Math.ceil(picture.length / 1_000)} kB`;
  } finally {
    await page.context().close();
  }
}

async function addressOf({ of }: Subject, addresses: DemoAddresses): Promise<string | undefined> {
  if ('signed' in of) return addresses.signed.get(of.signed);
  if ('console' in of) return `${addresses.origin}${of.console}`;
  if ('portalOf' in of) {
    return (await post(addresses, '/v1/portal/links', { customerId: of.portalOf })).url;
  }
  const { simulationId } = await post(addresses, '/v1/simulations', of.simulation);
  return `${addresses.origin}/console/simulations/${simulationId}`;
}

async function post(
  { origin, key }: DemoAddresses,
  path: string,
  body: Record<string, unknown>,
): Promise<Record<string, string>> {
  const response = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}
