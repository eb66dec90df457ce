import { isTellable } from '../usage/untold.ts';
import { checkPriceBook } from './book-check.ts';
import { type DeploymentIndex, indexDeployments } from './deployments.ts';
import {
  type PriceBookData,
  type PriceRow,
  picoPerUnitOf,
  type ServiceTier,
  startOf,
  timelineKeyOf,
} from './rows.ts';

export interface PriceEntry {
  row: PriceRow;
  /** Milliseconds since 1970; minus infinity: since ever. */
  startMs: number;
  /** Pico units of the currency for one token, image, second or hour; null: the price ends here. */
  picoPerUnit: bigint | null;
}

/** What the prices of a model depend on beside standard requests of any size. */
interface ModelTiers {
  /** Without standard. */
  serviceTiers: readonly ServiceTier[];
  /** Numbers of input tokens above which a request may cost another price, the greatest first. */
  thresholds: readonly number[];
}

/** A checked and indexed price book. Immutable. */
export interface PriceBook {
  readonly version: string;
  readonly currency: string;
  /** Canonical names, sorted. */
  readonly models: readonly string[];
  /** Canonical name by canonical name or alias. */
  readonly canonicalByName: ReadonlyMap<string, string>;
  /** By the key of a price (`timelineKeyOf`): its rows, the oldest first. */
  readonly timelines: ReadonlyMap<string, readonly PriceEntry[]>;
  /** Models that cost something else in a data zone or a region: where the deployment runs matters. */
  readonly pricedByPlace: ReadonlySet<string>;
  /** Models with a price for audio, images or cache writes: how many of the tokens are such matters. */
  readonly pricedByPart: ReadonlySet<string>;
  /** Of models with prices of a service tier or a context tier; the others have none. */
  readonly tiers: ReadonlyMap<string, ModelTiers>;
  readonly deployments: DeploymentIndex;
  /** What it was made of. */
  readonly data: PriceBookData;
}

export type PriceQuery = {
  model: string;
  /** The Azure deployment: what a rule says of it holds; without a rule its name is only a hint. */
  deployment?: string;
  /** Said outright; wins over a rule and over any hint in the deployment's name. */
  deploymentType?: PriceRow['deploymentType'];
  /** Said outright; wins over a rule. */
  region?: string;
  /** Of what is not counted in tokens: which; left out: any. */
  variant?: string;
  /** Of the request; wins over a rule. Neither says one: it is not told. */
  serviceTier?: ServiceTier;
  /** Of the one request that this is, all its input: cached tokens and cache writes too. Left out: not told. */
  requestInputTokenCount?: bigint;
  /** Where that is not told: no request of this usage has more; left out: it may have any. */
  mostInputTokenCount?: bigint;
  /** Instant of use; left out: the newest row. */
  at?: Date;
};

/**
 * Checks and indexes a price book.
 * @throws RangeError naming the first row that is wrong; see checkPriceBook
 */
export function createPriceBook(data: PriceBookData): PriceBook {
  const [problem] = checkPriceBook(data);
  if (problem !== undefined) throw new RangeError(`${problem.subject}: ${problem.message}`);
  const timelines = new Map<string, PriceEntry[]>();
  for (const row of data.prices) {
    const key = timelineKeyOf(row);
    const timeline = timelines.get(key) ?? [];
    timeline.push({ row, startMs: startOf(row), picoPerUnit: picoPerUnitOf(row) });
    timelines.set(key, timeline);
  }
  for (const timeline of timelines.values())
    timeline.sort((left, right) => compare(left.startMs, right.startMs));
  return {
    version: data.version,
    currency: data.currency,
    models: data.models.map((entry) => entry.model).sort(),
    canonicalByName: new Map(
      data.models.flatMap(({ model, aliases }) => [model, ...aliases].map((name) => [name, model])),
    ),
    timelines,
    pricedByPlace: new Set(
      data.prices
        .filter((row) => row.deploymentType === 'data_zone' || row.deploymentType === 'regional')
        .map((row) => row.model),
    ),
    pricedByPart: new Set(data.prices.filter((row) => isTellable(row.tokenType)).map((row) => row.model)),
    tiers: indexTiers(data.prices),
    deployments: indexDeployments(data.deployments),
    data,
  };
}

function indexTiers(rows: readonly PriceRow[]): Map<string, ModelTiers> {
  const found = new Map<string, { serviceTiers: Set<ServiceTier>; thresholds: Set<number> }>();
  for (const { model, serviceTier, aboveInputTokenCount } of rows) {
    if (serviceTier === 'standard' && aboveInputTokenCount === 0) continue;
    const ofModel = found.get(model) ?? { serviceTiers: new Set(), thresholds: new Set() };
    found.set(model, ofModel);
    if (serviceTier !== 'standard') ofModel.serviceTiers.add(serviceTier);
    if (aboveInputTokenCount > 0) ofModel.thresholds.add(aboveInputTokenCount);
  }
  return new Map(
    [...found].map(([model, { serviceTiers, thresholds }]) => [
      model,
      {
        serviceTiers: [...serviceTiers].sort(),
        thresholds: [...thresholds].sort((left, right) => right - left),
      },
    ]),
  );
}

function compare(left: number, right: number): number {
  return left === right ? 0 : left < right ? -1 : 1;
}
