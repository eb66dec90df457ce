import { z } from 'zod';
import { plainDecimal, type RetailItem } from '../../pricing/retail/item.ts';
import { UpstreamError } from '../platform/errors.ts';

export interface RetailPage {
  items: RetailItem[];
  nextLink: string | null;
}

/** A number as the text of the body; see `parseExactJson`. */
const number = z.string().transform((literal, context) => {
  try {
    return plainDecimal(literal);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a number' });
    return z.NEVER;
  }
});
const name = z.string().max(512);
/** The list writes UTC with a Z; a bare date is midnight UTC. */
const instant = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?Z)?$/)
  .transform((text) => new Date(text))
  .refine((value) => !Number.isNaN(value.getTime()));

const itemSchema = z.object({
  meterId: name.min(1),
  meterName: name,
  skuName: name,
  productName: name,
  serviceName: name,
  armRegionName: name.nullish().transform((text) => text ?? ''),
  currencyCode: z
    .string()
    .regex(/^[A-Za-z]{3}$/)
    .transform((text) => text.toLowerCase()),
  retailPrice: number,
  unitOfMeasure: name,
  type: name,
  tierMinimumUnits: number,
  effectiveStartDate: instant,
  effectiveEndDate: instant.nullish().transform((value) => value ?? null),
});

const pageSchema = z.object({
  Items: z.array(itemSchema).max(10_000),
  NextPageLink: z
    .string()
    .max(8_192)
    .nullish()
    .transform((link) => (link === '' ? null : (link ?? null))),
  Count: number,
});

/**
 * Reads one page. One price that cannot be read spoils the page: leaving it out would make it look withdrawn.
 * @throws UpstreamError PARTIAL_RESULT when the page holds fewer prices than it counts; UPSTREAM_REJECTED when it is
 *   no page of the price list
 */
export function readRetailPage(text: string, parseJson: (text: string) => unknown): RetailPage {
  const parsed = pageSchema.safeParse(parseOrNothing(text, parseJson));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UpstreamError('The price list has a page that cannot be read', {
      system: 'azure',
      code: 'UPSTREAM_REJECTED',
      retry: false,
      context: { at: issue?.path.join('.') ?? '', problem: issue?.message ?? '' },
      fix: 'Check AZURE_RETAIL_PRICES_URL; if it is right, the API has changed its form.',
    });
  }
  const { Items: rows, NextPageLink: nextLink, Count: count } = parsed.data;
  if (count !== String(rows.length)) {
    throw new UpstreamError(`A page of the price list counts ${count} prices and holds ${rows.length}`, {
      system: 'azure',
      code: 'PARTIAL_RESULT',
      retry: true,
      fix: 'Nothing was applied; the next run reads the whole list again.',
    });
  }
  return { items: rows.map(({ currencyCode, ...row }) => ({ ...row, currency: currencyCode })), nextLink };
}

function parseOrNothing(text: string, parseJson: (text: string) => unknown): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
