import { z } from '@hono/zod-openapi';
import { IMPORT_FORMATS } from '../../pricing/feeds/import.ts';
import type { PriceFileImportResult } from './file-import.ts';
import { PriceChangeSchema, PriceSchema, showPrice, showPriceChange } from './schemas.ts';

/** What was not taken is told one by one up to so many. */
const MAX_NOT_TAKEN = 1_000;

export const PriceImportSchema = PriceChangeSchema.extend({
  format: z.enum(IMPORT_FORMATS),
  pricesBefore: z
    .array(PriceSchema.nullable())
    .openapi({ description: 'Of each of `addedPrices` what held before it; null: there was no price.' }),
  notTakenCount: z.int(),
  notTaken: z
    .array(
      z.object({
        line: z.int().openapi({ description: '0: the list has no lines.' }),
        subject: z.string(),
        why: z.string(),
        details: z.record(z.string(), z.string()).openapi({ description: 'All that tells it apart.' }),
      }),
    )
    .openapi({ description: `What was not understood, the first ${MAX_NOT_TAKEN}.` }),
}).openapi('PriceImport');

export type PriceImportBody = z.output<typeof PriceImportSchema>;

export function showPriceImport(result: PriceFileImportResult): PriceImportBody {
  return {
    ...showPriceChange(result),
    format: result.format,
    pricesBefore: result.before.map((row) => (row === null ? null : showPrice(row))),
    notTakenCount: result.notTaken.length,
    notTaken: result.notTaken.slice(0, MAX_NOT_TAKEN),
  };
}
