import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formatDecimal, formatMinor } from '../../pricing/money.ts';
import { planProblems } from '../../pricing/plans/check.ts';
import { parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import { perMillionOf } from '../../pricing/plans/price.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook as book } from '../../pricing/prices/azure-openai.ts';
import { type RateableUsage, rateUsage } from '../../pricing/rating/rate-usage.ts';

const document = readFileSync(new URL('../../docs/pricing.md', import.meta.url), 'utf8');
const section = document.slice(document.indexOf('## Plans and rating'));

/** Rows of the table whose head begins with these words, without emphasis. */
function readTable(head: string): string[][] {
  const lines = section.slice(section.indexOf(`| ${head}`)).split('\n');
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll('*', '').trim()),
  );
}

it('the worked example of docs/pricing.md is what the rating says', () => {
  const yaml = /```yaml\n(plan: example[\s\S]*?)```/.exec(section)?.[1] ?? '';
  const parsed = parsePlanFile(yaml);
  expect(parsed.problems).toEqual([]);
  if (parsed.value === null) return;
  const plan = toPlan(parsed.value, []);
  expect(planProblems(plan, { book, features: null })).toEqual([]);

  const usage = readTable('model | feature').map(
    ([model = '', feature = '', tokenType, tokens = '']): RateableUsage => ({
      model,
      feature,
      tokenType: tokenType as RateableUsage['tokenType'],
      tokenCount: BigInt(tokens.replaceAll(',', '')),
    }),
  );
  const { rates, minimumAmountMinor } = planRatesAt(plan, new Date('2026-06-01T00:00:00Z'), book);
  const rated = rateUsage(usage, rates, minimumAmountMinor);
  const lines = rated.lines.flatMap(({ rate, tierLines }) =>
    tierLines.map((line) => [
      rate.description,
      line.quantity.toLocaleString('en'),
      perMillionOf(line.unitAmountDecimal, 'usd'),
      formatDecimal(line.amountPicoMinor, 14),
      formatMinor(line.amountMinor, 'usd'),
    ]),
  );
  expect(readTable('line | quantity')).toEqual([
    ...lines,
    ['lacking of the minimum', '', '', '', formatMinor(rated.minimumTopUpMinor, 'usd')],
    ['total', '', '', '', formatMinor(rated.totals.amountMinor ?? -1n, 'usd')],
  ]);
  expect(usage).toHaveLength(4);
});
