import type { FeedPrice } from '../../pricing/feeds/price.ts';
import type { PriceBookData } from '../../pricing/prices/rows.ts';

const ISO_DATE_SUFFIX = /-20\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;

/** Which names of the lists are one model of the book. */
export interface ModelNames {
  /** Canonical: those of the book in its order, new ones behind, by name. */
  models: readonly string[];
  canonicalOf: (name: string) => string;
  aliasesOf: (model: string) => string[];
  /** The day after which Azure has the model no more; null: none was said. */
  retiredOn: (model: string) => string | null;
}

/**
 * A dated version that is priced as its family is the family; one that is not is a model of its own. What the book knows
 * already keeps its place.
 * @param retirements day by key of the list
 */
export function nameModels(
  book: PriceBookData,
  prices: readonly FeedPrice[],
  more: readonly string[],
  retirements: ReadonlyMap<string, string>,
): ModelNames {
  const known = new Map(
    book.models.flatMap(({ model, aliases }) => [model, ...aliases].map((name) => [name, model])),
  );
  const byName = Map.groupBy(prices, ({ model }) => model);
  const newNames = [...new Set([...byName.keys(), ...more])].filter((name) => !known.has(name)).sort();
  const aliases = new Map<string, string[]>();
  for (const name of newNames) {
    const family = name.replace(ISO_DATE_SUFFIX, '');
    const canonical = family === name ? name : (known.get(family) ?? family);
    const isAlias = canonical !== name && isPricedAlike(byName.get(name) ?? [], byName.get(canonical) ?? []);
    known.set(name, isAlias ? canonical : name);
    if (isAlias) {
      aliases.set(canonical, [...(aliases.get(canonical) ?? []), name]);
      known.set(canonical, canonical);
    }
  }
  const first = book.models.map(({ model }) => model);
  const models = [...first, ...[...new Set(known.values())].filter((name) => !first.includes(name)).sort()];
  const retiredOn = new Map<string, string>();
  for (const { model, sourceKey } of prices) {
    const day = retirements.get(sourceKey);
    if (day !== undefined) retiredOn.set(known.get(model) ?? model, day);
  }
  return {
    models,
    canonicalOf: (name) => known.get(name) ?? name,
    aliasesOf: (model) => [
      ...(book.models.find((entry) => entry.model === model)?.aliases ?? []),
      ...(aliases.get(model) ?? []),
    ],
    retiredOn: (model) => retiredOn.get(model) ?? null,
  };
}

function isPricedAlike(dated: readonly FeedPrice[], family: readonly FeedPrice[]): boolean {
  const amounts = new Map(family.map((price) => [subjectOf(price), price.amount]));
  return dated.every((price) => (amounts.get(subjectOf(price)) ?? price.amount) === price.amount);
}

function subjectOf({
  deploymentType,
  region,
  tokenType,
  serviceTier,
  aboveInputTokenCount,
}: FeedPrice): string {
  return [deploymentType, region, tokenType, serviceTier, aboveInputTokenCount].join(' ');
}
