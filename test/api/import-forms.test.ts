import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, createApiBench } from './setup.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
});
afterAll(() => bench.close());

/** Each import with a file of commas, and a text that only other encodings write otherwise. */
const IMPORTS = [
  {
    path: '/v1/prices/import',
    file: 'model,tokenType,amount,effectiveFrom,note\ngpt-4o,prompt,2.40,2027-01-01,WORD\n',
  },
  {
    path: '/v1/exchange-rates/import',
    file: 'day,base,currency,rate,source\n2026-11-20,eur,usd,1.08,WORD\n',
  },
] as const;
const SEPARATORS = { comma: ',', semicolon: ';', tab: '\t' } as const;
const LINE_ENDS = { 'line feeds': '\n', 'carriage returns, too': '\r\n' } as const;

const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16();
const ENCODINGS: [name: string, encode: (text: string) => Buffer, refusedAs: string | null][] = [
  ['UTF-8', (text) => Buffer.from(text), null],
  ['UTF-8 with a mark', (text) => Buffer.from(`\uFEFF${text}`), null],
  ['Latin-1', (text) => Buffer.from(text, 'latin1'), 'Latin-1'],
  ['UTF-16 with a mark', (text) => Buffer.from(`\uFEFF${text}`, 'utf16le'), 'UTF-16 (little endian)'],
  ['UTF-16 without one', (text) => Buffer.from(text, 'utf16le'), 'UTF-16 (little endian)'],
  ['UTF-16 of the other order', (text) => swapped(`\uFEFF${text}`), 'UTF-16 (big endian)'],
  ['UTF-16 of that order without a mark', swapped, 'UTF-16 (big endian)'],
];

describe.each(IMPORTS)('$path', ({ path, file }) => {
  const cases = Object.entries(SEPARATORS).flatMap(([separator, sign]) =>
    Object.entries(LINE_ENDS).flatMap(([lineEnd, end]) =>
      ENCODINGS.map(([encoding, encode, refusedAs]) => ({
        separator,
        sign,
        lineEnd,
        end,
        encoding,
        encode,
        refusedAs,
      })),
    ),
  );
  it.each(cases)(
    'takes or names $encoding, $separator, $lineEnd',
    async ({ sign, end, encode, refusedAs }) => {
      const text = file.replace('WORD', 'Preis für alle').replaceAll(',', sign).replaceAll('\n', end);
      // Empty rows, also of separators alone, are none.
      const bytes = encode(`${text}${end}${sign}${sign}${end}`);
      const response = await bench.call(`${path}?dryRun=true`, {
        method: 'POST',
        headers: { 'content-type': 'text/csv' },
        body: new Uint8Array(bytes),
      });
      const answer = await response.text();
      if (refusedAs === null) expect([response.status, answer]).toEqual([200, expect.any(String)]);
      else {
        expect(response.status).toBe(400);
        expect(JSON.parse(answer)).toMatchObject({
          code: 'VALIDATION',
          detail: expect.stringContaining(refusedAs),
        });
      }
    },
  );
});
