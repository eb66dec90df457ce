const UNITS = [
  ['day', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/**
 * A length of time as people say it, in its two largest units: `40 s`, `12 min`, `5 h 12 min`, `27 days 11 h`.
 * @param seconds a negative one, of clocks that disagree, is `0 s`
 */
export function durationInWords(seconds: number): string {
  let rest = Math.max(0, Math.floor(seconds));
  const first = UNITS.findIndex(([, size]) => rest >= size);
  if (first === -1) return '0 s';
  const words: string[] = [];
  for (const [name, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest %= size;
    if (count > 0) words.push(`${count} ${name === 'day' && count !== 1 ? 'days' : name}`);
    if (size === 60) break;
  }
  return words.join(' ');
}

/** The time between two instants, in words. */
export function ageInWords(since: Date, now: Date): string {
  return durationInWords((now.getTime() - since.getTime()) / 1_000);
}
