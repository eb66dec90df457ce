import type { GenaiPrices } from '../../pricing/feeds/genai-prices.ts';
import type { FeedPrice } from '../../pricing/feeds/price.ts';
import { parseDecimal } from '../../pricing/money.ts';
import type { ModelNames } from './names.ts';

/**
 * The map writes some regional prices, a tenth above global, under a key without a place. Where the other list has a global
 * price of which it is exactly a tenth more, the figure is read as regional.
 */
export function isRegional(price: FeedPrice, genai: GenaiPrices, names: ModelNames): boolean {
  if (price.deploymentType !== 'global' || price.sourceKey.includes('/global')) return false;
  const kind = price.tokenType === 'embedding' ? 'prompt' : price.tokenType;
  const model = names.canonicalOf(price.model);
  const all = [model, ...names.aliasesOf(model)].map(genai).find((prices) => prices.length > 0) ?? [];
  const global = all.findLast(({ tokenType }) => tokenType === kind);
  return (
    global !== undefined && parseDecimal(price.amount, 12) * 10n === parseDecimal(global.amount, 12) * 11n
  );
}
