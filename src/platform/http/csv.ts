import type { Context } from 'hono';
import { accepts } from 'hono/accepts';

/** Whether the caller would rather have CSV than JSON. */
export function wantsCsv(context: Context): boolean {
  const supports = ['application/json', 'text/csv'];
  return accepts(context, { header: 'Accept', supports, default: 'application/json' }) === 'text/csv';
}

/** A page of a list as CSV; where the next one is says the `Link` header (RFC 8288), as a table has no room for it. */
export function csvPage(context: Context, text: string, nextCursor: string | null) {
  const headers: Record<string, string> = { 'Content-Type': 'text/csv; charset=utf-8; header=present' };
  if (nextCursor !== null) {
    const next = new URL(context.req.url);
    next.searchParams.set('cursor', nextCursor);
    headers.Link = `<${next.pathname}${next.search}>; rel="next"`;
  }
  return context.text(text, 200, headers);
}

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
