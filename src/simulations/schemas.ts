import { z } from '@hono/zod-openapi';
import { TOKEN_TYPES } from '../../pricing/usage/tokens.ts';
import { ConversionSchema } from '../costs/exchange/schemas.ts';
import {
  AmountSchema,
  CurrencySchema,
  InstantSchema,
  TokenCountSchema,
  textSchema,
} from '../platform/http/schemas.ts';
import { usageWindowFields } from '../usage/hours/window.ts';

const MAX_SCENARIO_COUNT = 5;
const MAX_CUSTOMER_COUNT = 1_000;

const decimalText = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,12})?$/, { error: 'must be decimal text such as "2.50"' })
  .openapi({ example: '2.50' });
const nameText = textSchema(512).min(1, { error: 'must not be empty' });
/** Down to nothing, and up to a hundred times. */
const changeText = z
  .string()
  .regex(/^(-(100(\.0{1,4})?|\d{1,2}(\.\d{1,4})?)|\+?\d{1,4}(\.\d{1,4})?)$/, {
    error: 'must be a change in percent of -100 or more, such as "10" or "-12.5"',
  })
  .transform((text) => text.replace(/^\+/, ''))
  .openapi({ example: '-12.5' });
const tokenType = z.enum(TOKEN_TYPES, { error: `must be one of ${TOKEN_TYPES.join(', ')}` });

const ScenarioSchema = z
  .strictObject({
    name: textSchema(100).min(1, { error: 'must not be empty' }),
    plan: nameText
      .optional()
      .openapi({ description: 'Everybody pays by this plan instead of their own rates.' }),
    planVersion: nameText.optional().openapi({
      description:
        'A version of the plan, for the whole period, whenever it begins: its effect before it is applied.',
    }),
    markupPercent: z
      .string()
      .regex(/^\d{1,5}(\.\d{1,4})?$/, { error: 'must be a percentage such as "25"' })
      .optional()
      .openapi({ description: 'Everybody pays what the price book says and so much more; not beside plan.' }),
    costPrices: z
      .array(z.strictObject({ model: nameText, tokenType, usdPerMillion: decimalText }))
      .max(100)
      .default([])
      .openapi({ description: 'What we would pay Azure.' }),
    sellPrices: z
      .array(
        z.strictObject({
          model: nameText.default('*'),
          feature: nameText.default('*'),
          tokenType,
          currency: CurrencySchema.default('usd'),
          perMillion: decimalText,
        }),
      )
      .max(100)
      .default([])
      .openapi({
        description: 'What customers billed in the currency would pay; wins over rates and plans.',
      }),
    costChanges: z
      .array(
        z.strictObject({
          model: nameText.default('*'),
          tokenType: tokenType.or(z.literal('*')).default('*'),
          percent: changeText,
        }),
      )
      .max(100)
      .default([])
      .openapi({
        description: 'What we would pay Azure by the token, in percent more or less; costPrices win.',
      }),
    sellChanges: z
      .array(
        z.strictObject({
          model: nameText.default('*'),
          feature: nameText.default('*'),
          tokenType: tokenType.or(z.literal('*')).default('*'),
          percent: changeText,
        }),
      )
      .max(100)
      .default([])
      .openapi({
        description: 'What customers would pay by their rates, in percent more or less; sellPrices win.',
      }),
    minimum: z
      .strictObject({ amount: decimalText, currency: CurrencySchema.default('usd') })
      .optional()
      .openapi({
        description:
          'What a calendar month costs at least those billed in the currency, instead of their plans’.',
      }),
    discountPercent: z
      .string()
      .regex(/^(100|\d{1,2}(\.\d{1,4})?)$/, { error: 'must be a percentage from 0 to 100 such as "12.5"' })
      .optional()
      .openapi({ description: 'Off everybody’s month, minimums included.' }),
    modelSwaps: z
      .array(z.strictObject({ from: nameText, to: nameText, feature: nameText.optional() }))
      .max(20)
      .default([])
      .openapi({ description: 'The same tokens on another model; of one feature, or of all.' }),
    withoutFeatures: z
      .array(textSchema(512))
      .max(100)
      .default([])
      .openapi({ description: 'Features whose usage does not happen.' }),
  })
  .refine((scenario) => scenario.plan === undefined || scenario.markupPercent === undefined, {
    error: 'plan and markupPercent exclude each other',
    path: ['markupPercent'],
  })
  .refine((scenario) => scenario.planVersion === undefined || scenario.plan !== undefined, {
    error: 'is of a plan, which is missing',
    path: ['planVersion'],
  })
  .openapi('Scenario');

