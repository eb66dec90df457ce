/** Colours of the sheet, `k0` to `k11`; the last class, `rest`, is for what is summed up. */
const COLOR_COUNT = 12;

/**
 * The class that colours a model, a feature or a customer: by its name alone, so that it has the same one on all pages. Two
 * names of a drawing that share a colour are told apart by shade, in the order given.
 */
export function colorClasses(names: readonly string[]): string[] {
  const taken = new Map<number, number>();
  return names.map((name) => {
    const color = hashOf(name) % COLOR_COUNT;
    const shade = taken.get(color) ?? 0;
    taken.set(color, shade + 1);
    return `k${color}${shade === 0 ? '' : ` shade${Math.min(shade, 2)}`}`;
  });
}

/** FNV-1a, finished so that short names spread too. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x85ebca6b) >>> 8;
}
