import { z } from '@hono/zod-openapi';
import type { DeploymentRule, PriceRow } from '../../pricing/prices/rows.ts';
import { DEPLOYMENT_TYPES, PRICE_KINDS, PRICE_UNITS, SERVICE_TIERS } from '../../pricing/prices/rows.ts';
import { ValidationError } from '../platform/errors.ts';
import { CurrencySchema, InstantSchema, textSchema } from '../platform/http/schemas.ts';
import type { PriceBookChangeResult } from './book-changes.ts';

const noteText = textSchema(1_000);

export const PriceSchema = z
  .object({
    model: z.string(),
    deploymentType: z.enum(DEPLOYMENT_TYPES),
    region: z.string().openapi({ description: 'An Azure region, a data zone, or * for any.' }),
    tokenType: z.enum(PRICE_KINDS),
    variant: z.string().openapi({
      description: 'Which of what is not counted in tokens, e.g. "1024x1024 high"; empty: any.',
    }),
    serviceTier: z.enum(SERVICE_TIERS),
    aboveInputTokenCount: z.int().openapi({
      description: 'Holds for all tokens of requests with more input tokens than this; 0: for any.',
      example: 272_000,
    }),
    currency: CurrencySchema,
    amount: z
      .string()
      .openapi({ description: 'Exact decimal text for one unit, or "retired".', example: '2.50' }),
    unit: z.enum(PRICE_UNITS),
    effectiveFrom: InstantSchema.nullable().openapi({ description: 'null: since ever.' }),
    source: z.string(),
    sourceKey: z.string(),
    listedAt: z.string(),
    note: z.string(),
    confirmed: z.boolean().openapi({ description: 'Whether a second source says the same.' }),
    allowAbsurd: z.string(),
    allowGap: z.string(),
  })
  .openapi('Price');

export const PriceInputSchema = z
  .strictObject({
    model: textSchema(256),
    tokenType: z.enum(PRICE_KINDS),
    amount: z
      .string({ error: 'must be decimal text, e.g. "2.50", or "retired"; a JSON number is a float' })
      .max(60),
    deploymentType: z.enum(DEPLOYMENT_TYPES).optional(),
    region: textSchema(64).optional(),
    variant: textSchema(64).optional(),
    serviceTier: z.enum(SERVICE_TIERS).optional().openapi({ description: 'standard unless said.' }),
    aboveInputTokenCount: z.int().min(0).max(1_000_000_000).optional().openapi({
      description: 'The context tier: requests with more input tokens than this; any unless said.',
    }),
    currency: CurrencySchema.optional(),
    unit: z.enum(PRICE_UNITS).optional().openapi({ description: 'million_tokens unless said.' }),
    effectiveFrom: z
      .string()
      .max(40)
      .nullable()
      .optional()
      .openapi({ description: 'UTC, to the second; a day is its midnight; null: since ever.' }),
    source: textSchema(200).optional(),
    sourceKey: noteText.optional(),
    listedAt: z.string().max(10).optional(),
    note: noteText.optional(),
    confirmed: z.boolean().optional(),
    allowAbsurd: noteText.optional().openapi({ description: 'Why a step of more than 100 times is right.' }),
    allowGap: noteText.optional().openapi({ description: 'Why there was no price before.' }),
  })
  .openapi('PriceInput');

export const DeploymentSchema = z
  .object({
    deployment: z.string().openapi({ description: 'A name, or a pattern with * and ?.' }),
    model: z.string().nullable(),
    deploymentType: z.enum(DEPLOYMENT_TYPES).nullable(),
    region: z.string().nullable(),
    serviceTier: z.enum(SERVICE_TIERS).nullable().openapi({ description: 'null: not said.' }),
    effectiveFrom: InstantSchema.nullable(),
    retired: z.boolean(),
    note: z.string(),
  })
  .openapi('Deployment');

export const DeploymentInputSchema = z
  .strictObject({
    deployment: textSchema(256).min(1).openapi({ example: 'chat-prod' }),
    model: textSchema(256).nullable().optional(),
    deploymentType: z.enum(DEPLOYMENT_TYPES).nullable().optional(),
    region: textSchema(64).nullable().optional(),
    serviceTier: z.enum(SERVICE_TIERS).nullable().optional(),
    effectiveFrom: z.string().max(40).nullable().optional(),
    retired: z.boolean().optional(),
    note: noteText.optional(),
  })
  .openapi('DeploymentInput');

export const reasonSchema = textSchema(1_000)
  .refine((text) => text.trim() !== '', { error: 'is missing; say why' })
  .openapi({ example: 'New list of 1 December.' });

export const PriceChangeSchema = z
  .object({
    applied: z.boolean(),
    changeId: z.string().nullable(),
    version: z.string().openapi({ description: 'Of the price book, after the change.' }),
    versionBefore: z.string(),
    addedCount: z.int(),
    supersededCount: z.int(),
    unchangedCount: z.int().openapi({ description: 'What the book held already, word for word.' }),
    addedPrices: z.array(PriceSchema),
    supersededPrices: z.array(PriceSchema),
    addedDeployments: z.array(DeploymentSchema),
    affectedDays: z
      .array(z.object({ start: z.string(), end: z.string(), models: z.array(z.string()) }))
      .openapi({ description: 'Days that are rated again; the end is not included; no models: any.' }),
  })
  .openapi('PriceChange');

export type PriceChangeBody = z.output<typeof PriceChangeSchema>;

export function showPrice(row: PriceRow): z.output<typeof PriceSchema> {
  return { ...row };
}

export function showDeployment(rule: DeploymentRule): z.output<typeof DeploymentSchema> {
  return { ...rule };
}

export function showPriceChange(result: PriceBookChangeResult): PriceChangeBody {
  const { plan, changeId, version, versionBefore, affectedDays } = result;
  return {
    applied: changeId !== null,
    changeId: changeId === null ? null : String(changeId),
    version,
    versionBefore,
    addedCount: plan.added.prices.length + plan.added.deployments.length,
    supersededCount: plan.superseded.rows.length + plan.superseded.deployments.length,
    unchangedCount: plan.unchangedCount,
    addedPrices: plan.added.prices.map(showPrice),
    supersededPrices: plan.superseded.rows.map(showPrice),
    addedDeployments: plan.added.deployments.map(showDeployment),
    affectedDays,
  };
}

/** @throws ValidationError */
export function readInstantQuery(field: string, text: string): Date {
  const instant = new Date(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(instant.getTime())) {
    throw new ValidationError(
      field,
      'is no instant',
      'Write it like 2026-01-31T00:00:00Z, or like 2026-01-31.',
    );
  }
  return instant;
}
