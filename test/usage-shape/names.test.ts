import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelKey, nameKey } from '../../pricing/usage/names.ts';
import { modelKeySql, nameKeySql } from '../../src/usage/name-keys.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

/** As many ways to write one model as the field has shown, and some more. */
const SPELLINGS = [
  'gpt-4o',
  'GPT-4o',
  'gpt-4o ',
  '\tGpt-4O\n',
  'azure/gpt-4o',
  'OpenAI/GPT-4o',
  'ｇｐｔ-4o\u00a0',
];

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
});
afterAll(() => ledger.close());

/** `null` where Postgres is older than the character: then its own Unicode has no say. */
async function keysBySql(texts: readonly string[]): Promise<({ name: string; model: string } | null)[]> {
  const found = await sql<{ name: string; model: string; isKnown: boolean }>`
    select ${sql.raw(nameKeySql('told.text'))} as name, ${sql.raw(modelKeySql('told.text'))} as model,
      unicode_assigned(told.text) as "isKnown"
    from unnest(${texts}::text[]) with ordinality as told(text, place) order by told.place`.execute(
    ledger.database,
  );
  return found.rows.map(({ name, model, isKnown }) => (isKnown ? { name, model } : null));
}

/** Pieces that have spoiled keys elsewhere: spaces, capitals without a small letter, marks, ligatures, prefixes. */
const ODD = fc.constantFrom(
  ...[' ', '\t', '\v', '\u00a0', '\u1680', '\u2003', '\u2028', '\u3000', '\ufeff', '\u200b', '\u0085', '/'],
  ...[
    'azure/',
    'OpenAI/',
    'AZURE/ ',
    'ａｚｕｒｅ／',
    'gpt-4o',
    'GPT',
    'Ｇ',
    'H\u0331',
    'T\u0308',
    '\u0331',
    '\u0301',
  ],
  ...[
    'K',
    'Å',
    'İ',
    'ı',
    'ſ',
    'ß',
    'ẞ',
    'Σ',
    'ς',
    'ﬁ',
    'ﷺ',
    '²',
    'Ⅷ',
    '각',
    '😀',
    '\u0344',
    '\u0f73',
    '\u{1d15e}',
  ],
);
const piece = fc.oneof(ODD, fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
const text = fc
  .array(piece, { maxLength: 6 })
  .map((pieces) => pieces.join('').replaceAll('\0', '').toWellFormed());

describe('the key of a name', () => {
  it('is one for every spelling of a model', () => {
    expect(new Set(SPELLINGS.map(modelKey))).toEqual(new Set(['gpt-4o']));
  });

  it('leaves a provider in front of what is no model', () => {
    expect(nameKey('Azure/Search')).toBe('azure/search');
  });

  it('keeps names apart that are not one', () => {
    const names = ['gpt-4o', 'gpt-4o-mini', 'gpt4o', 'gpt-4o\u200b', 'azure-gpt-4o', 'gpt 4o'];
    expect(new Set(names.map(modelKey)).size).toBe(names.length);
  });

  it('is its own key', () => {
    fc.assert(
      fc.property(text, (told) => {
        expect(nameKey(nameKey(told))).toBe(nameKey(told));
        expect(modelKey(modelKey(told))).toBe(modelKey(told));
        expect(modelKey(nameKey(told))).toBe(modelKey(told));
      }),
      { numRuns: 2_000 },
    );
  });

  /** Texts whose key SQL finds another. */
  async function findUnequal(texts: readonly string[]): Promise<unknown[]> {
    const bySql = await keysBySql(texts);
    return texts.flatMap((told, place) => {
      const { name, model } = { name: nameKey(told), model: modelKey(told) };
      const found = bySql[place];
      return found == null || (found.name === name && found.model === model)
        ? []
        : [{ told, name, model, found }];
    });
  }

  it('is the same in SQL, for any text', async () => {
    expect(await findUnequal(fc.sample(text, 4_000))).toEqual([]);
  });

  it('is the same in SQL, for every character that both know', async () => {
    const characters: string[] = [];
    for (let code = 1; code <= 0x10ffff; code += 1) {
      const character = String.fromCodePoint(code);
      if (!/[\p{Cn}\p{Co}\p{Cs}]/u.test(character)) characters.push(`H${character}\u0331 `);
    }
    for (let start = 0; start < characters.length; start += 20_000) {
      expect(await findUnequal(characters.slice(start, start + 20_000))).toEqual([]);
    }
  });
});
