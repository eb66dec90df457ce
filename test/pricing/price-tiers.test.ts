import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook as shipped } from '../../pricing/prices/azure-openai.ts';
import { checkPriceBook } from '../../pricing/prices/book-check.ts';
import { priceFinder } from '../../pricing/prices/finder.ts';
import { findPrice } from '../../pricing/prices/lookup.ts';
import { createPriceBook, type PriceQuery } from '../../pricing/prices/price-book.ts';
import {
  completeDeploymentRule,
  completePriceRow,
  type DeploymentRule,
  type PriceKind,
  type PriceRowInput,
  SERVICE_TIERS,
} from '../../pricing/prices/rows.ts';

function dataOf(rows: PriceRowInput[], deployments: Partial<DeploymentRule>[] = []) {
  return {
    ...shipped.data,
    sources: { manual: { title: 'by hand', asOf: '', note: '' } },
    models: [...new Set(rows.map(({ model }) => model))].map((model) => ({ model, aliases: [] })),
    deployments: deployments.map((rule) => completeDeploymentRule({ deployment: '*', ...rule })),
    prices: rows.map(completePriceRow),
  };
}

const above = { aboveInputTokenCount: 272_000 };
/** As gpt-5.4 is listed: long requests cost twice the input and one and a half of the output, priority twice the standard. */
const LISTED: PriceRowInput[] = [
  { model: 'gpt-5.4', tokenType: 'prompt', amount: '2.50' },
  { model: 'gpt-5.4', tokenType: 'prompt', amount: '5.00', ...above },
  { model: 'gpt-5.4', tokenType: 'prompt_cached', amount: '0.25' },
  { model: 'gpt-5.4', tokenType: 'completion', amount: '15' },
  { model: 'gpt-5.4', tokenType: 'completion', amount: '22.50', ...above },
  { model: 'gpt-5.4', tokenType: 'prompt', amount: '5.00', serviceTier: 'priority' },
  { model: 'gpt-5.4', tokenType: 'completion', amount: '30', serviceTier: 'priority' },
  { model: 'gpt-5.4', tokenType: 'prompt', amount: '1.25', deploymentType: 'batch' },
];
const book = createPriceBook(dataOf(LISTED));
const ask = (query: Partial<PriceQuery>, kind: PriceKind = 'prompt', of = book) => {
  const found = findPrice(of, { model: 'gpt-5.4', ...query }, kind);
  if (found.found) return found.row.amount;
  const { leastPicoUsdPerToken, mostPicoUsdPerToken } = found.between ?? {};
  return found.between === undefined
    ? found.reason
    : [found.reason, Number(leastPicoUsdPerToken) / 1e6, Number(mostPicoUsdPerToken) / 1e6];
};
const standard = { serviceTier: 'standard' as const };

describe('the size of a request', () => {
  it('changes the price of all its tokens, from one token above the limit on', () => {
    const of = (count: bigint, kind?: PriceKind) => ask({ ...standard, requestInputTokenCount: count }, kind);
    expect([of(272_000n), of(272_001n), of(500_000n)]).toEqual(['2.50', '5.00', '5.00']);
    expect([of(272_000n, 'completion'), of(272_001n, 'completion')]).toEqual(['15', '22.50']);
    // What the list has one price of costs that in any request.
    expect(of(500_000n, 'prompt_cached')).toBe('0.25');
  });

  it('is never taken for small where nobody told it', () => {
    expect(ask(standard)).toEqual(['context_tier_not_told', 2.5, 5]);
    expect(ask({ ...standard, mostInputTokenCount: 272_000n })).toBe('2.50');
    expect(ask({ ...standard, mostInputTokenCount: 272_001n })).toEqual(['context_tier_not_told', 2.5, 5]);
    expect(ask(standard, 'prompt_cached')).toBe('0.25');
  });

  it('has no price where only that of smaller requests is listed', () => {
    expect(ask({ serviceTier: 'priority', requestInputTokenCount: 300_000n })).toBe(
      'no_price_for_context_tier',
    );
    // The place has none of its own: the global one stands in, as for any other price.
    expect(ask({ deploymentType: 'batch', requestInputTokenCount: 300_000n })).toBe('5.00');
  });
});

describe('the service tier', () => {
  it('is what the request says, else a rule about the deployment, be it of any name', () => {
    const small = { requestInputTokenCount: 1_000n };
    expect(SERVICE_TIERS.map((serviceTier) => ask({ serviceTier, ...small }))).toEqual([
      '2.50',
      '5.00',
      'no_price_for_service_tier',
    ]);
    expect(ask(small)).toEqual(['service_tier_not_told', 2.5, 5]);
    const ruled = createPriceBook(
      dataOf(LISTED, [
        { serviceTier: 'standard' },
        { deployment: 'chat-*', deploymentType: 'global' },
        { deployment: 'chat-fast', serviceTier: 'priority' },
      ]),
    );
    const of = (deployment: string) => ask({ deployment, ...small }, 'prompt', ruled);
    expect([of('chat-fast'), of('chat-slow'), of('other'), of('')]).toEqual(['5.00', '2.50', '2.50', '2.50']);
    expect(ask({ deployment: 'chat-fast', ...standard, ...small }, 'prompt', ruled)).toBe('2.50');
  });

  it('does not exist for batch, and leaves a price unknown that the tier itself lacks', () => {
    expect(ask({ deploymentType: 'batch', mostInputTokenCount: 1n })).toBe('1.25');
    expect(ask({ requestInputTokenCount: 1n }, 'prompt_cached')).toBe('service_tier_not_told');
  });
});

