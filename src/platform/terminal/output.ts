import Table from 'cli-table3';

/** With `--json` one object on one line; else what `text` makes of it. Results go to standard output only. */
export function print(json: boolean, value: object, text: () => string): void {
  const output = json
    ? JSON.stringify(value, (_key, cell) => (typeof cell === 'bigint' ? String(cell) : cell))
    : text();
  process.stdout.write(`${output}\n`);
}

/** A plain table; numbers as text, so that nothing is rounded on the way to the screen. */
export function renderTable(
  head: string[],
  rows: (string | number)[][],
  numeric: readonly number[] = [],
): string {
  const table = new Table({
    head,
    colAligns: head.map((_, index) => (numeric.includes(index) ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows);
  return table.toString();
}

/** Digits in groups of three: 1,234,567. */
export function groupDigits(text: string | bigint | number): string {
  return BigInt(text).toLocaleString('en');
}
