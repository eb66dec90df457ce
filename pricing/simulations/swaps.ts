import { priceFinder } from '../prices/finder.ts';
import { standInOf } from '../prices/lookup.ts';
import type { PriceBook, PriceQuery } from '../prices/price-book.ts';
import type { TokenType } from '../usage/tokens.ts';

/** Tokens of a feature on a model at prices of one time, paid by the token. */
export interface SwapUsage {
  feature: string;
  model: string;
  deployment: string;
  tokenType: TokenType;
  /** When its prices held. */
  at: Date;
  tokenCount: bigint;
  /** What they cost; null: some of it is unknown. */
  costPicoUsd: bigint | null;
}

/** What the same tokens would have cost on another model. */
export interface SwapCandidate {
  /** As the book calls it. */
  model: string;
  costPicoUsd: bigint;
  savingPicoUsd: bigint;
}

/** A feature's usage of a model, and the other models that would have cost less. */
export interface FeatureSwaps {
  feature: string;
  model: string;
  tokenCounts: ReadonlyMap<TokenType, bigint>;
  costPicoUsd: bigint;
  /** The largest saving first. */
  candidates: SwapCandidate[];
}

export interface Swaps {
  /** The largest saving first; those that no other model would have done for less are not among them. */
  features: FeatureSwaps[];
  /** Tokens of features and models of which some cost is unknown: nobody can say what they would save. */
  unknownTokenCount: bigint;
}

/**
 * What each feature would have saved on each plausible other model: one that deals with the same kind of thing (text, audio,
 * embeddings), and of which the book has its own price for every kind of token that was used, as the deployment runs and both
 * when they were used and now. How good its answers are is not in any figure, nor that it may need more tokens for them.
 * @param now a model whose prices have ended by then is offered no more
 */
export function findSwaps(usage: readonly SwapUsage[], book: PriceBook, now: Date): Swaps {
  const swaps: Swaps = { features: [], unknownTokenCount: 0n };
  for (const of of Map.groupBy(usage, ({ feature, model }) => JSON.stringify([feature, model])).values()) {
    const [first] = of;
    if (first === undefined) continue;
    const costPicoUsd = sumOf(of.map((part) => part.costPicoUsd));
    if (costPicoUsd === null) {
      swaps.unknownTokenCount += of.reduce((sum, { tokenCount }) => sum + tokenCount, 0n);
      continue;
    }
    const candidates = book.models
      .flatMap((model) => {
        const cost = costOnModel(model, of, book, now);
        const isLess = cost !== null && cost < costPicoUsd;
        return isLess ? [{ model, costPicoUsd: cost, savingPicoUsd: costPicoUsd - cost }] : [];
      })
      .sort((one, other) => (one.savingPicoUsd < other.savingPicoUsd ? 1 : -1));
    if (candidates.length === 0) continue;
    const { feature, model } = first;
    swaps.features.push({ feature, model, tokenCounts: countsOf(of), costPicoUsd, candidates });
  }
  const best = ({ candidates: [first] }: FeatureSwaps) => first?.savingPicoUsd ?? 0n;
  swaps.features.sort((one, other) => (best(one) < best(other) ? 1 : -1));
  return swaps;
}

/** What usage would have cost on another model; null: it is not plausible, or some of its price is unknown. */
export function costOnModel(
  model: string,
  usage: readonly SwapUsage[],
  book: PriceBook,
  now: Date,
): bigint | null {
  const find = priceFinder(book);
  const matter = dealsWith(book, model);
  if (matter === null) return null;
  let sum = 0n;
  for (const { tokenType, at, deployment, tokenCount, model: used } of usage) {
    const own = find({ model: used, deployment, at }, tokenType);
    if (!own.found || own.model === model || dealsWith(book, own.model) !== matter) return null;
    // What is told of the one is not told of the other: how much of it has a price of its own.
    if (book.pricedByPart.has(model) && !book.pricedByPart.has(own.model)) return null;
    const { deploymentType, region, serviceTier } = own.row;
    const served = (instant: Date): PriceQuery => ({
      model,
      at: instant,
      deploymentType,
      region,
      serviceTier,
    });
    const then = find(served(at), tokenType);
    const today = find(served(now), tokenType);
    if (!then.found || !today.found) return null;
    if (standInOf(then.notes) !== null && standInOf(own.notes) === null) return null;
    sum += tokenCount * then.picoUsdPerToken;
  }
  return sum;
}

type Matter = 'text' | 'audio' | 'image' | 'embeddings';
type Matters = ReadonlyMap<string, Matter | null>;
const mattersByBook = new WeakMap<PriceBook, Matters>();

/** What kind of thing a model deals with, by the kinds of prices that the book has for it. */
function dealsWith(book: PriceBook, model: string): Matter | null {
  const known = mattersByBook.get(book) ?? readMatters(book);
  mattersByBook.set(book, known);
  return known.get(model) ?? null;
}

function readMatters(book: PriceBook): Matters {
  const kinds = Map.groupBy(book.data.prices, ({ model }) => model);
  return new Map(
    [...kinds].map(([model, rows]) => [model, matterOf(rows.map(({ tokenType }) => tokenType))]),
  );
}

/** Null: the book does not say enough, such as of a model with a price for prompts alone. */
function matterOf(kinds: readonly string[]): Matter | null {
  if (kinds.some((kind) => kind.endsWith('_audio') || kind === 'second')) return 'audio';
  if (kinds.some((kind) => kind.endsWith('_image') || kind === 'image')) return 'image';
  if (kinds.includes('embedding')) return 'embeddings';
  return kinds.includes('completion') ? 'text' : null;
}

function countsOf(usage: readonly SwapUsage[]): Map<TokenType, bigint> {
  const counts = new Map<TokenType, bigint>();
  for (const { tokenType, tokenCount } of usage) {
    counts.set(tokenType, (counts.get(tokenType) ?? 0n) + tokenCount);
  }
  return counts;
}

function sumOf(costs: readonly (bigint | null)[]): bigint | null {
  let sum = 0n;
  for (const cost of costs) {
    if (cost === null) return null;
    sum += cost;
  }
  return sum;
}
