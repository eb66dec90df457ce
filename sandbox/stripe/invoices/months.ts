/** The same moment so many months on; a day the month does not have becomes its last one. */
export function addMonths(instantMs: number, months: number): number {
  const from = new Date(instantMs);
  const target = new Date(instantMs);
  target.setUTCDate(1);
  target.setUTCMonth(from.getUTCMonth() + months);
  const lastDay = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0)).getUTCDate();
  target.setUTCDate(Math.min(from.getUTCDate(), lastDay));
  return target.getTime();
}

/**
 * The first boundary after an instant, of periods that begin on the anchor plus whole months; the anchor itself is
 * one, and may lie on either side. Counted from the anchor each time, so that the 31st comes back after February.
 */
export function nextBoundary(anchorMs: number, afterMs: number): number {
  for (let months = 0; ; months += 1) {
    const boundary = addMonths(anchorMs, months);
    if (boundary > afterMs) return boundary;
  }
}
