import type { PriceKind } from '../prices/rows.ts';
import { amountText, type FeedPrice } from './price.ts';

const AZURE = 'azure';

/** Prices by the million; the data's other fields (searches, hours) price what the book's token kinds do not. */
const KINDS: Readonly<Record<string, PriceKind>> = {
  input_mtok: 'prompt',
  output_mtok: 'completion',
  cache_read_mtok: 'prompt_cached',
  cache_write_mtok: 'prompt_cache_write_5m',
  cache_write_1h_mtok: 'prompt_cache_write_1h',
  input_audio_mtok: 'prompt_audio',
  output_audio_mtok: 'completion_audio',
  cache_audio_read_mtok: 'prompt_cached_audio',
  input_image_mtok: 'prompt_image',
  output_image_mtok: 'completion_image',
};

/** A price of this list, and whose it is: Azure's own, or that of the model's maker, which the list takes for Azure. */
export interface GenaiPrice extends FeedPrice {
  provider: string;
}

interface GenaiProvider {
  id: string;
  fallbackProviders: string[];
  models: { id: string; match: unknown; prices: unknown }[];
}

/** The prices that this list has of a model on Azure: one for each kind and each instant at which it changed. */
export type GenaiPrices = (model: string) => GenaiPrice[];

/**
 * The data of genai-prices: a list of providers. A model that its provider `azure` does not price itself has the price of its
 * maker there (`fallback_model_providers`), which is what Azure charges for global deployments as a rule.
 * @param data numbers as text, or as they are: they are short decimals
 * @throws RangeError when it is no such list, or lacks the provider
 */
export function readGenaiPrices(data: unknown): GenaiPrices & { azureModels: readonly string[] } {
  if (!Array.isArray(data)) throw new RangeError('is no list of providers');
  const providers = new Map(data.map(readProvider).map((provider) => [provider.id, provider]));
  const azure = providers.get(AZURE);
  if (azure === undefined) throw new RangeError('holds no provider azure');
  const searched = [AZURE, ...azure.fallbackProviders].flatMap((id) => providers.get(id) ?? []);
  const find = (name: string): GenaiPrice[] => {
    for (const { id, models } of searched) {
      const model = models.find(({ match }) => fits(match, name));
      if (model !== undefined) return pricesOf(id, model, name);
    }
    return [];
  };
  return Object.assign(find, { azureModels: azure.models.map(({ id }) => id) });
}

function readProvider(entry: unknown): GenaiProvider {
  const { id, models, fallback_model_providers: fallback } = (entry ?? {}) as Record<string, unknown>;
  if (typeof id !== 'string' || !Array.isArray(models))
    throw new RangeError('holds an entry that is no provider');
  return { id, models, fallbackProviders: Array.isArray(fallback) ? fallback.map(String) : [] };
}

/** How the list says which names are a model. What is no rule fits nothing. */
function fits(rule: unknown, name: string): boolean {
  if (typeof rule !== 'object' || rule === null) return false;
  const [[way, what] = []] = Object.entries(rule);
  if (Array.isArray(what)) {
    if (way === 'or') return what.some((part) => fits(part, name));
    return way === 'and' && what.every((part) => fits(part, name));
  }
  if (typeof what !== 'string') return false;
  if (way === 'equals') return name === what;
  if (way === 'starts_with') return name.startsWith(what);
  if (way === 'ends_with') return name.endsWith(what);
  if (way === 'contains') return name.includes(what);
  return false;
}

function pricesOf(
  provider: string,
  { id, prices }: GenaiProvider['models'][number],
  model: string,
): GenaiPrice[] {
  const periods = Array.isArray(prices) ? prices : [{ prices }];
  return periods.flatMap(
    (period: { constraint?: Record<string, unknown>; prices?: Record<string, unknown> }) => {
      // Prices by the hour of the day are the maker's own way to charge, and none of Azure's.
      if (period.constraint !== undefined && period.constraint['type'] !== 'start_date') return [];
      const start = period.constraint?.['start_date'];
      const effectiveFrom = typeof start === 'string' ? `${start.slice(0, 10)}T00:00:00Z` : null;
      return Object.entries(period.prices ?? {}).flatMap(([field, value]) => {
        const tokenType = KINDS[field];
        if (tokenType === undefined) return [];
        return tiersOf(value).map(({ amount, aboveInputTokenCount }) => ({
          provider,
          model,
          deploymentType: 'global' as const,
          region: '*',
          tokenType,
          serviceTier: 'standard' as const,
          aboveInputTokenCount,
          amount: amountText(amount),
          unit: 'million_tokens' as const,
          effectiveFrom,
          sourceKey: `${provider}/${id}`,
        }));
      });
    },
  );
}

/** Tiers begin above their `start`; some are written as the last token below a round number. */
function tiersOf(value: unknown): { amount: string; aboveInputTokenCount: number }[] {
  if (typeof value !== 'object' || value === null)
    return [{ amount: String(value), aboveInputTokenCount: 0 }];
  const { base, tiers } = value as { base?: unknown; tiers?: { start?: unknown; price?: unknown }[] };
  return [
    { amount: String(base), aboveInputTokenCount: 0 },
    ...(tiers ?? []).map(({ start, price }) => ({
      amount: String(price),
      aboveInputTokenCount: Math.round(Number(start) / 1_000) * 1_000,
    })),
  ];
}
