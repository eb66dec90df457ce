/** Where a page is: what its links keep and change. */
export interface Address {
  path: string;
  query: URLSearchParams;
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
