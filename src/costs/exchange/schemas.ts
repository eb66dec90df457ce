import { z } from '@hono/zod-openapi';
import type { Conversion, ConversionMiss } from '../../../pricing/exchange/rates.ts';

const CODE = z.string().regex(/^[a-z]{3}$/);

/** What an amount was converted by. */
export const ConversionSchema = z
  .object({
    from: CODE,
    to: CODE,
    rate: z.string().openapi({
      description:
        'Units of `to` for one of `from`, to 8 decimals; amounts are converted by `published`, unrounded.',
    }),
    day: z.string().openapi({ example: '2026-11-27' }),
    source: z.string(),
    published: z.array(z.object({ base: CODE, currency: CODE, rate: z.string() })),
  })
  .openapi('Conversion');

/** Null where nothing was converted, or there is no rate. */
export function showConversion(conversion: Conversion | ConversionMiss | null) {
  if (conversion === null || typeof conversion === 'string') return null;
  const { from, to, rate, day, source, published } = conversion;
  return { from, to, rate, day, source, published };
}
