import type { ComparedPeriod } from './compared.ts';

/** What differs in these periods, in words; empty: nothing. And how many of each kind there were. */
export function judgePeriods(periods: readonly ComparedPeriod[]) {
  const differences: string[] = [];
  const counts: Record<string, number> = {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  let differenceMinor = 0n;
  for (const period of periods) {
    const { what, expected, invoiced, rated, stated, previewed, quoted, driftTokens, driftMinor, marks } =
      period;
    const differ = (name: string, found: unknown, wanted: unknown) => {
      const [one, other] = [found, wanted].map((value) =>
        JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each)),
      );
      if (one !== other) differences.push(`${name}: ${one} instead of ${other}, of ${what}`);
    };
    differ('the lines of the invoice', invoiced.lines, expected.lines);
    if (rated.lines !== null) differ('the lines of our rating', rated.lines, expected.lines);
    differ('the amounts of the certificate', rated.amounts, expected.lines.map(sum));
    differ('what our rating comes to', rated.subtotal, expected.subtotal);
    differ('what the lines of the statement come to', stated.subtotal, expected.subtotal);
    differ('what the preview comes to', previewed.subtotal, expected.subtotal);
    if (previewed.total !== null) {
      differ('the total of the preview', previewed.total, expected.total);
      differ('what is due by the preview', previewed.due, expected.due);
    }
    if (quoted !== null) differ('what a quote adds', quoted.added, quoted.difference);
    differ('the total of the invoice', invoiced.total, expected.total);
    differ('what is due of the invoice', invoiced.due, expected.due);
    differ('the total of the certificate', rated.total, expected.total);
    differ('the total of the statement', stated.total, expected.total);
    for (const usage of [stated.usage, ...stated.tables])
      differ('the usage of the statement', usage, stated.expectedUsage);
    differ('the drift of the certificate', [driftTokens, driftMinor], [0n, 0n]);
    for (const difference of [
      rated.subtotal - expected.subtotal,
      stated.subtotal - expected.subtotal,
      (previewed.subtotal ?? 0n) - expected.subtotal,
      (previewed.total ?? expected.total) - expected.total,
      (quoted?.added ?? 0n) - (quoted?.difference ?? 0n),
      ...[rated.total, invoiced.total, stated.total].map((total) => total - expected.total),
    ]) {
      differenceMinor += difference < 0n ? -difference : difference;
    }
    differenceMinor += driftMinor;
    if (previewed.total === null) {
      count(`no total: ${previewed.reason}`);
      // All else can be known here: everything is priced, credits can be read, and no other invoice takes of them.
      differ('why the preview says no total', previewed.reason, 'rounding_unknown');
    }
    const { currency, drafts, ...others } = marks;
    for (const [name, isMarked] of Object.entries(others)) if (isMarked) count(name);
    if (expected.lines.some((lines) => lines.length > 2)) count('tiers');
    count(currency);
    count(drafts);
  }
  return { differences, differenceMinor, counts };
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
