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
