/** A page as CSV (RFC 4180): CRLF, a header, every text quoted where it must be. */
export function toCsv(header: readonly string[], rows: readonly (readonly (string | null)[])[]): string {
  return [header, ...rows].map((row) => `${row.map(toCell).join(',')}\r\n`).join('');
}

const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/;
/** What makes a spreadsheet read a cell as a formula, also behind leading space (OWASP, CSV injection). */
const FORMULA_START = /^\s*[=+\-@\t\r]/;

function toCell(value: string | null): string {
  if (value === null) return '';
  const harmless = !PLAIN_NUMBER.test(value) && FORMULA_START.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
