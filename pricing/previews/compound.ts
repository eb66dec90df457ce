/** Growth of equal shares each day, (1 + x / 256)^256: within a hundredth of e^x, and made of products alone. */
const DOUBLINGS = 8;
const STEPS = 256;

/** @returns e^exponent, near enough, and how it changes with its exponent */
export function compound(exponent: number): { value: number; slope: number } {
  const base = 1 + exponent / STEPS;
  if (base <= 0) return { value: 0, slope: 0 };
  let value = base;
  for (let doubling = 0; doubling < DOUBLINGS; doubling += 1) value *= value;
  return { value, slope: value / base };
}
