/** A line is new where it is less likely than this that one used as often stayed unused for so long. */
const NEW_BELOW = 0.001;

/**
 * The place of the first day that speaks of a line: of all known days, or, where it began among them, of those since.
 * The day of first use is left out: it was chosen by its being used, and is rarely whole.
 * @param isFirstChosen whether the first of all days is known for being the customer's first with usage
 * @returns null: the line was never used
 */
export function findStart(
  tokens: readonly number[],
  isFirstChosen: boolean,
): { start: number; isNew: boolean; firstUsed: number } | null {
  const firstUsed = tokens.findIndex((count) => count > 0);
  if (firstUsed < 0) return null;
  const since = tokens.slice(firstUsed + 1);
  const usedShare = since.length === 0 ? 1 : since.filter((count) => count > 0).length / since.length;
  let unusedByChance = 1;
  for (let place = 0; place < firstUsed; place += 1) unusedByChance *= 1 - usedShare;
  const isNew = firstUsed > 0 && unusedByChance < NEW_BELOW;
  const start = isNew ? firstUsed + 1 : isFirstChosen ? 1 : 0;
  // Used on that day alone: then it is all there is.
  const isUsedSince = tokens.slice(start).some((count) => count > 0);
  return { start: isUsedSince ? start : firstUsed, isNew, firstUsed };
}
