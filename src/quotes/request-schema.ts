import { z } from '@hono/zod-openapi';
import { DEPLOYMENT_TYPES, hasServiceTiers, SERVICE_TIERS } from '../../pricing/prices/rows.ts';
import { QUOTE_MODES } from '../../pricing/quotes/quote.ts';
import { modelKey } from '../../pricing/usage/names.ts';
import { FIGURES, TYPED_FIGURES, type TypedFigure } from '../../pricing/usage/shape.ts';
import { findDisagreement, type SourceTokenCounts } from '../../pricing/usage/tokens.ts';
import { TELLABLE_PARTS, type ToldParts } from '../../pricing/usage/untold.ts';
import { CurrencySchema, IdentifierSchema, textSchema } from '../platform/http/schemas.ts';

/** 10^15 tokens: beyond what any month holds, and within what a JSON number carries exactly. */
const MAX_TOKEN_COUNT = 10n ** 15n;
const MAX_USER_COUNT = 10_000_000n;

const wholeNumber = (what: string, limit: bigint) => {
  const error = `must be a whole number of ${what}, not negative (a number, or decimal text)`;
  return z
    .union([z.int(error).nonnegative(error), z.string().regex(/^\d{1,16}$/, error)], { error })
    .transform(BigInt)
    .refine((count) => count <= limit, { error: `must be at most ${limit}` })
    .openapi({ type: ['integer', 'string'], minimum: 0, pattern: '^\\d{1,16}$', example: '1250000' });
};

const countInput = wholeNumber('tokens', MAX_TOKEN_COUNT);

/** Decimal text; a number is taken as it is written. */
const decimalInput = (pattern: RegExp, error: string, example: string) =>
  z
    .union([z.number(), z.string()], { error })
    .transform(String)
    .pipe(z.string().regex(pattern, { error }))
    .openapi({ type: ['number', 'string'], example });

const shareInput = decimalInput(
  /^(?:0(?:\.\d{1,6})?|1(?:\.0{1,6})?)$/,
  'must be a share from 0 to 1 with at most 6 decimals',
  '0.4',
);

const scaleInput = decimalInput(
  /^(?!0+(?:\.0+)?$)\d{1,4}(\.\d{1,6})?$/,
  'must be a positive decimal number below 10000 with at most 6 decimals',
  '1.5',
);

const modelInput = textSchema(256).trim().min(1, { error: 'must not be empty' });
const regionInput = z
  .string()
  .regex(/^[a-z0-9-]{2,40}$/, { error: 'must be an Azure region such as swedencentral' });

const part = (description: string) => countInput.optional().openapi({ description });

/** Parts of prompt and completion with a price of their own; left out is not said, and not none. */
const partFields = {
  audioPromptTokenCount: part(
    'Audio of the prompt, a part of promptTokenCount. Left out: not said, and the cost of a model that has a price for audio is unknown; 0: there is none.',
  ),
  cachedAudioPromptTokenCount: part('A part of audioPromptTokenCount, and of cachedPromptTokenCount.'),
  imagePromptTokenCount: part('Images of the prompt, where the model has a price for them.'),
  cacheWrite5mTokenCount: part(
    'Written to the cache for five minutes, a part of promptTokenCount. Left out: not said, and the cost of a model that has a price for it is known in part.',
  ),
  cacheWrite1hTokenCount: part('Written to the cache for an hour; the same.'),
  audioCompletionTokenCount: part('Audio of the completion, a part of completionTokenCount.'),
  imageCompletionTokenCount: part('Images of the completion, where the model has a price for them.'),
} satisfies Record<keyof ToldParts, ReturnType<typeof part>>;

/** What requests are that decides what they cost, where the model has such prices. */
const requestFields = {
  serviceTier: z.enum(SERVICE_TIERS).optional().openapi({
    description: 'How soon requests are answered; what a rule says of the deployment, else standard.',
  }),
  requestInputTokenCount: countInput.optional().openapi({
    description:
      'Input tokens of each request, cached ones included: long ones may cost another price. Left out: promptTokenCount by requestCount; without that a cost that hangs on it is unknown, and what it lies between is said.',
  }),
};

