/** More than these are not tried in all combinations. */
const COMBINED_LIMIT = 12;

/**
 * Which of these, the last first, an invoice lacks that bills so much less than all of them: those from the last on that add
 * up to it, else any few of the last that do, else as many from the last on as do not exceed it.
 */
export function findMissing<Push extends { tokenCount: bigint }>(
  pushes: readonly Push[],
  missingCount: bigint,
): Push[] {
  const counting = pushes.filter(({ tokenCount }) => tokenCount !== 0n);
  const fitting: Push[] = [];
  let sum = 0n;
  for (const push of counting) {
    if (sum + push.tokenCount > missingCount) break;
    fitting.push(push);
    sum += push.tokenCount;
  }
  if (sum === missingCount) return fitting;
  return findSum(counting.slice(0, COMBINED_LIMIT), missingCount) ?? fitting;
}

function findSum<Push extends { tokenCount: bigint }>(pushes: readonly Push[], sum: bigint): Push[] | null {
  let best: Push[] | null = null;
  for (let mask = 1; mask < 2 ** pushes.length; mask += 1) {
    const chosen = pushes.filter((_, index) => (mask & (1 << index)) !== 0);
    if (best !== null && chosen.length >= best.length) continue;
    if (chosen.reduce((total, push) => total + push.tokenCount, 0n) === sum) best = chosen;
  }
  return best;
}
