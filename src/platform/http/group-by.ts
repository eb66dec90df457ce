import { z } from '@hono/zod-openapi';

/**
 * `groupBy` of a query: names of dimensions, with commas between them.
 * @param options what counts when it is left out; '' is no dimension, which `least: 0` allows
 */
export function groupBySchema<const Dimension extends string>(
  dimensions: readonly Dimension[],
  options: { default: string; least: 0 | 1; example: string },
) {
  const names = dimensions.join(', ');
  return z
    .string()
    .default(options.default)
    .transform((text) => (text === '' ? [] : text.split(',')))
    .pipe(
      z
        .array(z.enum(dimensions, { error: `must be some of ${names}` }))
        .min(options.least, { error: `must name at least one of ${names}` })
        .refine((chosen) => new Set(chosen).size === chosen.length, { error: 'must not name one twice' }),
    )
    .openapi({ type: 'string', example: options.example, description: names });
}