const hasTierOfType = ({
  serviceTier = 'standard',
  deploymentType = 'global',
}: {
  serviceTier?: (typeof SERVICE_TIERS)[number] | undefined;
  deploymentType?: (typeof DEPLOYMENT_TYPES)[number] | undefined;
}) => serviceTier === 'standard' || hasServiceTiers(deploymentType);
const NO_TIER = { path: ['serviceTier'], error: 'does not go with batch or provisioned deployments' };

const UsageInputSchema = z
  .strictObject({
    model: modelInput,
    feature: textSchema(256).default(''),
    deployment: textSchema(512).trim().min(1, { error: 'must not be empty' }).optional().openapi({
      description:
        'Which of our deployments would serve it, where that matters: its throughput may be bought by the hour.',
    }),
    deploymentType: z.enum(DEPLOYMENT_TYPES).optional().openapi({
      description: 'How Azure runs the deployment; global unless said.',
    }),
    region: regionInput.optional(),
    ...requestFields,
    promptTokenCount: countInput.openapi({
      description: 'All tokens of the prompt: cached ones, audio, images and cache writes included.',
    }),
    cachedPromptTokenCount: countInput.optional(),
    cachedShare: shareInput.optional().openapi({ description: 'Instead of cachedPromptTokenCount.' }),
    completionTokenCount: countInput.openapi({ description: 'Reasoning, audio and images included.' }),
    ...partFields,
    requestCount: wholeNumber('requests', MAX_TOKEN_COUNT)
      .optional()
      .openapi({ description: 'For costs and prices of one request; tokens are what is priced.' }),
  })
  .refine((usage) => (usage.cachedPromptTokenCount ?? 0n) <= usage.promptTokenCount, {
    path: ['cachedPromptTokenCount'],
    error: 'must be at most promptTokenCount: cached tokens are a part of prompt tokens',
  })
  .refine((usage) => usage.cachedPromptTokenCount === undefined || usage.cachedShare === undefined, {
    path: ['cachedShare'],
    error: 'must not stand beside cachedPromptTokenCount',
  })
  .refine(hasTierOfType, NO_TIER)
  .superRefine((usage, context) => {
    // What is no count is said already, and is not to be calculated with.
    if (context.issues.length > 0) return;
    const issue = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    const parts = TELLABLE_PARTS.filter(({ property }) => (usage[property] ?? 0n) > 0n);
    if (usage.cachedShare !== undefined && parts.some(({ root }) => root === 'prompt')) {
      issue('cachedShare', 'must not stand beside parts of the prompt: say cachedPromptTokenCount');
      return;
    }
    const disagreement = parts.length === 0 ? null : findDisagreement(figuresOf(usage));
    if (disagreement === null) return;
    const { whole } = disagreement;
    const named = parts.filter(({ root }) => root === whole).map(({ property }) => property);
    issue(FIGURES[whole].property, `holds less than its parts: ${named.join(', ')}`);
  });

function figuresOf(usage: ToldParts & { promptTokenCount: bigint; completionTokenCount: bigint }) {
  const counts: { [Property in keyof SourceTokenCounts]?: bigint | undefined } = usage;
  const figures = {} as Record<TypedFigure, bigint>;
  for (const name of TYPED_FIGURES) figures[name] = counts[FIGURES[name].property] ?? 0n;
  return figures;
}

const LikeCustomerSchema = z.strictObject({
  customerId: IdentifierSchema,
  period: z
    .string()
    .regex(/^20\d{2}-(?:0[1-9]|1[0-2])$/, { error: 'must be a calendar month such as 2026-10' })
    .optional()
    .openapi({ example: '2026-10', description: 'A calendar month in UTC; the last 30 days unless said.' }),
  scale: scaleInput.optional().openapi({ description: 'Multiplies the usage.' }),
});

const AdjustmentsSchema = z
  .strictObject({
    modelSwaps: z
      .array(z.strictObject({ from: modelInput, to: modelInput }))
      .min(1)
      .max(20)
      .optional(),
    cachedShare: shareInput.optional().openapi({ description: 'Share of prompt tokens that are cached.' }),
    batchShare: shareInput.optional().openapi({ description: 'Share of all tokens that run as batch.' }),
    region: regionInput.optional(),
    deploymentType: z.enum(DEPLOYMENT_TYPES).optional(),
    ...requestFields,
  })
  .refine(hasTierOfType, NO_TIER)
  .refine(
    ({ modelSwaps = [] }) => new Set(modelSwaps.map(({ from }) => modelKey(from))).size === modelSwaps.length,
    {
      path: ['modelSwaps'],
      error: 'must swap each model once',
    },
  )
  .openapi('QuoteAdjustments');

