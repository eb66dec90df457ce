import { createRoute, z } from '@hono/zod-openapi';
import { formatPico } from '../../../pricing/money.ts';
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
import { listChanges, type RecordedChange, recordChange } from './store.ts';

const DaySchema = z.iso
  .date()
  .openapi({ example: '2026-11-01', description: 'The UTC day on which it was made.' });
const ChangeBody = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('swap'),
      feature: z.string().max(256),
      fromModel: textSchema(256),
      toModel: textSchema(256),
      madeOn: DaySchema,
      note: z.string().max(2_000).optional(),
    }),
    z.strictObject({
      kind: z.literal('cache'),
      feature: z.string().max(256),
      subject: textSchema(256),
      madeOn: DaySchema,
      note: z.string().max(2_000).optional(),
    }),
  ])
  .openapi('NewCostChange');

const ChangeSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['swap', 'cache']),
    feature: z.string(),
    fromModel: z.string().nullable(),
    toModel: z.string().nullable(),
    subject: z.string().nullable(),
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
        'USD that it really saved in these days. A swap: its tokens at the old model’s prices, less what they cost. A cache: mean days of two weeks before, less what these cost. Null: unknown.',
    }),
  })
  .openapi('CostChange');
export type ChangeBodyOut = z.output<typeof ChangeSchema>;

const ChangesSchema = z.object({ changes: z.array(ChangeSchema) }).openapi('CostChanges');
export type ChangesBody = z.output<typeof ChangesSchema>;

/** Adds `/v1/costs/changes`: what was changed to save cost, and what came of it. */
export function addChangeRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/costs/changes',
    tags: ['Costs'],
    summary: 'Swaps and caches that were made: what was forecast, and what they really saved',
    ...openTo(dependencies, 'sales', 'finance'),
    responses: { 200: jsonContent(ChangesSchema, 'The newest first, 100 at most.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const now = clock.now();
    const changes = await readSnapshot(database, (snapshot) => listChanges(snapshot, now));
    return context.json({ changes: changes.map(showChange) }, 200);
  });

  const recordRoute = createRoute({
    method: 'post',
    path: '/v1/costs/changes',
    tags: ['Costs'],
    summary: 'Say that a swap or a cache was made; what it should save is kept with it',
    ...openTo(dependencies, 'finance'),
    request: { body: jsonBody(ChangeBody) },
    responses: {
      200: jsonContent(ChangeSchema, 'Recorded; saying it again changes nothing.'),
      ...problems(413),
    },
  });
  api.openapi(recordRoute, async (context) => {
    const { note, ...change } = context.req.valid('json');
    const recorded = await recordChange(database, {
      change,
      note: note ?? '',
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showChange(recorded), 200);
  });
}

function showChange({ changeId, change, ...rest }: RecordedChange): ChangeBodyOut {
  const amount = (picoUsd: bigint | null) => (picoUsd === null ? null : formatPico(picoUsd));
  const { forecastDayPicoUsd, dayCount } = rest;
  return {
    id: String(changeId),
    kind: change.kind,
    feature: change.feature,
    fromModel: change.kind === 'swap' ? change.fromModel : null,
    toModel: change.kind === 'swap' ? change.toModel : null,
    subject: change.kind === 'cache' ? change.subject : null,
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
