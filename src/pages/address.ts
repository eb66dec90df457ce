/** Where a page is: what its links keep and change. */
export interface Address {
  path: string;
  query: URLSearchParams;
}

/** What a field of an address or a form says; undefined: nothing. */
export function textOf(fields: URLSearchParams, name: string): string | undefined {
  return fields.get(name)?.trim() || undefined;
}

/** The same address with some of its query changed; null takes a field away. */
export function addressWith(
  { path, query }: Address,
  changes: Readonly<Record<string, string | null>>,
): string {
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return changed.size === 0 ? path : `${path}?${changed}`;
}
