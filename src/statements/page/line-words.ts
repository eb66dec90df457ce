import { groupDigits, perMillion } from '../../pages/words.ts';
import type { StatementBody } from '../schemas.ts';

type Line = StatementBody['lines'][number];

/** Tokens: a minimum or a fee has a quantity too, and it is none of tokens. */
export function lineCount({ kind, quantity }: Line): string {
  const isCount = kind === 'usage' || kind === 'late';
  return !isCount || quantity === null || quantity === '0' ? '' : groupDigits(quantity);
}

/** What tells a base amount, an allowance and the tiers of one price apart. */
export function linePrice(line: Line, currency: string): string {
  if (line.isIncluded) return '';
  if (lineCount(line) === '') return line.kind === 'usage' ? 'base amount' : '';
  return line.unitAmountDecimal === null ? '' : perMillion(line.unitAmountDecimal, currency);
}
