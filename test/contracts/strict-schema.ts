import { z } from 'zod';

/**
 * A zod schema made to see what a generated one lets through: fields that it does not name, and, outside of addresses
 * (where all is text), values of another type that it would have made into the right one.
 */
export function strictSchema(schema: z.ZodType, place: 'body' | 'address'): z.ZodType {
  const inner = (child: unknown) => strictSchema(child as z.ZodType, place);
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries(schema.shape).map(([name, field]) => [name, inner(field)] as const);
    return z.strictObject(Object.fromEntries(fields));
  }
  if (schema instanceof z.ZodOptional) return inner(schema.unwrap()).optional();
  // A default is no leave to send nothing where the vendor's own server has none.
  if (schema instanceof z.ZodDefault) return inner(schema.def.innerType).optional();
  if (schema instanceof z.ZodNullable) return inner(schema.unwrap()).nullable();
  if (schema instanceof z.ZodArray) return withChecks(z.array(inner(schema.element)), schema);
  if (schema instanceof z.ZodUnion) return z.union(schema.options.map(inner));
  if (schema instanceof z.ZodRecord) return z.record(z.string(), inner(schema.valueType));
  if (place === 'address') return schema;
  if (schema instanceof z.ZodString) return withChecks(z.string(), schema);
  if (schema instanceof z.ZodNumber) return withChecks(z.number(), schema);
  if (schema instanceof z.ZodBoolean) return z.boolean();
  if (schema instanceof z.ZodDate) return z.iso.datetime({ offset: true });
  return schema;
}

/** The same limits: lengths, patterns, bounds. */
function withChecks(schema: z.ZodType, original: z.ZodType): z.ZodType {
  return schema.check(...((original.def.checks ?? []) as z.core.$ZodCheck<unknown>[]));
}

/** What is wrong with a value, by a strict schema, each as `place: message`. */
export function problemsOf(schema: z.ZodType, value: unknown): string[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
}

/** Every field that a schema reads, as `data[].windowStart`; `groupBy.*` for any name in a record. */
export function fieldsRead(schema: z.ZodType, at = ''): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return fieldsRead(schema.unwrap() as z.ZodType, at);
  }
  if (schema instanceof z.ZodArray) return fieldsRead(schema.element as z.ZodType, `${at}[]`);
  if (schema instanceof z.ZodRecord) return fieldsRead(schema.valueType as z.ZodType, `${at}.*`);
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([name, field]) =>
      fieldsRead(field as z.ZodType, at === '' ? name : `${at}.${name}`),
    );
  }
  return [at];
}
