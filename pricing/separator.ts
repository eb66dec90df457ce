/** What divides the cells of a CSV: comma, semicolon or tab, whichever gives the header most cells that are known. */
export function separatorOf(text: string, isKnown: (cell: string) => boolean): ',' | ';' | '\t' {
  const header = text.split(/\r?\n/).find((line) => /[^\s,;]/.test(line)) ?? '';
  const countOf = (separator: string) =>
    header.split(separator).filter((cell) => isKnown(cell.trim().replace(/^"(.*)"$/, '$1'))).length;
  return ([',', ';', '\t'] as const).reduce((best, next) => (countOf(next) > countOf(best) ? next : best));
}
