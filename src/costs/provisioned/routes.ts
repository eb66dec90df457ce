import { createRoute, z } from '@hono/zod-openapi';
import { formatDecimal, formatPico } from '../../../pricing/money.ts';
import {
  averagePicoUsdPerMillion,
  createProvisionedCapacity,
  hourlyCapacityWeight,
  hourlyCostPicoUsd,
  IDLE_POLICIES,
  marginalCostPicoUsd,
  WEIGHT_DIGITS,
} from '../../../pricing/rating/provisioned.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { type Api, type ApiDependencies, actorOf } from '../../platform/http/dependencies.ts';
import {
  AmountSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  problems,
  textSchema,
} from '../../platform/http/schemas.ts';
import { addPurchase, type ProvisionedPurchase, readPurchases } from './provisioned.ts';
import { OBSERVED_DAYS, observedWindow, type PurchaseUse, readPurchaseUse } from './usage.ts';

const decimalText = (example: string) =>
  z
    .string()
    .regex(/^\d{1,9}(\.\d{1,12})?$/, { error: `must be decimal text such as "${example}"` })
    .openapi({ example });
const count = (least: number, most = 1_000_000) => z.int().min(least).max(most);
const instant = z.iso.datetime({ offset: true, error: 'must be an instant, e.g. 2026-11-01T00:00:00Z' });

const PurchaseBody = z
  .strictObject({
    deployment: textSchema(512).min(1, { error: 'must not be empty' }),
    from: instant.openapi({ description: 'First hour.' }),
    until: instant
      .nullable()
      .default(null)
      .openapi({ description: 'End, not included; null: until further notice.' }),
    unitCount: count(0).openapi({ description: '0: nothing is bought from then on.' }),
    unitIncrement: count(1).default(1).openapi({ description: 'Units that can be bought at once.' }),
    hourlyUsdPerUnit: decimalText('1.00'),
    reservedUnitCount: count(0).default(0),
    reservedHourlyUsdPerUnit: decimalText('0.356').nullable().default(null),
    tokensPerMinutePerUnit: count(1, 1_000_000_000).openapi({ description: 'Weighted tokens.' }),
    completionWeight: decimalText('4').openapi({ description: 'Of a prompt token.' }),
    cachedWeight: decimalText('0').default('0'),
    idlePolicy: z.enum(IDLE_POLICIES).default('overhead').openapi({
      description: 'overhead: what nobody used is nobody’s cost. spread: users bear it, too.',
    }),
    note: textSchema(2_000).default(''),
  })
  .openapi('ProvisionedPurchase');

const PurchaseSchema = z
  .object({
    provisionedCapacityId: z.string(),
    deployment: z.string(),
    from: InstantSchema,
    until: InstantSchema.nullable(),
    unitCount: z.int(),
    unitIncrement: z.int(),
    hourlyUsdPerUnit: AmountSchema,
    reservedUnitCount: z.int(),
    reservedHourlyUsdPerUnit: AmountSchema.nullable(),
    tokensPerMinutePerUnit: z.int(),
    completionWeight: AmountSchema,
    cachedWeight: AmountSchema,
    idlePolicy: z.enum(IDLE_POLICIES),
    note: z.string(),
    createdBy: z.string(),
    createdAt: InstantSchema,
    hourlyCost: AmountSchema.openapi({ description: 'USD, used or not.' }),
    use: z
      .object({
        hourCount: z.int(),
        weightedTokensPerHourAtMost: AmountSchema.openapi({ description: 'What the units are rated for.' }),
        usedWeightedTokens: AmountSchema,
        busiestHourWeightedTokens: AmountSchema,
        averageUsdPerMillion: AmountSchema.nullable().openapi({
          description: 'All hours’ cost over the weighted tokens that were used; null when none were.',
        }),
        marginalUsdPerHour: z
          .object({
            freeWeightedTokens: AmountSchema.openapi({
              description: 'What still fits into an hour like the busiest one, for nothing.',
            }),
            beyond: AmountSchema.openapi({ description: 'USD an hour for the first token that does not.' }),
            addedUnitCount: z.int(),
          })
          .openapi({ description: 'What more usage adds to the bill: nothing, then a step.' }),
      })
      .openapi({ description: `Of the last ${OBSERVED_DAYS} days.` }),
  })
  .openapi('ProvisionedCapacity');
