import { moneyInWords } from '../../pages/words.ts';
import type { SubscriptionPreviewBody } from '../../previews/schemas.ts';

type Projected = Pick<SubscriptionPreviewBody, 'currency' | 'projection'>;

/** `$380.10 to $455.00`, or why nobody can say. */
export function endInWords({ currency, projection }: Projected): string {
  const { total, reason, knownDayCount } = projection;
  if (total !== null) return rangeInWords(total.p10, total.p90, currency);
  switch (reason) {
    case 'period_is_over':
      return 'its period is over';
    case 'unpriced_line':
      return 'unknown: a line has no amount';
    default:
      return `too early to say: ${knownDayCount} whole ${knownDayCount === 1 ? 'day is' : 'days are'} known`;
  }
}

/** From low to high; one amount where they are the same. */
export function rangeInWords(low: string, high: string, currency: string): string {
  const [from, to] = [low, high].map((amount) => moneyInWords(amount, currency));
  return from === to ? `${from}` : `${from} to ${to}`;
}
