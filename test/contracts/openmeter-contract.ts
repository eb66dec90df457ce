import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateCustomerBody,
  CreateMeterBody,
  GetCustomerParams,
  GetMeterParams,
  IngestEventsBody,
  ListCustomersQueryParams,
  ListEventsV2QueryParams,
  ListMetersQueryParams,
  QueryMeterPostBody,
  QueryMeterPostParams,
  UpdateCustomerBody,
  UpdateCustomerParams,
} from '@openmeter/sdk/zod';
import { z } from 'zod';
import type { Contract, DescribedAnswer, ReadField } from './contract.ts';
import type { Exchange } from './exchange.ts';
import { problemsOf, strictSchema } from './strict-schema.ts';
import { checkTypedLines, type TypedLine, valueLine } from './typed-values.ts';

interface RequestSchemas {
  path?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
}

/** The SDK's own schemas of requests; those of answers it publishes as types only. */
const REQUESTS: Record<string, RequestSchemas> = {
  'POST /api/v1/events': { body: z.array(IngestEventsBody) },
  // The schema leaves the filter out: it is an object in the description. Its type is held below.
  'GET /api/v2/events': { query: ListEventsV2QueryParams.extend({ filter: z.string() }) },
  'GET /api/v1/meters': { query: ListMetersQueryParams },
  'POST /api/v1/meters': { body: CreateMeterBody },
  'GET /api/v1/meters/{meterIdOrSlug}': { path: GetMeterParams },
  'POST /api/v1/meters/{meterIdOrSlug}/query': { path: QueryMeterPostParams, body: QueryMeterPostBody },
  'GET /api/v1/customers': { query: ListCustomersQueryParams },
  'POST /api/v1/customers': { body: CreateCustomerBody },
  'GET /api/v1/customers/{customerIdOrKey}': { path: GetCustomerParams },
  'PUT /api/v1/customers/{customerIdOrKey}': { path: UpdateCustomerParams, body: UpdateCustomerBody },
};

/** `Wire` is a type of the SDK as it travels: instants are text there. `Answer` falls back as the description does. */
const HEADER = `
import type { components, paths } from '${join(dirname(fileURLToPath(import.meta.resolve('@openmeter/sdk'))), 'src/client/schemas.js')}';
type Wire<Value> = Value extends Date ? \`\${number}-\${number}-\${number}T\${string}Z\`
  : Value extends readonly (infer Item)[] ? Wire<Item>[]
  : Value extends object ? { [Name in keyof Value]: Wire<Value[Name]> } : Value;
type Answer<Route, Status> = Route extends { responses: infer All }
  ? Status extends keyof All ? All[Status] : 'default' extends keyof All ? All['default'] : never : never;
type Filter = components['schemas']['FilterString'];
type TimeFilter = components['schemas']['FilterTime'];
type EventFilter = { [Name in 'id' | 'source' | 'subject' | 'type']?: Filter } & { [Name in 'time' | 'ingestedAt']?: TimeFilter };
`;

export const OPENMETER: Contract = {
  routes: Object.keys(REQUESTS),
  lies: [
    {
      at: 'POST /api/v1/meters 200',
      describedAs: 201,
      seen: 'a server built from its source of August 2026',
    },
  ],
  check: async ({ requests, answers, fields }) => {
    const filters = requests.flatMap(({ route, exchange }) =>
      exchange.query
        .filter(([name]) => name === 'filter')
        .map(([, text]) => valueLine(`${route} filter`, 'Wire<EventFilter>', JSON.parse(text))),
    );
    return [
      ...requests.flatMap(({ route, exchange }) => checkRequest(route, exchange)),
      ...(await checkTypedLines(HEADER, [...filters, ...answers.map(answerLine), ...fields.map(fieldLine)])),
    ];
  },
};

function checkRequest(route: string, exchange: Exchange): string[] {
  const { path, query, body } = REQUESTS[route] ?? {};
  const places: [string, z.ZodType, unknown][] = [
    ['path', strictSchema(path ?? z.object({}), 'address'), parametersOf(route, exchange.path)],
    ['query', strictSchema(query ?? z.object({}), 'address'), Object.fromEntries(exchange.query)],
    ['body', body === undefined ? z.null() : strictSchema(body, 'body'), exchange.requestBody],
  ];
  return places.flatMap(([place, schema, value]) =>
    problemsOf(schema, value).map((problem) => `${route} asked, ${place}: ${problem}`),
  );
}

function parametersOf(route: string, path: string): Record<string, string> {
  const parts = path.split('/').map(decodeURIComponent);
  const template = (route.split(' ')[1] ?? '').split('/');
  return Object.fromEntries(
    template.flatMap((part, place) =>
      part.startsWith('{') ? [[part.slice(1, -1), parts[place] ?? ''] as const] : [],
    ),
  );
}

function routeType(route: string): string {
  const [method = '', path = ''] = route.split(' ');
  return `paths['${path}']['${method.toLowerCase()}']`;
}

function answerLine({ route, status, contentType, body }: DescribedAnswer): TypedLine {
  const name = `${route} answered ${status}`;
  if (body === null && contentType === '') {
    return {
      name,
      code: `{ const none: undefined extends Answer<${routeType(route)}, ${status}>['content'] ? true : false = true; void none; }`,
    };
  }
  return valueLine(name, `Wire<Answer<${routeType(route)}, ${status}>['content']['${contentType}']>`, body);
}

function fieldLine({ route, status, field }: ReadField): TypedLine {
  let type = `Answer<${routeType(route)}, ${status}>['content']['application/json']`;
  for (const [, name, list] of field.matchAll(/([A-Za-z0-9_$]+|\*)|(\[\])/g)) {
    const step = list === undefined ? (name === '*' ? 'string' : `'${name}'`) : 'number';
    type = `NonNullable<${type}>[${step}]`;
  }
  return { name: `${route} is read: ${field}`, code: `{ let field: ${type} | undefined; void field!; }` };
}