const PurchasesSchema = z.object({ purchases: z.array(PurchaseSchema) }).openapi('ProvisionedCapacities');
export type PurchaseShown = z.output<typeof PurchaseSchema>;

/** Adds `GET` and `POST /v1/provisioned`: throughput bought by the hour. */
export function addProvisionedRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/provisioned',
    tags: ['Costs'],
    summary: 'Throughput bought by the hour, how it is used, its average and its marginal cost',
    ...openTo(dependencies, 'sales', 'finance'),
    responses: { 200: jsonContent(PurchasesSchema, 'All purchases.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const window = observedWindow(clock.now());
    const used = await readSnapshot(database, async (snapshot) => {
      const found: [ProvisionedPurchase, PurchaseUse][] = [];
      for (const purchase of await readPurchases(snapshot)) {
        found.push([purchase, await readPurchaseUse(snapshot, purchase, window)]);
      }
      return found;
    });
    return context.json({ purchases: used.map(([purchase, use]) => showPurchase(purchase, use)) }, 200);
  });

  const addRoute = createRoute({
    method: 'post',
    path: '/v1/provisioned',
    tags: ['Costs'],
    summary: 'Write down what is bought for a deployment from an hour on; a purchase before it ends there',
    ...openTo(dependencies, 'finance'),
    request: { body: jsonBody(PurchaseBody) },
    responses: {
      201: jsonContent(PurchaseSchema, 'Written down; the days it concerns are rated again.'),
      ...problems(409, 413),
    },
  });
  api.openapi(addRoute, async (context) => {
    const { deployment, from, until, note, ...terms } = context.req.valid('json');
    const now = clock.now();
    const purchase = await addPurchase(
      database,
      {
        deployment,
        validFrom: new Date(from),
        validUntil: until === null ? null : new Date(until),
        terms,
        note,
      },
      { actor: actorOf(context), now },
    );
    const use = await readPurchaseUse(database, purchase, observedWindow(now));
    return context.json(showPurchase(purchase, use), 201);
  });
}

function showPurchase(
  { terms, validFrom, validUntil, createdAt, ...named }: ProvisionedPurchase,
  { hourCount, usedWeight, busiestWeight }: PurchaseUse,
): PurchaseShown {
  const capacity = createProvisionedCapacity(terms);
  const hourlyCost = hourlyCostPicoUsd(capacity);
  const most = hourlyCapacityWeight(capacity);
  const average = averagePicoUsdPerMillion(hourlyCost * BigInt(hourCount), usedWeight);
  const free = most > busiestWeight ? most - busiestWeight : 0n;
  const step = marginalCostPicoUsd(capacity, busiestWeight + free, 1n);
  const tokens = (weight: bigint) => formatDecimal(weight, WEIGHT_DIGITS);
  return {
    ...named,
    ...terms,
    from: validFrom.toISOString(),
    until: validUntil?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
    hourlyCost: formatPico(hourlyCost),
    use: {
      hourCount,
      weightedTokensPerHourAtMost: tokens(most),
      usedWeightedTokens: tokens(usedWeight),
      busiestHourWeightedTokens: tokens(busiestWeight),
      averageUsdPerMillion: average === null ? null : formatPico(average),
      marginalUsdPerHour: {
        freeWeightedTokens: tokens(free),
        beyond: formatPico(step.picoUsd),
        addedUnitCount: Number(step.addedUnitCount),
      },
    },
  };
}
