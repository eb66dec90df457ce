import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { breakDown, foldRows, largestFirst } from '../../pricing/statements/statement.ts';

const sum = (values: readonly bigint[]) => values.reduce((total, value) => total + value, 0n);

const anyGroups = fc
  .array(
    fc.record({
      billed: fc.bigInt({ min: 0n, max: 10n ** 12n }),
      amountMinor: fc.bigInt({ min: -(10n ** 6n), max: 10n ** 9n }),
      shares: fc.array(
        fc.record({
          value: fc.constantFrom('a', 'b', 'c', 'd'),
          tokenCount: fc.bigInt({ min: -50n, max: 10n ** 11n }),
        }),
        { maxLength: 12 },
      ),
      /** Whether the line bills exactly what the ledger has. */
      agrees: fc.boolean(),
    }),
    { maxLength: 8 },
  )
  .map((drawn) => ({
    groups: drawn.map(({ billed, amountMinor, shares, agrees }, index) => ({
      groupId: `g${index}`,
      tokenCount: agrees ? sum(shares.map(({ tokenCount }) => tokenCount)) : billed,
      amountMinor,
    })),
    shares: drawn.flatMap(({ shares }, index) => shares.map((share) => ({ groupId: `g${index}`, ...share }))),
  }));

describe('a breakdown', () => {
  it('sums to the lines, tokens and minor units, whatever the usage and whatever the lines bill', () => {
    fc.assert(
      fc.property(anyGroups, ({ groups, shares }) => {
        const { rows, rest } = breakDown(groups, shares);
        expect(sum(rows.map((row) => row.amountMinor)) + (rest?.amountMinor ?? 0n)).toBe(
          sum(groups.map((group) => group.amountMinor)),
        );
        expect(sum(rows.map((row) => row.tokenCount)) + (rest?.tokenCount ?? 0n)).toBe(
          sum(groups.map((group) => group.tokenCount)),
        );
      }),
    );
  });

  it('is the same however its rows are ordered', () => {
    fc.assert(
      fc.property(anyGroups, ({ groups, shares }) => {
        const turned = breakDown(groups, [...shares].reverse());
        expect(largestFirst(turned.rows)).toEqual(largestFirst(breakDown(groups, shares).rows));
        expect(turned.rest).toEqual(breakDown(groups, shares).rest);
      }),
    );
  });

  it('gives the cents that do not divide to the largest remainders', () => {
    const shares = ['a', 'b', 'c'].map((value) => ({ groupId: 'g', value, tokenCount: 1n }));
    const { rows, rest } = breakDown([{ groupId: 'g', tokenCount: 3n, amountMinor: 100n }], shares);
    expect(rows.map((row) => row.amountMinor)).toEqual([34n, 33n, 33n]);
    expect(rest).toBeNull();
  });

  it('says what a line bills beyond what is known, and lets it bear its part', () => {
    const shares = [{ groupId: 'g', value: 'a', tokenCount: 75n }];
    const { rows, rest } = breakDown([{ groupId: 'g', tokenCount: 100n, amountMinor: 200n }], shares);
    expect(rows).toEqual([{ value: 'a', tokenCount: 75n, amountMinor: 150n }]);
    expect(rest).toEqual({ tokenCount: 25n, amountMinor: 50n });
  });

  it('says what is known beyond what a line bills, and charges nothing for it', () => {
    const shares = [{ groupId: 'g', value: 'a', tokenCount: 120n }];
    const { rows, rest } = breakDown([{ groupId: 'g', tokenCount: 100n, amountMinor: 200n }], shares);
    expect(rows).toEqual([{ value: 'a', tokenCount: 120n, amountMinor: 200n }]);
    expect(rest).toEqual({ tokenCount: -20n, amountMinor: 0n });
  });

  it('leaves a flat amount without usage unshared', () => {
    expect(breakDown([{ groupId: 'g', tokenCount: 0n, amountMinor: 900n }], [])).toEqual({
      rows: [],
      rest: { tokenCount: 0n, amountMinor: 900n },
    });
  });
});

describe('folding', () => {
  it('loses nothing', () => {
    const rows = [5n, 4n, 3n].map((amount) => ({
      value: `v${amount}`,
      tokenCount: amount,
      amountMinor: amount,
    }));
    expect(foldRows(rows, 1)).toEqual({
      shown: rows.slice(0, 1),
      others: { count: 2, tokenCount: 7n, amountMinor: 7n },
    });
    expect(foldRows(rows, 3).others).toBeNull();
  });
});