export const SimulationRequestSchema = z
  .strictObject({
    ...usageWindowFields,
    customerIds: z
      .array(textSchema(512).min(1, { error: 'must not be empty' }))
      .min(1, { error: 'must name a customer' })
      .max(MAX_CUSTOMER_COUNT)
      .optional()
      .openapi({ description: 'Of these customers alone; left out: of everybody, and of nobody’s usage.' }),
    customersOfPlan: nameText.optional().openapi({
      description: 'Of the customers with an active subscription to this plan; not beside customerIds.',
    }),
    scenarios: z
      .array(ScenarioSchema)
      .min(1, { error: 'must hold at least one scenario' })
      .max(MAX_SCENARIO_COUNT, {
        error: `must hold at most ${MAX_SCENARIO_COUNT} scenarios; send the others as a second simulation`,
      })
      .refine((scenarios) => new Set(scenarios.map(({ name }) => name)).size === scenarios.length, {
        error: 'must have different names',
      }),
  })
  .refine((request) => request.customerIds === undefined || request.customersOfPlan === undefined, {
    error: 'must not stand beside customerIds',
    path: ['customersOfPlan'],
  })
  .openapi('SimulationRequest');
export type SimulationRequest = z.output<typeof SimulationRequestSchema>;

const FigureSchema = z.object({
  amount: AmountSchema.nullable(),
  reason: z.string().nullable().openapi({ description: 'Why there is no amount.' }),
});

const FiguresSchema = z
  .object({
    scenario: z.string().openapi({ description: 'baseline, or a name of the request.' }),
    currency: z.string().nullable().openapi({ description: 'Of revenue and margin; null: nobody pays.' }),
    tokenCount: TokenCountSchema,
    revenue: FigureSchema,
    ratedRevenue: AmountSchema.nullable().openapi({ description: 'Of the usage that has a rate.' }),
    unratedTokenCount: TokenCountSchema,
    cost: FigureSchema.openapi({ description: 'USD.' }),
    knownCost: AmountSchema.openapi({ description: 'USD; of the usage whose price is known.' }),
    unknownCostTokenCount: TokenCountSchema,
    margin: FigureSchema,
    knownMargin: FigureSchema.openapi({
      description: 'Of the tokens with a rate and a price; the margin itself where all have both.',
    }),
    unknownTokenPercent: z.string().nullable().openapi({
      description: 'Tokens that are not in `knownMargin`; rounded up, null without tokens.',
    }),
    exchange: ConversionSchema.nullable().openapi({
      description:
        'What cost was converted by for the margins; null: it is in the currency, or there is no rate.',
    }),
  })
  .openapi('SimulatedFigures');
export type SimulatedFigures = z.output<typeof FiguresSchema>;

const FarthestSchema = z.array(
  z.object({ customerId: z.string().nullable(), currency: z.string(), marginDelta: AmountSchema }),
);

const SimulationHeadSchema = z.object({
  simulationId: z.string(),
  status: z.enum(['running', 'done', 'failed']),
  from: InstantSchema,
  to: InstantSchema,
  priceBookVersion: z.string(),
  createdAt: InstantSchema,
  createdBy: z.string(),
  request: z.unknown(),
  lastError: z.string().nullable(),
});

export const SimulationListSchema = z
  .object({ simulations: z.array(SimulationHeadSchema), nextCursor: z.string().nullable() })
  .openapi('SimulationList');

export const SimulationSchema = SimulationHeadSchema.extend({
  result: z
    .object({
      customerCount: z.int(),
      totals: z
        .array(
          z.object({
            currency: z.string().nullable().openapi({
              description: 'Of the baseline; null: usage that is nobody’s.',
            }),
            customerCount: z.int(),
            figures: z
              .array(FiguresSchema)
              .openapi({ description: 'Baseline first; currencies are never mixed.' }),
          }),
        )
        .openapi({ description: 'One entry for each currency of the baseline and of each scenario.' }),
      scenarios: z
        .array(z.object({ scenario: z.string(), winners: FarthestSchema, losers: FarthestSchema }))
        .openapi({ description: 'Customers whose margin rises or falls farthest against the baseline.' }),
      overhead: AmountSchema.openapi({
        description: 'USD; bought capacity that nobody used, in no customer’s cost.',
      }),
      unratedDayCount: z.int().openapi({
        description: 'Days whose capacity is not divided yet: their share is missing.',
      }),
    })
    .nullable(),
}).openapi('Simulation');
export type SimulationBody = z.output<typeof SimulationSchema>;
export type SimulationResult = NonNullable<SimulationBody['result']>;

export const SimulatedCustomersSchema = z
  .object({
    customers: z.array(
      z.object({
        customerId: z.string().nullable(),
        currency: z.string().nullable(),
        figures: z.array(FiguresSchema),
        marginDeltas: z
          .array(AmountSchema.nullable())
          .openapi({ description: 'For each scenario: the margin beyond the baseline’s; null: unknown.' }),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('SimulatedCustomers');
