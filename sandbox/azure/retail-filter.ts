/** What a `$filter` may ask about: the fields of a listed price, as text. */
type RetailRow = Readonly<Record<string, unknown>>;
export type RetailPredicate = (row: RetailRow) => boolean;

const CLAUSE =
  /^\s*(?:(\w+)\s+eq\s+('(?:[^']|'')*'|true|false)|contains\(\s*(\w+)\s*,\s*'((?:[^']|'')*)'\s*\))\s*/;

/**
 * The subset of OData that the stand-in understands: `field eq 'text'`, `field eq true`, `contains(field, 'text')`,
 * joined by `and`. Values are case-sensitive, as since api-version 2023-01-01-preview. `priceType` is `type`.
 * @returns null for anything else
 */
export function compileRetailFilter(text: string): RetailPredicate | null {
  const clauses: RetailPredicate[] = [];
  let rest = text;
  for (;;) {
    const found = CLAUSE.exec(rest);
    if (found === null) return null;
    const [all, equalField, equalTo, containsField, contained] = found;
    const field = fieldOf(equalField ?? containsField ?? '');
    if (equalTo === undefined) {
      const words = unquote(contained ?? '');
      clauses.push((row) => String(row[field] ?? '').includes(words));
    } else if (equalTo.startsWith("'")) {
      const wanted = unquote(equalTo.slice(1, -1));
      clauses.push((row) => row[field] === wanted);
    } else {
      const wanted = equalTo === 'true';
      clauses.push((row) => row[field] === wanted);
    }
    rest = rest.slice(all.length);
    if (rest === '') return (row) => clauses.every((clause) => clause(row));
    const joined = /^and\s+/.exec(rest);
    if (joined === null) return null;
    rest = rest.slice(joined[0].length);
  }
}

function fieldOf(name: string): string {
  return name === 'priceType' ? 'type' : name;
}

function unquote(text: string): string {
  return text.replaceAll("''", "'");
}
