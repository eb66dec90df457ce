import { describe, expect, it } from 'vitest';
import { type CsvForm, toCsv } from '../../src/platform/csv.ts';

const written = (cell: string, separator: CsvForm['separator'] = 'comma') =>
  toCsv({ columns: ['name'], rows: [[cell]] }, { separator, hasByteOrderMark: false }).slice(
    'name\r\n'.length,
    -2,
  );

describe('a cell that a spreadsheet would take for a formula', () => {
  it.each([
    ['=1+1', "'=1+1"],
    ['  @SUM(A1)', "'  @SUM(A1)"],
    ['+1 555', "'+1 555"],
    // Full-width signs count as the plain ones where they are typed.
    ['＝1+1', "'＝1+1"],
    ['＠SUM(A1)', "'＠SUM(A1)"],
  ])('%j is read as text', (cell, expected) => expect(written(cell)).toBe(expected));

  it.each(['-5', '-0.25', '12', 'a=b', 'x-y', 'a; b', 'one;two'])('%j stays as it is', (cell) => {
    expect(written(cell)).toBe(cell);
  });

  it('is none behind a separator of another country either, where a spreadsheet begins a cell of its own', () => {
    expect(written("x;=cmd|' /C calc'!A0;")).toBe("x;'=cmd|' /C calc'!A0;");
    expect(written('x; \t@SUM(A1)')).toBe("x; \t'@SUM(A1)");
    expect(written('x\t-1+1')).toBe("x\t'-1+1");
    expect(written('x,=1+1', 'semicolon')).toBe("x,'=1+1");
    expect(written('x\r\n=1+1')).toBe('"x\r\n\'=1+1"');
    expect(written(`x;${'\t \n'.repeat(20_000)}=1`)).toMatch(/\n'=1"$/);
    const readBack = { columns: ['note'], rows: [['x; -10']], isReadBack: true };
    expect(toCsv(readBack)).toBe('note\r\nx; -10\r\n');
    // Behind our own separator it stands in quotes, which each reads.
    expect(written('x,=1+1')).toBe('"x,=1+1"');
  });
});
