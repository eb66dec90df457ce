import { z } from 'zod';

type Json = Record<string, unknown>;

export interface OpenApiDocument {
  openapi: string;
  paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: Json }> }> }>
  >;
  components: { schemas: Record<string, Json> };
}

/**
 * A validator made from the served document alone: what a client that was generated from it would accept.
 * Objects are closed, so that a field which the document does not name fails.
 */
export function responseValidator(
  document: OpenApiDocument,
  route: { method: string; path: string; status: number; mediaType: string },
): z.ZodType {
  const operation = document.paths[route.path]?.[route.method];
  const schema = operation?.responses[String(route.status)]?.content?.[route.mediaType]?.schema;
  if (schema === undefined) throw new Error(`the document has no ${JSON.stringify(route)}`);
  return z.fromJSONSchema(inline(schema, document) as Parameters<typeof z.fromJSONSchema>[0]);
}

function inline(schema: unknown, document: OpenApiDocument): unknown {
  if (Array.isArray(schema)) return schema.map((entry) => inline(entry, document));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $ref: reference, ...rest } = schema as Json;
  if (typeof reference === 'string') {
    const name = reference.replace('#/components/schemas/', '');
    const target = document.components.schemas[name];
    if (target === undefined) throw new Error(`${reference} leads nowhere`);
    return inline(target, document);
  }
  const own = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, inline(value, document)]));
  return own.type === 'object' && own.properties !== undefined
    ? { ...own, additionalProperties: false }
    : own;
}
