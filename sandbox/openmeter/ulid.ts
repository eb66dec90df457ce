const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID of the given instant whose random part is a counter, so that ids sort and repeat by seed. */
export function makeUlid(nowMs: number, counter: number): string {
  const digits = (value: number, length: number) => {
    let text = '';
    for (let rest = value; text.length < length; rest = Math.floor(rest / 32))
      text = CROCKFORD[rest % 32] + text;
    return text;
  };
  return digits(nowMs, 10) + digits(counter, 16);
}
