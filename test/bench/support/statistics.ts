/** @throws RangeError for no values */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError('no values to take the median of');
  return (lower + upper) / 2;
}

/** `median (lowest-highest)`, each as `format` has it; a single value stands for itself. */
export function describeSpread(values: readonly number[], format: (value: number) => string): string {
  if (values.length === 1) return format(median(values));
  return `${format(median(values))} (${format(Math.min(...values))}-${format(Math.max(...values))})`;
}

export const inThousands = (value: number): string => `${(value / 1_000).toFixed(1)}k`;
export const toTwoDecimals = (value: number): string => value.toFixed(2);
