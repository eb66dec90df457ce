import { isTellable } from '../usage/untold.ts';
import { checkPriceBook } from './book-check.ts';
import { type DeploymentIndex, indexDeployments } from './deployments.ts';
import { type PriceBookData, type PriceRow, picoPerUnitOf, startOf, timelineKeyOf } from './rows.ts';

export interface PriceEntry {
  row: PriceRow;
  /** Milliseconds since 1970; minus infinity: since ever. */
  startMs: number;
  /** Pico units of the currency for one token, image, second or hour; null: the price ends here. */
  picoPerUnit: bigint | null;
}

/** A checked and indexed price book. Immutable. */
export interface PriceBook {
  readonly version: string;
  readonly currency: string;
  /** Canonical names, sorted. */
  readonly models: readonly string[];
  /** Canonical name by canonical name or alias. */
  readonly canonicalByName: ReadonlyMap<string, string>;
  /** By model, deployment type, region and kind: its rows, the oldest first. */
  readonly timelines: ReadonlyMap<string, readonly PriceEntry[]>;
  /** Models that cost something else in a data zone or a region: where the deployment runs matters. */
  readonly pricedByPlace: ReadonlySet<string>;
  /** Models with a price for audio, images or cache writes: how many of the tokens are such matters. */
  readonly pricedByPart: ReadonlySet<string>;
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
    deployments: indexDeployments(data.deployments),
    data,
  };
}

function compare(left: number, right: number): number {
  return left === right ? 0 : left < right ? -1 : 1;
}
