import { formatDecimal, formatMinor, formatPico, groupDigits } from '../../pricing/money.ts';
import type { CapacityStep } from '../../pricing/quotes/capacity.ts';
import type { QuoteGround } from '../../pricing/quotes/ground.ts';
import type { Quote } from '../../pricing/quotes/quote.ts';
import { MONTH_DAYS } from '../../pricing/quotes/range.ts';
import { WEIGHT_DIGITS } from '../../pricing/rating/provisioned.ts';
import { TELLABLE_PARTS, type UntoldReason } from '../../pricing/usage/untold.ts';

/** What a quote rests on, in sentences for our own people: it may name other customers. */
export function writeAssumptions(quote: Quote, ground: QuoteGround): string[] {
  return [
    ...describeUsage(ground),
    ...describeMode(ground),
    ...describeAdjustments(ground),
    `Costs are list prices of the price book ${quote.priceBookVersion} as of ${ground.at.toISOString()}.`,
    ...(ground.averagePicoUsdPerMillion === null
      ? []
      : [
          'Average costs hold what was paid for throughput by the hour, over the last 30 days; marginal costs do not.',
        ]),
    ...quote.capacitySteps.map(describeStep),
    describePrices(ground),
    ...describeMinimums(ground),
    ...describeExchange(ground),
    ...(ground.rangeReason === null ? describeRange(ground) : []),
    ...describeNotes(quote),
    ...describeUntold(quote, ground),
    ...describeUntoldSizes(quote, ground),
    'Taxes, discounts and fees beside the usage are not in it.',
  ];
}

function describeUsage({ usageBasis }: QuoteGround): string[] {
  const { kind, likeCustomer, from, to, scale, activeUsers, extrapolated } = usageBasis;
  if (kind === 'like_customer') {
    const factor = scale === '1' ? '' : `, times ${scale}`;
    return extrapolated === undefined
      ? [`The usage is the settled usage of ${likeCustomer} from ${from} to ${to}${factor}.`]
      : [
          `The usage is the settled usage of ${likeCustomer} from ${extrapolated.from} to ${extrapolated.to}, a part of a month, brought to ${extrapolated.monthDayCount} days${factor}.`,
        ];
  }
  if (kind === 'active_users') {
    return (activeUsers ?? []).map(
      ({ feature, count, sampleUserCount, sampleDayCount }) =>
        `${count} active users of ${feature} are expected to use in ${MONTH_DAYS} days what our ${sampleUserCount} active users used on average, measured over ${sampleDayCount} days until ${to}.`,
    );
  }
  return ['The usage is that of one month, as it was given.'];
}

function describeMode({ mode, customerId, usageBasis }: QuoteGround): string[] {
  const { existing } = usageBasis;
  if (mode === 'new' || existing === null) return ['The usage stands alone: nothing is used beside it.'];
  const period = `${existing.tokenCount} tokens from ${existing.from} until now`;
  const open =
    existing.openHourCount === '0'
      ? []
      : [`${existing.openHourCount} hours of that period are not settled yet, and not counted.`];
  return mode === 'merge'
    ? [`It comes on top of what ${customerId} uses in its current period: ${period}.`, ...open]
    : [`It replaces what ${customerId} uses in its current period: ${period}.`, ...open];
}

function describeAdjustments({ adjustments }: QuoteGround): string[] {
  const { modelSwaps = [], cachedShare, batchShare, region, deploymentType } = adjustments;
  const { serviceTier, requestInputTokenCount: input } = adjustments;
  return [
    ...modelSwaps.map(({ from, to }) => `${to} is used instead of ${from}, with the same tokens.`),
    ...(cachedShare === undefined ? [] : [`A share of ${cachedShare} of the prompt tokens is cached.`]),
    ...(batchShare === undefined ? [] : [`A share of ${batchShare} of all tokens runs as batch.`]),
    ...(deploymentType === undefined ? [] : [`All of it runs on ${deploymentType} deployments.`]),
    ...(region === undefined ? [] : [`All of it runs in ${region}.`]),
    ...(serviceTier === undefined ? [] : [`All of it is processed as ${serviceTier}.`]),
    ...(input === undefined ? [] : [`Every request has ${groupDigits(String(input))} input tokens.`]),
  ];
}

function describeStep(step: CapacityStep): string {
  const { deployment, addedUnitCount, isSpreadEvenly } = step;
  const tokens = (weight: bigint) => groupDigits(formatDecimal(weight, WEIGHT_DIGITS).replace(/\..*$/, ''));
  const hour = `${tokens(step.addedToBusiestHour)} weighted tokens beside ${tokens(step.busiestWeight)} in an hour that takes ${tokens(step.capacityWeight)}`;
  const outcome =
    addedUnitCount === 0n
      ? 'it fits, and costs nothing more'
      : `${addedUnitCount} more units are bought, for ${formatPico(step.hourlyPicoUsd)} an hour`;
  const spread = isSpreadEvenly
    ? 'It was not used in the last 7 days: the usage is spread evenly over the hours.'
    : 'The usage is spread over the hours as its own was in the last 7 days.';
  return `Throughput of ${deployment} is bought by the hour: ${hour}, so ${outcome}. ${spread}`;
}

