import { expect, it } from 'vitest';
import { type PriceRow, RETIRED } from '../../pricing/prices/rows.ts';
import { bookTable } from '../../src/console/prices/book-table.ts';
import { csvOfTable } from '../../src/pages/table/page-of-rows.ts';

it('sorts amounts exactly, where a float would call them equal, and what has none last', () => {
  const row = (amount: string) => ({
    row: {
      model: 'm',
      tokenType: 'prompt',
      deploymentType: 'global',
      region: '*',
      amount,
      unit: 'million_tokens',
    } as PriceRow,
    until: null,
  });
  const amounts = [
    '90071992547409.931002',
    RETIRED,
    '90071992547409.931003',
    '2',
    '90071992547409.931001',
    '10',
  ];
  const sorted = (sort: string) => {
    const { columns, rows } = csvOfTable(
      bookTable({}),
      amounts.map(row),
      new URLSearchParams({ 'prices-sort': sort }),
    );
    return rows.map((cells) => cells[columns.indexOf('amount')]);
  };
  const ordered = ['2.00', '10.00', ...[1, 2, 3].map((last) => `90071992547409.93100${last}`)];
  expect(sorted('amount')).toEqual([...ordered, null]);
  expect(sorted('-amount')).toEqual([...ordered.toReversed(), null]);
});
