import { z } from '@hono/zod-openapi';
import { formatPico, PICO_DIGITS, parseDecimal } from '../../../pricing/money.ts';
import { AmountSchema, InstantSchema, textSchema } from '../../platform/http/schemas.ts';
import type { ChangeMade } from './measure.ts';
import type { RecordedChange } from './store.ts';

const DaySchema = z.iso
  .date()
  .openapi({ example: '2026-11-01', description: 'The UTC day on which it was made.' });
const DayLimitSchema = z
  .string()
  .refine((text) => readDayLimit(text) !== null, {
    error: 'must be an amount above zero, with at most 12 decimals',
  })
  .openapi({ example: '2.50', description: 'USD that the user’s feature may cost in a day.' });
const NAME = textSchema(256).min(1, { error: 'must not be empty' });
const COMMON = { feature: textSchema(256), madeOn: DaySchema, note: textSchema(2_000).optional() };

/** A change as it is recorded. */
export const ChangeBody = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('swap'), ...COMMON, fromModel: NAME, toModel: NAME }),
    z.strictObject({ kind: z.literal('cache'), ...COMMON, subject: NAME }),
    z.strictObject({ kind: z.literal('cap'), ...COMMON, subject: NAME, dayLimit: DayLimitSchema }),
  ])
  .openapi('NewCostChange');

export function toChange(body: z.output<typeof ChangeBody>): { change: ChangeMade; note: string } {
  const { note = '', ...told } = body;
  if (told.kind !== 'cap') return { change: told, note };
  const { dayLimit, ...cap } = told;
  return { change: { ...cap, dayLimitPicoUsd: readDayLimit(dayLimit) ?? 0n }, note };
}

function readDayLimit(text: string): bigint | null {
  try {
    const picoUsd = parseDecimal(text, PICO_DIGITS);
    return picoUsd > 0n ? picoUsd : null;
  } catch {
    return null;
  }
}

export const ChangeSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['swap', 'cache', 'cap']),
    feature: z.string(),
    fromModel: z.string().nullable(),
    toModel: z.string().nullable(),
    subject: z.string().nullable(),
    dayLimit: AmountSchema.nullable().openapi({ description: 'Of a cap: USD in a day.' }),
    madeOn: z.string(),
    note: z.string(),
    recordedBy: z.string(),
    recordedAt: InstantSchema,
    dayCount: z.int().openapi({ description: 'Whole days since the day after it was made.' }),
    forecastDay: AmountSchema.nullable().openapi({
      description: 'USD of a day, by the 30 before; recorded with the change. Null: nothing could be said.',
    }),
    forecast: AmountSchema.nullable().openapi({
      description: 'USD: the same for the days that are measured.',
    }),
    saved: AmountSchema.nullable().openapi({
      description:
        'USD that it really saved in these days. A swap: its tokens at the old model’s prices, less what they cost. A cache or a cap: mean days of two weeks before, less what these cost. Null: unknown.',
    }),
  })
  .openapi('CostChange');
export type ChangeBodyOut = z.output<typeof ChangeSchema>;

export const ChangesSchema = z.object({ changes: z.array(ChangeSchema) }).openapi('CostChanges');
export type ChangesBody = z.output<typeof ChangesSchema>;

export function showChange({ changeId, change, ...rest }: RecordedChange): ChangeBodyOut {
  const amount = (picoUsd: bigint | null) => (picoUsd === null ? null : formatPico(picoUsd));
  const { forecastDayPicoUsd, dayCount } = rest;
  return {
    id: String(changeId),
    kind: change.kind,
    feature: change.feature,
    fromModel: change.kind === 'swap' ? change.fromModel : null,
    toModel: change.kind === 'swap' ? change.toModel : null,
    subject: change.kind === 'swap' ? null : change.subject,
    dayLimit: change.kind === 'cap' ? formatPico(change.dayLimitPicoUsd) : null,
    madeOn: change.madeOn,
    note: rest.note,
    recordedBy: rest.recordedBy,
    recordedAt: rest.recordedAt.toISOString(),
    dayCount,
    forecastDay: amount(forecastDayPicoUsd),
    forecast: amount(forecastDayPicoUsd === null ? null : forecastDayPicoUsd * BigInt(dayCount)),
    saved: amount(rest.savedPicoUsd),
  };
}
