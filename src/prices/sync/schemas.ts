import { z } from '@hono/zod-openapi';
import { formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';
import { DEPLOYMENT_TYPES, PRICE_KINDS } from '../../../pricing/prices/rows.ts';
import { InstantSchema, textSchema } from '../../platform/http/schemas.ts';
import type { PriceSyncItem } from './items.ts';
import type { LedgerMeterRow } from './retail-meters.ts';
import type { PriceSyncRun } from './runs.ts';

const PriceSchema = z
  .string()
  .regex(/^\d+(\.\d+)?$/)
  .openapi({ description: 'Exact decimal text.', example: '0.0000025' });

export const ITEM_STATUSES = ['applied', 'pending', 'accepted', 'rejected', 'withdrawn'] as const;
export const ITEM_VERDICTS = [
  'small_change',
  'large_change',
  'new_price',
  'unmapped',
  'unusable',
  'disappeared',
] as const;

export const PriceSyncRunSchema = z
  .object({
    id: z.string(),
    status: z.enum(['queued', 'running', 'done', 'failed']),
    requestedBy: z.string(),
    createdAt: InstantSchema,
    startedAt: InstantSchema.nullable(),
    finishedAt: InstantSchema.nullable(),
    lastError: z.string().nullable().openapi({ description: 'Code of what stopped it.' }),
    counts: z
      .object({
        pageCount: z.int(),
        itemCount: z.int().openapi({ description: 'Prices that the list holds.' }),
        ignoredCount: z.int().openapi({ description: 'Reservations and what ended.' }),
        unchangedCount: z.int(),
        appliedCount: z.int().openapi({ description: 'Small changes that the book has now.' }),
        waitingCount: z.int().openapi({ description: 'What waited for a person after it.' }),
      })
      .nullable(),
    bookVersionBefore: z.string().nullable(),
    bookVersionAfter: z.string().nullable(),
  })
  .openapi('PriceSyncRun');

export const PriceSyncItemSchema = z
  .object({
    id: z.string().openapi({ example: '17' }),
    status: z.enum(ITEM_STATUSES),
    verdict: z.enum(ITEM_VERDICTS),
    reason: z.string().nullable().openapi({ description: 'Why the book cannot take it as it is listed.' }),
    meterId: z.string(),
    meterName: z.string(),
    productName: z.string(),
    retailPrice: z
      .string()
      .openapi({ description: 'As listed, for one unitOfMeasure; several when they differ.' }),
    unitOfMeasure: z.string(),
    currency: z.string(),
    regions: z.array(z.string()),
    model: z.string().nullable().openapi({ description: 'Null: nobody has said what the meter is.' }),
    deploymentType: z.string().nullable(),
    region: z.string().nullable(),
    tokenType: z.string().nullable(),
    oldPrice: PriceSchema.nullable().openapi({
      description: "The book's, of one token, image, second or hour.",
    }),
    newPrice: PriceSchema.nullable(),
    listedFrom: InstantSchema.nullable(),
    effectiveFrom: InstantSchema.nullable().openapi({
      description: 'From when on the book has it, or would: never before the whole hour after the look.',
    }),
    isRetroactive: z.boolean().openapi({
      description: 'The list has had it for longer than the book can; the time between keeps the old price.',
    }),
    foundAt: InstantSchema,
    decidedBy: z.string().nullable(),
    decidedAt: InstantSchema.nullable(),
    decisionReason: z.string().nullable(),
  })
  .openapi('PriceSyncItem');

export const RetailMeterSchema = z
  .object({
    meterId: z.string(),
    target: z
      .object({ model: z.string(), deploymentType: z.string(), region: z.string(), tokenType: z.string() })
      .nullable(),
    note: z.string(),
    mappedBy: z.string(),
    mappedAt: InstantSchema,
  })
  .openapi('RetailMeter');

export const DecisionBody = z
  .strictObject({
    reason: textSchema(1_000)
      .refine((text) => text.trim() !== '', { error: 'is missing; say why' })
      .openapi({ example: 'Announced by Microsoft on 1 November.' }),
  })
  .openapi('PriceSyncDecision');

export const MeterMappingBody = z
  .strictObject({
    target: z
      .strictObject({
        model: textSchema(200).min(1, { error: 'must not be empty' }),
        deploymentType: z.enum(DEPLOYMENT_TYPES, { error: `must be one of ${DEPLOYMENT_TYPES.join(', ')}` }),
        region: textSchema(64).default('*'),
        tokenType: z.enum(PRICE_KINDS, { error: `must be one of ${PRICE_KINDS.join(', ')}` }),
      })
      .nullable()
      .openapi({ description: 'Null: the meter means nothing, whatever the mapping file says.' }),
    note: textSchema(1_000)
      .refine((text) => text.trim() !== '', { error: 'is missing; say where you read what this meter is' })
      .openapi({ example: 'Pricing page of 2026-11-01, GPT-4.1 global output.' }),
  })
  .openapi('RetailMeterMapping');

export function showRun(run: PriceSyncRun): z.infer<typeof PriceSyncRunSchema> {
  return {
    id: run.priceSyncRunId,
    status: run.status,
    requestedBy: run.requestedBy,
    createdAt: run.createdAt.toISOString(),
    startedAt: run.startedAt?.toISOString() ?? null,
    finishedAt: run.finishedAt?.toISOString() ?? null,
    lastError: run.lastError,
    counts: run.counts,
    bookVersionBefore: run.bookVersionBefore,
    bookVersionAfter: run.bookVersionAfter,
  };
}

export function showItem(item: PriceSyncItem): z.infer<typeof PriceSyncItemSchema> {
  return {
    id: String(item.priceSyncItemId),
    status: item.status,
    verdict: item.verdict,
    reason: item.reason,
    meterId: item.meterId,
    meterName: item.meterName,
    productName: item.productName,
    retailPrice: item.retailPrice,
    unitOfMeasure: item.unitOfMeasure,
    currency: item.currency,
    regions: item.regions,
    model: item.target?.model ?? null,
    deploymentType: item.target?.deploymentType ?? null,
    region: item.target?.region ?? null,
    tokenType: item.target?.tokenType ?? null,
    oldPrice: showPrice(item.oldPicoPerUnit),
    newPrice: showPrice(item.newPicoPerUnit),
    listedFrom: item.listedFrom?.toISOString() ?? null,
    effectiveFrom: item.effectiveFrom?.toISOString() ?? null,
    isRetroactive: item.isRetroactive,
    foundAt: item.foundAt.toISOString(),
    decidedBy: item.decidedBy,
    decidedAt: item.decidedAt?.toISOString() ?? null,
    decisionReason: item.decisionReason,
  };
}

export function showMeter(meter: LedgerMeterRow): z.infer<typeof RetailMeterSchema> {
  const { row } = meter;
  return {
    meterId: meter.meterId,
    target:
      row === null
        ? null
        : {
            model: row.model,
            deploymentType: row.deploymentType,
            region: row.region,
            tokenType: row.tokenType,
          },
    note: meter.note,
    mappedBy: meter.mappedBy,
    mappedAt: meter.mappedAt.toISOString(),
  };
}

function showPrice(picoPerUnit: bigint | null): string | null {
  return picoPerUnit === null ? null : formatDecimal(picoPerUnit, PICO_DIGITS);
}
