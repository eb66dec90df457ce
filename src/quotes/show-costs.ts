import { formatDecimal } from '../../pricing/money.ts';
import type { QuoteAnswer } from '../../pricing/quotes/answer.ts';
import type { CapacityStep } from '../../pricing/quotes/capacity.ts';
import { WEIGHT_DIGITS } from '../../pricing/rating/provisioned.ts';
import type { Formats } from './formats.ts';
import type { QuoteAnswerBody } from './schemas.ts';

/** What a deployment's bought throughput takes, carries and would need. */
export function showStep(
  step: CapacityStep,
  { cost }: Formats,
): NonNullable<QuoteAnswerBody['boughtThroughput']>[number] {
  const tokens = (weight: bigint) => formatDecimal(weight, WEIGHT_DIGITS);
  return {
    deployment: step.deployment,
    addedWeightedTokens: tokens(step.addedWeight),
    addedToBusiestHour: tokens(step.addedToBusiestHour),
    busiestHourWeightedTokens: tokens(step.busiestWeight),
    weightedTokensPerHourAtMost: tokens(step.capacityWeight),
    spreadEvenly: step.isSpreadEvenly,
    addedUnitCount: Number(step.addedUnitCount),
    addedHourlyCost: cost(step.hourlyPicoUsd),
    addedMonthlyCost: cost(step.monthlyPicoUsd),
  };
}

/** At list prices, unless throughput is bought by the hour: then its price belongs to what a token costs on average. */
export function showAverage(
  { quote, costPerMillionTokens, costPerRequest }: QuoteAnswer,
  averagePicoUsdPerMillion: bigint | null,
  { show, cost }: Formats,
): QuoteAnswerBody['averageCost'] {
  const { totals } = quote;
  if (averagePicoUsdPerMillion === null && quote.capacitySteps.length > 0) {
    const none = { amount: null, reason: 'no_measured_average' as const };
    return { perMillionTokens: none, perRequest: none, cost: none, basis: 'with_provisioned' };
  }
  if (averagePicoUsdPerMillion === null) {
    return {
      perMillionTokens: show(costPerMillionTokens, cost),
      perRequest: show(costPerRequest, cost),
      cost: show(totals.cost, cost),
      basis: 'list_prices',
    };
  }
  const average = (averagePicoUsdPerMillion * totals.tokenCount) / 1_000_000n;
  return {
    perMillionTokens: { amount: cost(averagePicoUsdPerMillion), reason: null },
    perRequest:
      totals.requestCount > 0n
        ? { amount: cost(average / totals.requestCount), reason: null }
        : { amount: null, reason: 'no_requests' },
    cost: { amount: cost(average), reason: null },
    basis: 'with_provisioned',
  };
}
