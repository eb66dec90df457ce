import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeLink } from '../../src/identity/links/judge-link.ts';
import { readLinkKeys } from '../../src/identity/links/keys.ts';
import { ensureStandingLink, findStandingLink, makeLink, queryOf } from '../../src/identity/links/links.ts';
import type { LinkQuery } from '../../src/identity/links/signature.ts';
import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { type ApiSettings, DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const NOW = new Date('2026-11-21T10:30:00Z');
const [OLD, NEW] = ['o'.repeat(32), 'n'.repeat(32)];

let ledger: TestLedger;
let now: Date;

beforeEach(async () => {
  ledger = await createTestLedger();
  now = NOW;
});
afterEach(() => ledger.close());

const having = (settings: Partial<ApiSettings> = {}) => ({
  database: ledger.database,
  clock: { now: () => now },
  version: 'test',
  settings: { ...DEFAULT_API_SETTINGS, ...settings },
});
const read = (query: string): LinkQuery => Object.fromEntries(new URLSearchParams(query));
const page = { kind: 'statement', targetId: 'in_1' } as const;
const newLink = () => ({ ...page, customerId: 'northwind', expiresAt: addMs(NOW, DAY_MS), madeBy: 'test' });
const make = async (settings?: Partial<ApiSettings>) =>
  read((await makeLink(having(settings), newLink())).query);
const rows = () => ledger.database.selectFrom('page_links').selectAll().execute();

describe('a link', () => {
  it('opens its page until it expires', async () => {
    const query = await make();
    expect(await judgeLink(having(), page, query)).toBe('valid');
    now = addMs(NOW, DAY_MS - 1);
    expect(await judgeLink(having(), page, query)).toBe('valid');
    now = addMs(NOW, DAY_MS);
    expect(await judgeLink(having(), page, query)).toBe('expired');
  });

  it('opens no other page, also one of the same name', async () => {
    const query = await make();
    for (const other of [
      { kind: 'statement', targetId: 'in_2' },
      { kind: 'statement-preview', targetId: 'in_1' },
      { kind: 'quote', targetId: 'in_1' },
      { kind: 'statement', targetId: 'in_1\n' },
      { kind: 'statement', targetId: 'in\0_1' },
      { kind: 'statement', targetId: 'in_\ud800' },
    ] as const) {
      expect(await judgeLink(having(), other, query), JSON.stringify(other)).toBe('altered');
    }
  });

  it('opens nothing once a part of it is another, is missing, or is of another link', async () => {
    const [query, other] = [await make(), await make()];
    for (const altered of [
      { ...query, signature: `${query.signature?.slice(0, -2)}AA` },
      { ...query, signature: undefined },
      { ...query, signature: '' },
      { ...query, expires: '999999999999' },
      { ...query, expires: `0${query.expires}` },
      { ...query, expires: `${query.expires} ` },
      { ...query, expires: undefined },
      { ...query, link: other.link },
      { ...query, link: undefined },
      { ...query, link: 'lnk_\0' },
      { ...query, link: `${query.link}\n` },
      { ...query, link: 'x'.repeat(10_000) },
    ]) {
      expect(await judgeLink(having(), page, altered), JSON.stringify(altered)).toBe('altered');
    }
    expect(await judgeLink(having(), page, {})).toBe('absent');
  });

  it('opens nothing once it was withdrawn, nor once its row is gone', async () => {
    const query = await make();
    const row = ledger.database.updateTable('page_links');
    await row.set({ withdrawn_at: NOW, withdrawn_by: 'test' }).execute();
    expect(await judgeLink(having(), page, query)).toBe('withdrawn');
    await ledger.database.deleteFrom('page_links').execute();
    expect(await judgeLink(having(), page, query)).toBe('altered');
  });

  it('is noted as seen at most once an hour, and only where it opened', async () => {
    const query = await make();
    const seen = async () => (await rows())[0]?.last_seen_at;
    await judgeLink(having(), page, { ...query, signature: 'x' });
    expect(await seen()).toBeNull();
    await judgeLink(having(), page, query);
    expect(await seen()).toEqual(NOW);
    now = addMs(NOW, HOUR_MS - 1);
    await judgeLink(having(), page, query);
    expect(await seen()).toEqual(NOW);
    now = addMs(NOW, HOUR_MS);
    await judgeLink(having(), page, query);
    expect(await seen()).toEqual(now);
    // Another process, whose clock is behind.
    now = addMs(NOW, -HOUR_MS);
    expect(await judgeLink(having(), page, query)).toBe('valid');
    expect(await seen()).toEqual(addMs(NOW, HOUR_MS));
  });
});

describe('a link of before links were kept', () => {
  const sign = (secret: string, targetId = 'in_1') => {
    const expires = String(NOW.getTime() / 1_000 + 60);
    const signature = createHmac('sha256', secret)
      .update(`statement-page\n${targetId}\n${expires}`)
      .digest('base64url');
    return { expires, signature };
  };

  it('opens its page until it expires, and counts by the previous key too', async () => {
    expect(await judgeLink(having({ linkSigningKey: OLD }), page, sign(OLD))).toBe('valid');
    const exchanged = having({ linkSigningKey: NEW, linkSigningKeyPrevious: OLD });
    expect(await judgeLink(exchanged, page, sign(OLD))).toBe('valid');
    expect(await judgeLink(having({ linkSigningKey: NEW }), page, sign(OLD))).toBe('altered');
    now = addMs(NOW, 60_000);
    expect(await judgeLink(having({ linkSigningKey: OLD }), page, sign(OLD))).toBe('expired');
  });

  it('ends when all links of its customer are withdrawn', async () => {
    const { database } = ledger;
    await database
      .insertInto('customers')
      .values({ customer_id: 'northwind', name: 'N', synced_at: NOW })
      .execute();
    await database
      .insertInto('invoices')
      .values(
        ['in_1', 'in_2'].map((invoice_id) => ({
          invoice_id,
          customer_id: 'northwind',
          status: 'open',
          currency: 'usd',
          total_minor: 1n,
          period_start: NOW,
          period_end: NOW,
          synced_at: NOW,
        })),
      )
      .execute();
    const withdrawal = { customer_id: 'litware', withdrawn_at: NOW, withdrawn_by: 'test' };
    await database.insertInto('link_withdrawals').values(withdrawal).execute();
    expect(await judgeLink(having({ linkSigningKey: OLD }), page, sign(OLD))).toBe('valid');
    await database.updateTable('link_withdrawals').set({ customer_id: 'northwind' }).execute();
    expect(await judgeLink(having({ linkSigningKey: OLD }), page, sign(OLD))).toBe('withdrawn');
    expect(await judgeLink(having(), page, await make()), 'one made since').toBe('valid');
  });
});

describe('two keys', () => {
  it('sign by the new one, and open what either signed', async () => {
    const old = await make({ linkSigningKey: OLD });
    const exchanging = { linkSigningKey: NEW, linkSigningKeyPrevious: OLD };
    const fresh = await make(exchanging);
    expect(await judgeLink(having(exchanging), page, old)).toBe('valid');
    expect(await judgeLink(having(exchanging), page, fresh)).toBe('valid');
    expect(await judgeLink(having({ linkSigningKey: NEW }), page, old)).toBe('altered');
    expect(await judgeLink(having({ linkSigningKey: NEW }), page, fresh)).toBe('valid');
    const ids = (await rows()).map((row) => row.key_id);
    expect(new Set(ids).size).toBe(2);
    expect(JSON.stringify(ids)).not.toMatch(/ooo|nnn/);
  });

  it('may be the one of the ledger before, or again', async () => {
    const generated = await make();
    const exchanging = { linkSigningKey: NEW, linkSigningKeyPrevious: 'ledger' };
    expect(await judgeLink(having(exchanging), page, generated)).toBe('valid');
    const configured = await make(exchanging);
    expect(await judgeLink(having({ linkSigningKeyPrevious: NEW }), page, configured)).toBe('valid');
    expect((await readLinkKeys(having({ linkSigningKeyPrevious: 'ledger' }))).previous).toBeNull();
  });
});

describe('a standing link', () => {
  it('is made once, by whoever tells it first, and tells the same address again', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => ensureStandingLink(having(), newLink())));
    expect(new Set(all.map(({ linkId }) => linkId)).size).toBe(1);
    expect(await rows()).toHaveLength(1);
    now = addMs(NOW, HOUR_MS);
    const again = await ensureStandingLink(having(), { ...newLink(), expiresAt: addMs(now, DAY_MS) });
    expect(again.expiresAt).toEqual(addMs(NOW, DAY_MS));
  });

  it('stays withdrawn', async () => {
    await ensureStandingLink(having(), newLink());
    const row = ledger.database.updateTable('page_links');
    await row.set({ withdrawn_at: NOW, withdrawn_by: 'test' }).execute();
    expect((await ensureStandingLink(having(), newLink())).withdrawnAt).toEqual(NOW);
    expect(await rows()).toHaveLength(1);
  });

  it('keeps the address that was sent while its key counts, and is signed anew after it', async () => {
    const tell = async (settings: Partial<ApiSettings>) =>
      queryOf(await readLinkKeys(having(settings)), await ensureStandingLink(having(settings), newLink()));
    const sent = await tell({ linkSigningKey: OLD });
    const exchanging = { linkSigningKey: NEW, linkSigningKeyPrevious: OLD };
    expect(await tell(exchanging)).toBe(sent);
    const told = await tell({ linkSigningKey: NEW });
    expect(told).not.toBe(sent);
    expect(await judgeLink(having({ linkSigningKey: NEW }), page, read(told))).toBe('valid');
    const { signing } = await readLinkKeys(having({ linkSigningKey: NEW }));
    expect((await findStandingLink(ledger.database, page))?.keyId).toBe(signing.id);
  });
});
