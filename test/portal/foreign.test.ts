import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PORTAL_PAGES } from '../../src/portal/registry.ts';
import { createPortalBench, type PortalBench } from './bench.ts';
import { insertPortalWorld } from './world.ts';

let bench: PortalBench;
const visits = new Map<string, string>();

/** What nobody but each reader may see, and what somebody else could put into an address to see it. */
const NORTHWIND = {
  names: ['NORTHWIND', 'NW-0010', 'Ada Lovelace', '12,500'],
  guesses: ['northwind', 'user-1', 'in_october'],
};
const ADATUM = {
  names: ['ADATUM', 'AD-0001', 'Grace of Adatum', '77,000,000'],
  guesses: ['adatum', 'user-3', 'in_adatum'],
};
const USER_2 = {
  names: ['NW-0010', '12,500', 'alert(1)', ...ADATUM.names],
  guesses: ['user-2', 'in_october', 'northwind'],
};

beforeAll(async () => {
  bench = await createPortalBench();
  await insertPortalWorld(bench.ledger.database);
  visits.set('northwind', await bench.visit({}));
  visits.set('adatum', await bench.visit({ customerId: 'adatum' }));
  visits.set('user-1', await bench.visit({ userId: 'user-1' }));
});
afterAll(() => bench.close());

const TABLES = ['days', 'models', 'features', 'users', 'lines', 'invoices', 'hours', 'statement'];
const PARAMETERS = [
  'customerId',
  'customer',
  'userId',
  'subject',
  'subscription',
  'invoiceId',
  'portalToken',
];

/** Every page, with each of its parameters, and some that it does not have, set to what is somebody else's. */
function addressesFor(own: string, guesses: readonly string[]): string[] {
  return PORTAL_PAGES.flatMap(({ path, parameters }) => {
    const paths = path.includes(':') ? [own, ...guesses].map((id) => path.replace(/:\w+/, id)) : [path];
    const asked = [...parameters, ...PARAMETERS].flatMap((name) =>
      guesses.map((guess) => `${name}=${guess}`),
    );
    const tables = TABLES.flatMap((csv) => [
      `csv=${csv}`,
      `csv=${csv}&day=2026-11-19`,
      `csv=${csv}&from=2026-11-19`,
    ]);
    return [...paths, ...[...asked, ...tables].map((query) => `${paths[0]}?${query}`)];
  });
}

describe('every page and parameter, with the session of somebody else', () => {
  it.each([
    ['northwind', 'in_october', ADATUM],
    ['adatum', 'in_adatum', NORTHWIND],
    ['user-1', 'in_october', USER_2],
    ['user-1', 'in_october', ADATUM],
  ] as const)(
    '%s sees nothing of others (but for %s)',
    async (name, own, { names, guesses }) => {
      const base = visits.get(name) ?? '';
      const seen: string[] = [];
      const longestFirst = guesses.toSorted((one, other) => other.length - one.length);
      for (const address of new Set(addressesFor(own, guesses))) {
        const { status, text, headers } = await bench.read(`${base}${address}`);
        expect([200, 404], `${address}: ${text.slice(0, 300)}`).toContain(status);
        seen.push(
          ...names.filter((secret) => text.includes(secret)).map((secret) => `${address}: ${secret}`),
        );
        // An id stands there as often as the reader's own address brought it along, and then where any nonsense would.
        const nonsense = longestFirst.reduce(
          (left, guess) => left.replaceAll(guess, 'x'.repeat(guess.length)),
          address,
        );
        const held = guesses.filter((guess) => text.includes(guess));
        const other =
          address === nonsense || held.length === 0 ? '' : (await bench.read(`${base}${nonsense}`)).text;
        for (const guess of held)
          if (text.split(guess).length > other.split('x'.repeat(guess.length)).length)
            seen.push(`${address}: ${guess}`);
        expect([...headers.values()].join(' ')).not.toMatch(/adatum|user-3/i);
      }
      expect(seen).toEqual([]);
    },
    120_000,
  );

  it('answers what is not theirs to the byte as what is not there', async () => {
    const base = visits.get('northwind') ?? '';
    const foreign = await bench.read(`${base}/invoices/in_adatum`);
    expect(foreign.status).toBe(404);
    for (const other of [
      '/invoices/in_nothing',
      '/invoices/%00',
      '/nowhere',
      `/invoices/${'x'.repeat(300)}`,
      '/invoices/in_adatum?csv=users',
    ]) {
      const answer = await bench.read(`${base}${other}`);
      expect([answer.status, answer.text], other).toEqual([404, foreign.text]);
      expect(answer.headers.get('content-security-policy')).toBe(
        foreign.headers.get('content-security-policy'),
      );
    }
    const user = visits.get('user-1') ?? '';
    expect((await bench.read(`${user}/invoices/in_october`)).text).toBe(
      (await bench.read(`${user}/nowhere`)).text,
    );
  });
});

describe('a visit that has ended, or never was', () => {
  it.each([
    '/portal',
    '/portal/hours',
    '/portal/nowhere',
    '/portal/invoices/in_october',
    `/portal/s/${'a'.repeat(43)}`,
    `/portal/s/${'a'.repeat(43)}/hours`,
    '/portal/s/x',
  ])('%s says how to get in again, in the language of the reader', async (address) => {
    const english = await bench.read(address);
    expect([english.status, english.text.includes('Your visit has ended')]).toEqual([401, true]);
    const german = await bench.read(address, 'de-AT,de;q=0.9');
    expect(german.text).toContain('Ihr Besuch ist beendet');
    expect(german.text).toContain('<html lang="de">');
    expect(german.headers.get('cache-control')).toBe('no-store');
  });
});