it('prices what is not counted in tokens by its variant, else as any', () => {
  const image = { model: 'gpt-image-1', tokenType: 'image' as const };
  const images = createPriceBook(
    dataOf([
      { ...image, amount: '0.167', variant: '1024x1024 high' },
      { ...image, amount: '0.04' },
      { model: 'gpt-image-1', tokenType: 'search', amount: '10', unit: 'thousand_searches' },
    ]),
  );
  const of = (variant?: string) =>
    ask({ model: 'gpt-image-1', ...(variant && { variant }) }, 'image', images);
  expect([of('1024x1024 high'), of('512x512 low'), of()]).toEqual(['0.167', '0.04', '0.04']);
  expect(findPrice(images, { model: 'gpt-image-1' }, 'search')).toMatchObject({
    picoUsdPerToken: 10_000_000_000n,
  });
});

it('lets no prompt price go silently before that of an embedding', () => {
  const both = (amount: string) =>
    createPriceBook(
      dataOf([
        { model: 'e', tokenType: 'embedding', amount: '0.13' },
        { model: 'e', tokenType: 'prompt', amount },
      ]),
    );
  expect(ask({ model: 'e' }, 'prompt', both('0.13'))).toBe('0.13');
  expect(ask({ model: 'e' }, 'prompt', both('2'))).toBe('prices_disagree');
});

const REFUSED: [Partial<PriceRowInput>, string][] = [
  [{ serviceTier: 'turbo' as 'flex' }, 'serviceTier'],
  [{ serviceTier: 'flex', deploymentType: 'batch' }, 'serviceTier'],
  [{ aboveInputTokenCount: -1 }, 'aboveInputTokenCount'],
  [{ aboveInputTokenCount: 1.5 }, 'aboveInputTokenCount'],
  [{ tokenType: 'image', aboveInputTokenCount: 5 }, 'aboveInputTokenCount'],
  [{ variant: 'high' }, 'variant'],
  [{ tokenType: 'page', unit: 'thousand_searches' }, 'unit'],
];
it.each(REFUSED)('refuses %j by its field', (change, field) => {
  const row = { model: 'm', tokenType: 'prompt' as const, amount: '1' };
  expect(checkPriceBook(dataOf([{ ...row, ...change }])).map((problem) => problem.field)).toEqual([field]);
});

describe('whatever the book has', () => {
  const anyTier = fc.constantFrom(...SERVICE_TIERS);
  const rows = fc.uniqueArray(
    fc.record({
      model: fc.constant('m'),
      tokenType: fc.constantFrom('prompt' as const, 'completion' as const),
      deploymentType: fc.constantFrom('global' as const, 'data_zone' as const),
      region: fc.constantFrom('*', 'eu'),
      serviceTier: anyTier,
      aboveInputTokenCount: fc.constantFrom(0, 100, 200),
      amount: fc.constantFrom('1', '2', '3'),
    }),
    { selector: ({ amount: _, ...key }) => JSON.stringify(key), minLength: 1, maxLength: 12 },
  );

  it('a request has the price of its own row, and what is not told holds every request that it may be', () => {
    const size = fc.bigInt({ min: 0n, max: 300n });
    const type = fc.constantFrom('global' as const, 'data_zone' as const);
    fc.assert(
      fc.property(
        rows,
        anyTier,
        size,
        type,
        fc.constantFrom('*', 'eu'),
        (given, tier, count, deploymentType, region) => {
          const any = createPriceBook(dataOf(given));
          const place = { model: 'm', deploymentType, region };
          const exact = findPrice(
            any,
            { ...place, serviceTier: tier, requestInputTokenCount: count },
            'prompt',
          );
          if (exact.found) {
            expect(exact.row.serviceTier).toBe(tier);
            expect(count === 0n || exact.row.aboveInputTokenCount < count).toBe(true);
            // No standard row of the same place for larger requests was passed over.
            const passedOver = given.filter(
              (row) =>
                row.tokenType === 'prompt' &&
                row.serviceTier === tier &&
                row.region === exact.row.region &&
                row.deploymentType === exact.row.deploymentType &&
                row.aboveInputTokenCount > exact.row.aboveInputTokenCount &&
                row.aboveInputTokenCount < count,
            );
            expect(passedOver).toEqual([]);
          }
          for (const told of [{}, { mostInputTokenCount: count }, { serviceTier: tier }]) {
            const open = findPrice(any, { ...place, ...told }, 'prompt');
            expect(priceFinder(any)({ ...place, ...told }, 'prompt')).toEqual(open);
            if (!exact.found) continue;
            const price = exact.picoUsdPerToken;
            if (open.found) expect(open.picoUsdPerToken).toBe(price);
            else if (open.between !== undefined) {
              expect(open.between.leastPicoUsdPerToken <= price).toBe(true);
              expect(open.between.mostPicoUsdPerToken >= price).toBe(true);
            }
          }
        },
      ),
    );
  });
});