function describePrices({ rateBasis, plan, customerId, currency }: QuoteGround): string {
  if (rateBasis === 'plan' && plan !== null) {
    return `Prices are those of the plan ${plan.planId}, version ${plan.versionId}.`;
  }
  return rateBasis === 'customer'
    ? `Prices are those of the subscriptions of ${customerId}.`
    : `Prices are the usual ones in ${currency}: for each meter what most subscriptions pay.`;
}

function describeMinimums({ minimums = [], currency }: QuoteGround): string[] {
  return minimums.map(
    ({ planName, minimumMinor }) =>
      `The plan ${planName} charges a minimum of ${formatMinor(minimumMinor, currency)} ${currency.toUpperCase()} for the period: usage that it covers costs nothing more.`,
  );
}

function describeExchange({ conversion, currency }: QuoteGround): string[] {
  if (conversion === undefined) return [];
  if (typeof conversion === 'string') {
    return [
      conversion === 'exchange_rate_too_old'
        ? `Costs are in US dollars, and the newest exchange rate to ${currency} is too old: there is no margin.`
        : `Costs are in US dollars, and no exchange rate to ${currency} is known: there is no margin.`,
    ];
  }
  const { rate, day, source } = conversion;
  return [`For margins a US dollar of cost is ${rate} ${currency}, the rate of ${day} (${source}).`];
}

function describeRange({ usageBasis, groups }: QuoteGround): string[] {
  if (groups.some(({ range }) => range?.heldPercent !== undefined)) {
    return [
      'In 8 of 10 cases so many users are expected to use from low to high: as they are drawn among ours, with what a sample of so few may be off by, each feature by itself.',
    ];
  }
  // Quotes from before ranges said how often they hold.
  return usageBasis.kind === 'active_users'
    ? [
        'The range is what it would be if every user were like the median one (low) or like one whom nine in ten do not exceed (high).',
      ]
    : ['The range is what it would be if all days were like the quietest or the busiest seven in a row.'];
}

/** What each price rests on beside an exact match, once for each model. */
function describeNotes({ lines }: Quote): string[] {
  const modelsByNote = new Map<string, Set<string>>();
  for (const { model, notes } of lines) {
    for (const note of notes) {
      const models = modelsByNote.get(note) ?? new Set<string>();
      modelsByNote.set(note, models.add(model));
    }
  }
  return [...modelsByNote].map(
    ([note, models]) =>
      `${note.replaceAll('_', ' ').replace(/^./, (first) => first.toUpperCase())}: ${[...models].join(', ')}.`,
  );
}

/** What of each model's tokens nobody said, where it has a price of its own; and how to say it. */
function describeUntold(
  { lines, totals, before }: Quote,
  { groups, existing, usageBasis }: QuoteGround,
): string[] {
  const usage = [...groups.flatMap((group) => group.usage), ...existing].filter(
    ({ untold }) => untold !== undefined,
  );
  if (usage.length === 0) return [];
  const untold = new Set(usage.flatMap((entry) => entry.untold ?? []));
  return (Object.keys(UNTOLD_WORDS) as UntoldReason[]).flatMap((reason) => {
    const isTotal = [totals.cost, before.cost].some((cost) => cost.reason === reason);
    const ofLines = lines.filter(({ cost }) => cost.reason === reason).map(({ model }) => model);
    const models = new Set(ofLines.length > 0 || !isTotal ? ofLines : usage.map(({ model }) => model));
    if (models.size === 0) return [];
    const { who, what } = UNTOLD_WORDS[reason];
    const names = TELLABLE_PARTS.filter((part) => part.reason === reason && untold.has(part.tokenType));
    const way =
      usageBasis.kind === 'given'
        ? ` Say ${names.map(({ property }) => property).join(', ')}: 0 where there are none.`
        : '';
    return [`How many tokens of ${[...models].join(', ')} are ${who} was not said: ${what}.${way}`];
  });
}

/** Where the size of requests decides the price and nobody said it. */
function describeUntoldSizes({ lines }: Quote, { usageBasis }: QuoteGround): string[] {
  const models = new Set(
    lines.flatMap(({ model, cost }) => (cost.reason === 'context_tier_not_told' ? [model] : [])),
  );
  if (models.size === 0) return [];
  const way =
    usageBasis.kind === 'given'
      ? 'Say requestInputTokenCount, or requestCount.'
      : 'Say requestInputTokenCount among the adjustments.';
  return [
    `Long requests to ${[...models].join(', ')} cost another price, and how large they are was not said: only what the cost lies between is known. ${way}`,
  ];
}

const UNTOLD_WORDS: Record<UntoldReason, { who: string; what: string }> = {
  audio_not_told: { who: 'audio', what: 'what they cost is unknown' },
  image_not_told: { who: 'images', what: 'what they cost is unknown' },
  cache_writes_not_told: { who: 'written to the cache', what: 'the cost is known without them, in part' },
};
