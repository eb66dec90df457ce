import { parseArgs } from 'node:util';
import { playAccount } from './account.ts';
import { judgePeriods } from './judge.ts';

/** Customers and months of one account. */
const CUSTOMER_COUNT = 50;
const MONTH_COUNT = 10;

const WHY_NO_TOTAL = {
  rounding_unknown:
    'Stripe has counted so little that its lines do not tell where the account rounds taxes, discounts and (in dinars and shillings) lines, and it would make a difference',
};

const { values } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, seed: { type: 'string', default: '20261122' } },
});
const accountCount = Math.ceil(Number(values.count) / CUSTOMER_COUNT / MONTH_COUNT);
if (!(accountCount >= 1)) throw new RangeError(`--count must be a number of periods, not ${values.count}`);
const started = performance.now();
const totals = { periods: 0, differenceMinor: 0n, differences: 0 };
const counts: Record<string, number> = {};
for (let account = 0; account < accountCount; account += 1) {
  const seed = Number(values.seed) + account;
  const periods = await playAccount({ seed, customerCount: CUSTOMER_COUNT, monthCount: MONTH_COUNT });
  const judged = judgePeriods(periods);
  totals.periods += periods.length;
  totals.differenceMinor += judged.differenceMinor;
  totals.differences += judged.differences.length;
  for (const [name, count] of Object.entries(judged.counts)) counts[name] = (counts[name] ?? 0) + count;
  for (const difference of judged.differences.slice(0, 5))
    process.stderr.write(`seed ${seed}: ${difference}\n`);
}
const seconds = Math.round((performance.now() - started) / 100) / 10;
process.stdout.write(
  `${JSON.stringify({ ...totals, differenceMinor: String(totals.differenceMinor), ...counts, seconds })}\n`,
);
for (const [name, why] of Object.entries(WHY_NO_TOTAL)) {
  const count = counts[`no total: ${name}`] ?? 0;
  if (count > 0) process.stdout.write(`no total after tax in ${count} previews (${name}): ${why}\n`);
}
process.exitCode = totals.differences > 0 ? 1 : 0;
