import { calcPrice } from '@pydantic/genai-prices';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { priceFinder } from '../../pricing/prices/finder.ts';
import { findPrice } from '../../pricing/prices/lookup.ts';
import { costPicoUsd } from '../../pricing/rating/rating.ts';
import { emptyBuckets, type TokenBuckets } from '../../pricing/usage/tokens.ts';
import { createRandom } from '../../sandbox/random.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { assertEqual, type Bench, type BenchContext, type Measurement } from './bench.ts';
import { describeSpread, median, toTwoDecimals } from './support/statistics.ts';

const ROUND_COUNT = 7;
const START_MS = Date.UTC(2026, 0, 1);
/** Models whose list prices both know, and alike. */
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-mini', 'o1', 'o3', 'o3-mini', 'gpt-5'];
/** The peer adds binary floats: beyond this its total differs for another reason than that. */
const PEER_TOLERANCE = 1e-9;

/** What both can cost: the rows have no tokens of other types. */
const TYPES = ['prompt', 'prompt_cached', 'completion'] as const;

interface UsageRow {
  model: string;
  deployment: string;
  at: Date;
  tokens: TokenBuckets;
  /** What the peer takes: plain numbers, cached tokens among the input. */
  peer: { input_tokens: number; cache_read_tokens: number; output_tokens: number };
}

/** The cost of rows of usage: model, hour, three token types, out of the price book and out of the peer's. */
export const ratingPeerBench: Bench = {
  name: 'rating-peer',
  title: 'time to cost rows of usage, over genai-prices',
  target: 0.1,
  better: 'lower',
  run,
};

async function run({ quick, note }: BenchContext): Promise<Measurement> {
  const rows = createRows(quick ? 2_000 : 50_000);
  const expected = costWithOracle(rows);
  const own: number[] = [];
  const theirs: number[] = [];
  let worstPeerError = 0;
  for (let round = 0; round < (quick ? 3 : ROUND_COUNT); round += 1) {
    const ours = measure(() => costRows(rows));
    assertEqual('pico-USD', ours.result, expected);
    const peer = measure(() => costWithPeer(rows));
    worstPeerError = Math.max(worstPeerError, Math.abs(peer.result / (Number(expected) / 1e12) - 1));
    own.push(ours.milliseconds);
    theirs.push(peer.milliseconds);
    note(
      `round ${round + 1}: ${toTwoDecimals(ours.milliseconds)} ms and ${toTwoDecimals(peer.milliseconds)} ms`,
    );
  }
  if (worstPeerError > PEER_TOLERANCE) {
    throw new Error(`the peer's total is off by ${worstPeerError}: the two did different work`);
  }
  return {
    ratio: median(own) / median(theirs),
    detail:
      `${rows.length} rows of ${MODELS.length} models over a month; ours ${describeSpread(own, toTwoDecimals)} ms, ` +
      `genai-prices ${describeSpread(theirs, toTwoDecimals)} ms; ours equals the oracle: ${expected} pico-USD, ` +
      `the peer's floats are within ${worstPeerError.toExponential(1)} of it`,
  };
}

function measure<Result>(work: () => Result): { result: Result; milliseconds: number } {
  const startedMs = performance.now();
  const result = work();
  return { result, milliseconds: performance.now() - startedMs };
}

function createRows(count: number): UsageRow[] {
  const random = createRandom(7);
  return Array.from({ length: count }, (_, index) => {
    const model = MODELS[index % MODELS.length] ?? 'gpt-4o';
    const prompt = Math.floor(random() * 2_000_000);
    const cached = Math.floor(random() * 1_000_000);
    const completion = Math.floor(random() * 500_000);
    return {
      model,
      deployment: `${model}-global`,
      at: new Date(START_MS + (index % 720) * HOUR_MS),
      tokens: {
        ...emptyBuckets(),
        prompt: BigInt(prompt),
        prompt_cached: BigInt(cached),
        completion: BigInt(completion),
      },
      peer: { input_tokens: prompt + cached, cache_read_tokens: cached, output_tokens: completion },
    };
  });
}

function costRows(rows: readonly UsageRow[]): bigint {
  const find = priceFinder(azureOpenAiPriceBook);
  let total = 0n;
  for (const row of rows) {
    for (const tokenType of TYPES) {
      const found = find(row, tokenType);
      if (!found.found) throw new Error(`${row.model} has no ${tokenType} price: ${found.reason}`);
      total += costPicoUsd(row.tokens[tokenType], found.picoUsdPerToken);
    }
  }
  return total;
}

/** USD, as a binary float: the peer has nothing else. */
function costWithPeer(rows: readonly UsageRow[]): number {
  let total = 0;
  for (const { model, at, peer } of rows) {
    const price = calcPrice(peer, model, { providerId: 'azure', timestamp: at });
    if (price === null) throw new Error(`the peer does not know ${model}`);
    total += price.total_price;
  }
  return total;
}

/** Sums first and multiplies after, by the amounts as the list writes them. */
function costWithOracle(rows: readonly UsageRow[]): bigint {
  let total = 0n;
  for (const model of MODELS) {
    const own = rows.filter((row) => row.model === model);
    for (const tokenType of TYPES) {
      const tokenCount = own.reduce((sum, row) => sum + row.tokens[tokenType], 0n);
      const found = findPrice(azureOpenAiPriceBook, { model, deploymentType: 'global' }, tokenType);
      if (!found.found) throw new Error(`${model} has no ${tokenType} price`);
      assertEqual('unit of the list', found.row.unit, 'million_tokens');
      const [whole = '0', fraction = ''] = found.row.amount.split('.');
      total += tokenCount * BigInt(whole + fraction.padEnd(6, '0'));
    }
  }
  return total;
}
