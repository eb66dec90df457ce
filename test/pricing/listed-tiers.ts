import { azureOpenAiPriceBook as shipped } from '../../pricing/prices/azure-openai.ts';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import { completeDeploymentRule, completePriceRow, type DeploymentRule } from '../../pricing/prices/rows.ts';

const LONG = { aboveInputTokenCount: 272_000 };

/** As gpt-5.4 and claude-opus-4-5 are listed: long requests, priority and what is written to the cache cost more. */
const LISTED_TIERS = [
  { model: 'gpt-5.4', tokenType: 'prompt' as const, amount: '2.50' },
  { model: 'gpt-5.4', tokenType: 'prompt' as const, amount: '5.00', ...LONG },
  { model: 'gpt-5.4', tokenType: 'prompt_cached' as const, amount: '0.25' },
  { model: 'gpt-5.4', tokenType: 'prompt_cached' as const, amount: '0.50', ...LONG },
  { model: 'gpt-5.4', tokenType: 'completion' as const, amount: '15' },
  { model: 'gpt-5.4', tokenType: 'completion' as const, amount: '22.50', ...LONG },
  ...(['5.00', '0.50', '30'] as const).map((amount, index) => ({
    model: 'gpt-5.4',
    tokenType: (['prompt', 'prompt_cached', 'completion'] as const)[index] ?? 'prompt',
    amount,
    serviceTier: 'priority' as const,
  })),
  { model: 'claude-opus-4-5', tokenType: 'prompt' as const, amount: '5' },
  { model: 'claude-opus-4-5', tokenType: 'prompt_cache_write_5m' as const, amount: '6.25' },
  { model: 'claude-opus-4-5', tokenType: 'prompt_cache_write_1h' as const, amount: '10' },
  { model: 'claude-opus-4-5', tokenType: 'completion' as const, amount: '25' },
];

/** A book of these prices alone. */
export function bookOfTiers(deployments: Partial<DeploymentRule>[] = []) {
  return createPriceBook({
    ...shipped.data,
    sources: { manual: { title: 'by hand', asOf: '', note: '' } },
    models: [...new Set(LISTED_TIERS.map(({ model }) => model))].map((model) => ({ model, aliases: [] })),
    deployments: deployments.map((rule) => completeDeploymentRule({ deployment: '*', ...rule })),
    prices: LISTED_TIERS.map(completePriceRow),
  });
}
