import { ratePriceProblems } from '../rating/rate-price.ts';
import type { PlanPrice, PlanProblem, PlanRate, PlanTier } from './plan.ts';
import { tiersOf, unitAmountOf, wholeMinorOf } from './price.ts';

const EXACT_FIX = 'Write 0 or more, with no more decimals than 12 of a minor unit for one token can hold.';
const FLAT_FIX = 'Write an amount that the currency can be paid in, 0 or more.';

/** What is wrong with a rate whose price is stated: amounts, tiers, allowance. */
export function statedPriceProblems(currency: string, rate: PlanRate, path: string): PlanProblem[] {
  const { price } = rate;
  const problems: PlanProblem[] = [];
  if (rate.tokenType === '*') {
    const message = 'is for a markup, which has a price of its own for each token type';
    problems.push({ path: `${path}.tokenType`, message, fix: 'Name the token type.' });
  }
  if (rate.includedTokens === 0n) {
    problems.push({ path: `${path}.includedTokens`, message: 'is 0', fix: 'Leave it out, or include some.' });
  }
  if (price.kind === 'per_million') {
    problems.push(...caught(`${path}.perMillion`, EXACT_FIX, () => unitAmountOf(price.amount, currency)));
  }
  if (price.kind === 'tiered') problems.push(...tierProblems(currency, rate, price, path));
  return problems;
}

function tierProblems(
  currency: string,
  rate: PlanRate,
  { mode, tiers }: Extract<PlanPrice, { kind: 'tiered' }>,
  path: string,
): PlanProblem[] {
  const amounts = tiers.flatMap((tier, index) => [
    ...caught(`${path}.${mode}[${index}].perMillion`, EXACT_FIX, () =>
      unitAmountOf(tier.perMillion, currency),
    ),
    ...caught(`${path}.${mode}[${index}].flat`, FLAT_FIX, () => wholeMinorOf(tier.flat ?? '0', currency)),
  ]);
  const bounds = tiers.flatMap((_, index) => startProblems(tiers, index, `${path}.${mode}[${index}].from`));
  const shape =
    amounts.length > 0
      ? []
      : ratePriceProblems({ kind: 'tiered', mode, tiers: tiersOf(tiers, null, currency) }).map((problem) => ({
          ...problem,
          path: `${path}.${problem.path.replace('tiers', mode)}`,
        }));
  return [...amounts, ...bounds, ...shape, ...allowanceProblems(rate, mode, tiers, path)];
}

/** A tier begins where the one before ends; written otherwise, some tokens have two prices or none. */
function startProblems(tiers: readonly PlanTier[], index: number, path: string): PlanProblem[] {
  const from = tiers[index]?.from ?? null;
  const before = index === 0 ? 0n : (tiers[index - 1]?.upTo ?? null);
  if (from === null || before === null || from === before) return [];
  const fix = `Write from: ${before}, or leave it out.`;
  return from > before
    ? [{ path, message: `leaves a gap: no tier prices the tokens from ${before} to ${from}`, fix }]
    : [{ path, message: `overlaps: two tiers price the tokens from ${from} to ${before}`, fix }];
}

function allowanceProblems(
  { includedTokens }: PlanRate,
  mode: 'graduated' | 'volume',
  tiers: readonly PlanTier[],
  path: string,
): PlanProblem[] {
  if (includedTokens === null) return [];
  if (mode === 'volume') {
    const message = 'under volume tiers all tokens have one price: none would be included once more are used';
    return [{ path: `${path}.includedTokens`, message, fix: 'Use graduated tiers.' }];
  }
  const first = tiers[0]?.upTo ?? null;
  if (first === null || includedTokens < first) return [];
  const message = `includes ${includedTokens} tokens, which is all of the first tier (ends count every token)`;
  return [{ path: `${path}.includedTokens`, message, fix: 'Let the first tier end above the allowance.' }];
}

/** What a reader of amounts refuses, as a problem. */
export function caught(path: string, fix: string, read: () => unknown): PlanProblem[] {
  try {
    read();
    return [];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return [{ path, message: error.message, fix }];
  }
}
