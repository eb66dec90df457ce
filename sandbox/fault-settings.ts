import { z } from 'zod';
import { AZURE_FAULTS } from './azure/faults.ts';
import { LATEST_MINUTES } from './azure/late-rows.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PARTITION_COUNT } from './openmeter/sink.ts';
import { LATE_REFUSALS } from './stripe/meter-events.ts';

const percent = z.number().min(0).max(100);
const milliseconds = z.number().int().min(0);
const DAY_MS = 86_400_000;

const network = z
  .strictObject({
    down: z.boolean(),
    next: z.array(z.enum(NETWORK_FAULTS).nullable()),
    percent: z.partialRecord(z.enum(NETWORK_FAULTS), percent),
    appliesTo: z.enum(['all', 'reads', 'writes']),
    retryAfterSeconds: z.number().int().min(0),
    dripMs: milliseconds,
  })
  .partial();

const clockSkewMs = z.number().int().min(-DAY_MS).max(DAY_MS);

/** What can be switched, by system. What is left out stays as it is; see docs/testing.md for what each one does. */
export const faultSettingsSchema = z
  .strictObject({
    azure: z
      .strictObject({
        network,
        clockSkewMs,
        next: z.array(z.enum(AZURE_FAULTS).nullable()),
        percent: z.partialRecord(z.enum(AZURE_FAULTS), percent),
        duplicatePercent: percent,
        previewMetricPercent: percent,
        rowCeiling: z.number().int().min(1),
        lateRows: z
          .strictObject({ percent, maxMinutes: z.number().int().min(2).max(LATEST_MINUTES) })
          .nullable(),
        staleReadMs: milliseconds,
      })
      .partial(),
    openMeter: z
      .strictObject({
        network,
        clockSkewMs,
        dropEvery: z.number().int().min(0),
        dropPercent: percent,
        /** How long ids are remembered; null: not at all. */
        dedupeMs: milliseconds.nullable(),
        poisonIds: z.array(z.string()),
        staleReadMs: milliseconds,
        /** 204 goes on and nothing is stored, of some partitions or of all; null: the sink works. */
        sinkOutage: z
          .strictObject({
            kind: z.enum(['standing', 'losing']),
            partitions: z
              .array(
                z
                  .number()
                  .int()
                  .min(0)
                  .max(PARTITION_COUNT - 1),
              )
              .optional(),
          })
          .nullable(),
      })
      .partial(),
    stripe: z
      .strictObject({
        network,
        clockSkewMs,
        /** Meter events that are accepted and not counted: without a word, or told of by an error report. */
        lose: z.strictObject({
          how: z.enum(['dropped', ...LATE_REFUSALS]),
          count: z.number().int().min(1).optional(),
          percent: percent.optional(),
        }),
        summaryLagMs: milliseconds,
        /** Event summaries stand still: they show nothing that comes from now on. */
        summariesStanding: z.boolean(),
        webhooks: z
          .strictObject({ duplicatePercent: percent, reorderPercent: percent, forgePercent: percent })
          .partial(),
      })
      .partial(),
  })
  .partial();

export type SandboxFaultSettings = z.input<typeof faultSettingsSchema>;