const BASES = ['usage', 'likeCustomer', 'activeUsers'] as const;

export const QuoteRequestSchema = z
  .strictObject({
    usage: z.array(UsageInputSchema).min(1).max(500).optional().openapi({
      description: 'Tokens of a month by model and feature.',
    }),
    likeCustomer: z
      .union([IdentifierSchema, LikeCustomerSchema], {
        error: 'must be a customer id, or {"customerId", "period", "scale"}',
      })
      .optional()
      .openapi({ description: 'Instead: the settled usage of this customer.' }),
    activeUsers: z
      .array(
        z.strictObject({
          feature: textSchema(256),
          count: wholeNumber('users', MAX_USER_COUNT).refine((count) => count > 0n, {
            error: 'must be at least 1',
          }),
        }),
      )
      .min(1)
      .max(50)
      .refine((entries) => new Set(entries.map(({ feature }) => feature)).size === entries.length, {
        error: 'must name each feature once',
      })
      .optional()
      .openapi({
        description: 'Instead: so many active users of a feature, as ours were in the last 30 days.',
      }),
    scale: scaleInput.optional().openapi({ description: 'Of likeCustomer, where that is a customer id.' }),
    adjustments: AdjustmentsSchema.optional(),
    mode: z
      .enum(QUOTE_MODES, { error: `must be ${QUOTE_MODES.join(', ')}` })
      .default('new')
      .openapi({
        description:
          'new: the usage alone. merge: on top of what customerId uses in its current period. replace: instead of it.',
      }),
    customerId: IdentifierSchema.optional().openapi({
      description: 'Whose sell rates apply, and whose usage is there already.',
    }),
    planId: textSchema(100).min(1).optional().openapi({
      description: "This plan's rates; else those of customerId, else the catalogue's usual ones.",
    }),
    at: z.iso
      .datetime({ offset: true, error: 'must be an ISO instant such as 2026-11-01T00:00:00Z' })
      .optional()
      .openapi({ description: 'Whose list prices and plan version count; now unless said.' }),
    currency: CurrencySchema.optional().openapi({ description: "The plan's or customer's, or usd." }),
    targetMarginPercent: decimalInput(
      /^\d{1,2}(\.\d{1,4})?$/,
      'must be at least 0 and below 100, with at most 4 decimals',
      '35',
    )
      .optional()
      .openapi({ description: 'Also answers the price that reaches this share of it as margin.' }),
    validDays: z
      .int({ error: 'must be a whole number of days' })
      .min(1, { error: 'must be at least 1' })
      .max(365, { error: 'must be at most 365' })
      .optional()
      .openapi({ description: 'How long it can be accepted; as configured (30) unless said.' }),
    contractMonths: z
      .int({ error: 'must be a whole number of months' })
      .min(1, { error: 'must be at least 1' })
      .max(120, { error: 'must be at most 120' })
      .optional()
      .openapi({ description: 'How long the contract runs; as configured unless said.' }),
    title: textSchema(200).trim().min(1).optional().openapi({ example: 'Assistant for 200 people' }),
    preparedFor: textSchema(200).trim().min(1).optional().openapi({
      description: 'Who it is for, as the page of the quote names them; the name of customerId unless said.',
    }),
  })
  .superRefine((request, context) => {
    const issue = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    const given = BASES.filter((name) => request[name] !== undefined);
    if (given.length === 0) issue('usage', 'must be given, or likeCustomer, or activeUsers');
    for (const name of given.slice(1)) issue(name, `must not stand beside ${given[0]}: give one of them`);
    if (given.length > 1) issue(given[0] ?? 'usage', `must not stand beside ${given.slice(1).join(', ')}`);
    if (request.scale !== undefined && request.likeCustomer === undefined) {
      issue('scale', 'goes with likeCustomer only');
    } else if (request.scale !== undefined && typeof request.likeCustomer === 'object') {
      issue('scale', 'belongs into likeCustomer where that is an object');
    }
    if (request.mode !== 'new' && request.customerId === undefined) {
      issue('customerId', `is needed for mode ${request.mode}: whose usage is there already?`);
    }
  })
  .openapi('QuoteRequest');

export type QuoteRequest = z.output<typeof QuoteRequestSchema>;
