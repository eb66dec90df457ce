/** A schema of OpenAPI 3.0, as far as Stripe's description uses it. */
export interface OpenApiSchema {
  $ref?: string;
  type?: string;
  nullable?: boolean;
  enum?: unknown[];
  format?: string;
  maxLength?: number;
  pattern?: string;
  properties?: Record<string, OpenApiSchema>;
  additionalProperties?: boolean | OpenApiSchema;
  items?: OpenApiSchema;
  anyOf?: OpenApiSchema[];
  required?: string[];
}

interface Content {
  content?: Record<string, { schema: OpenApiSchema }>;
}

export interface OpenApiOperation {
  parameters?: { name: string; in: 'query' | 'path'; required?: boolean; schema: OpenApiSchema }[];
  requestBody?: Content;
  responses: Record<string, Content>;
}

export interface OpenApi {
  info: { version: string };
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, OpenApiSchema> };
}

/** A schema that JSON Schema's own tools understand, and that sees fields which the description does not name. */
export function strictJsonSchema(openApi: OpenApi, schema: OpenApiSchema): object {
  const strict = (inner: OpenApiSchema) => strictJsonSchema(openApi, inner);
  const { nullable, anyOf, properties, additionalProperties, items } = schema;
  const inner: Record<string, unknown> = {};
  for (const keyword of ['$ref', 'type', 'enum', 'format', 'required', 'maxLength', 'pattern'] as const) {
    if (schema[keyword] !== undefined) inner[keyword] = schema[keyword];
  }
  if (items !== undefined) inner.items = strict(items);
  if (properties !== undefined) {
    const fields = Object.entries(properties).map(([name, field]) => [name, strict(field)]);
    inner.properties = Object.fromEntries(fields);
  }
  if (typeof additionalProperties === 'object') inner.additionalProperties = strict(additionalProperties);
  else if (additionalProperties !== undefined || properties !== undefined) {
    inner.additionalProperties = additionalProperties ?? false;
  }
  if (anyOf !== undefined) Object.assign(inner, oneBranch(openApi, anyOf, nullable === true));
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  else if (nullable === true) return { if: { not: { type: 'null' } }, then: inner };
  return inner;
}

/** The branch of a union is found by what a value says it is, so that what is wrong with it is told of that one alone. */
function oneBranch(openApi: OpenApi, branches: readonly OpenApiSchema[], nullable: boolean): object {
  const described = branches.map((branch) => ({
    strict: strictJsonSchema(openApi, branch),
    known: resolve(openApi, branch),
  }));
  const others = described.filter(({ known }) => known.type !== 'object').map(({ strict }) => strict);
  let ofObjects: object | null = null;
  for (const { strict, known } of described.filter(({ known: { type } }) => type === 'object')) {
    const condition = sayingOf(known);
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    ofObjects = ofObjects === null ? strict : { if: condition, then: strict, else: ofObjects };
  }
  const otherwise = { anyOf: nullable ? [...others, { type: 'null' }] : others };
  if (ofObjects === null) return otherwise;
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  return { if: { type: 'object' }, then: ofObjects, else: otherwise.anyOf.length === 0 ? false : otherwise };
}

/** By what an object of a schema is known: its `object`, and whether it is deleted. */
function sayingOf({ properties }: OpenApiSchema): object {
  const [name] = properties?.object?.enum ?? [];
  return {
    ...(properties?.deleted === undefined ? {} : { required: ['deleted'] }),
    ...(name === undefined ? {} : { properties: { object: { const: name } } }),
  };
}

function resolve(openApi: OpenApi, schema: OpenApiSchema): OpenApiSchema {
  if (schema.$ref === undefined) return schema;
  return openApi.components.schemas[schema.$ref.replace('#/components/schemas/', '')] ?? {};
}

/** Every route, as `METHOD /path/{parameter}`. */
export function routesOf(openApi: OpenApi): string[] {
  return Object.entries(openApi.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

/** What is said of a route; null: the description does not have it. */
export function operationOf(openApi: OpenApi, route: string): OpenApiOperation | null {
  const [method = '', path = ''] = route.split(' ');
  return openApi.paths[path]?.[method.toLowerCase()] ?? null;
}

/**
 * Whether a schema has a field, named as `data[].lines.data[].amount`, with `metadata.*` for any name. What an answer
 * may be expanded to counts.
 */
export function hasField(openApi: OpenApi, schema: OpenApiSchema, field: string): boolean {
  const steps = [...field.matchAll(/\[\]|\*|[A-Za-z0-9_$]+/g)].map(([step]) => step);
  const follow = (at: OpenApiSchema, place: number): boolean => {
    if (at.$ref !== undefined) return follow(resolve(openApi, at), place);
    if (at.anyOf !== undefined) return at.anyOf.some((branch) => follow(branch, place));
    const step = steps[place];
    if (step === undefined) return true;
    // Whatever object it is, as of an event.
    if (at.additionalProperties === true) return true;
    if (step === '[]') return at.items !== undefined && follow(at.items, place + 1);
    const known = at.properties?.[step];
    if (known !== undefined) return follow(known, place + 1);
    return typeof at.additionalProperties === 'object' && follow(at.additionalProperties, place + 1);
  };
  return follow(schema, 0);
}
