/** Names longer than this are no slip of the pen, and the distance costs time in both lengths. */
const MAX_NAME_LENGTH = 64;

/** Of any names those close to the one that was given, the closest first; may be empty. */
export function nearestNames(names: readonly string[], given: string, count = 5): string[] {
  const wanted = given.slice(0, MAX_NAME_LENGTH);
  const farthest = Math.max(3, Math.ceil(wanted.length / 2));
  return names
    .map((name) => ({ name, distance: editDistance(wanted, name) }))
    .filter(({ distance, name }) => distance <= farthest || (wanted !== '' && name.startsWith(wanted)))
    .sort((left, right) => left.distance - right.distance || (left.name < right.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

/** Insertions, deletions and substitutions that turn one text into the other (Levenshtein). */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const substitution = (previous[column - 1] ?? 0) + (left[row - 1] === right[column - 1] ? 0 : 1);
      const insertion = (current[column - 1] ?? 0) + 1;
      const deletion = (previous[column] ?? 0) + 1;
      current.push(Math.min(substitution, insertion, deletion));
    }
    previous = current;
  }
  return previous[right.length] ?? 0;
}
