import { fileURLToPath } from 'node:url';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { decodeForm } from '../../sandbox/stripe/http/form.ts';
import type { Contract, DescribedAnswer, ReadField } from './contract.ts';
import type { Exchange } from './exchange.ts';
import {
  hasField,
  type OpenApi,
  type OpenApiSchema,
  operationOf,
  routesOf,
  strictJsonSchema,
} from './openapi.ts';
import { checkTypedLines, valueLine } from './typed-values.ts';

const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';
const DESCRIPTION = 'stripe.json';

/** What Stripe's description, of an earlier version than the one we ask for, says otherwise than the stand-in or the product. */
export interface KnownDeviation {
  /** How the problem is told. */
  problem: RegExp;
  reason: string;
  /** No walk shows it, only what tests, demo and months say. */
  isOnlyRecorded?: true;
}

/** A route that the description does not have. */
export interface RouteBeyond {
  reason: string;
  /** The type of its answer among the SDK's own; null: the SDK has none either. */
  answerType: string | null;
}

export interface StripeContractOptions {
  /** What the product asks. */
  routes: readonly string[];
  deviations: readonly KnownDeviation[];
  beyond: Readonly<Record<string, RouteBeyond>>;
}

/** `Wire` is a type of the SDK as it travels. */
const HEADER = `
import type { Stripe } from '${fileURLToPath(import.meta.resolve('stripe'))}';
type Wire<Value> = Value extends Stripe.Decimal ? string : Value extends readonly (infer Item)[] ? Wire<Item>[]
  : Value extends object ? { [Name in keyof Value]: Wire<Value[Name]> } : Value;
`;

/**
 * Stripe's published OpenAPI document as a contract: forms, queries, answers and fields that are read; what it does not
 * have is held against the types of the SDK.
 */
export function stripeContract(openApi: OpenApi, options: StripeContractOptions): Contract {
  const { routes, deviations, beyond } = options;
  const judge = createJudge(openApi);
  return {
    routes,
    others: [...routesOf(openApi), ...Object.keys(beyond)],
    lies: [],
    check: async ({ requests, answers, fields }) => {
      const lines = answers.flatMap(({ route, status, body }) => {
        const type = beyond[route]?.answerType ?? null;
        return type === null || status >= 400
          ? []
          : [valueLine(`${route} answered ${status}`, `Wire<${type}>`, body)];
      });
      const problems = [
        ...requests
          .filter(({ route }) => beyond[route] === undefined)
          .flatMap(({ route, exchange }) => judge.request(route, exchange)),
        ...answers
          .filter(({ route }) => beyond[route] === undefined)
          .flatMap((answer) => judge.answer(answer)),
        ...fields.filter(({ route }) => beyond[route] === undefined).flatMap((field) => judge.field(field)),
        ...(await checkTypedLines(HEADER, lines)),
      ];
      return withoutKnown([...new Set(problems)], deviations);
    },
  };
}

/** What is left beside the named deviations, of which each must be seen. */
function withoutKnown(problems: readonly string[], deviations: readonly KnownDeviation[]): string[] {
  const unseen = new Set(deviations.filter(({ isOnlyRecorded }) => isOnlyRecorded !== true));
  const left = problems.filter((told) => {
    const known = deviations.filter(({ problem }) => problem.test(told));
    for (const deviation of known) unseen.delete(deviation);
    return known.length === 0;
  });
  return [...left, ...[...unseen].map(({ problem }) => `${problem}: named as an exception, and never seen`)];
}

function createJudge(openApi: OpenApi) {
  const options = { strict: false, allErrors: true, inlineRefs: false, formats: FORMATS } as const;
  const answers = new Ajv(options);
  // A form is all text: it is read as Stripe does.
  const forms = new Ajv({ ...options, coerceTypes: true });
  const schemas = Object.entries(openApi.components.schemas);
  answers.addSchema(
    {
      components: {
        schemas: Object.fromEntries(
          schemas.map(([name, schema]) => [name, strictJsonSchema(openApi, schema)]),
        ),
      },
    },
    DESCRIPTION,
  );
  const compiled = new Map<string, ValidateFunction>();
  const problemsOf = (ajv: Ajv, name: string, schema: OpenApiSchema, value: unknown): string[] => {
    let validate = compiled.get(name);
    if (validate === undefined) {
      const strict = JSON.stringify(strictJsonSchema(openApi, schema));
      validate = ajv.compile(JSON.parse(strict.replaceAll('"#/components/', `"${DESCRIPTION}#/components/`)));
      compiled.set(name, validate);
    }
    if (validate(value)) return [];
    // An `if` only repeats what its branch told.
    const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if');
    return errors.map((error) => `${name}: ${wordsOf(error)}`);
  };
  return {
    request(route: string, { query, requestBody }: Exchange): string[] {
      const operation = operationOf(openApi, route);
      if (operation === null) return [`${route} asked: not in the description`];
      const inQuery = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
      const querySchema = objectOf(inQuery);
      const bodySchema = operation.requestBody?.content?.[FORM]?.schema ?? objectOf([]);
      // By SDKs, the parameters of a DELETE travel in the address, and the description has them in a body.
      const asked = decodeForm(new URLSearchParams(query).toString());
      const inAddress = route.startsWith('DELETE ') ? bodySchema : querySchema;
      return [
        ...problemsOf(forms, `${route} asked, query`, inAddress, plain(asked)),
        ...(route.startsWith('POST ')
          ? problemsOf(forms, `${route} asked, body`, bodySchema, plain(requestBody ?? {}))
          : []),
      ];
    },
    answer({ route, status, body }: DescribedAnswer): string[] {
      const schema = answerSchema(openApi, route, status);
      if (schema === null) return [`${route} answered ${status}: not in the description`];
      return problemsOf(answers, `${route} answered ${status}`, schema, body);
    },
    field({ route, status, field }: ReadField): string[] {
      const schema = answerSchema(openApi, route, status);
      if (schema !== null && hasField(openApi, schema, field)) return [];
      return [`${route} is read: ${field} is not in the description`];
    },
  };
}

const FORMATS = {
  'unix-time': true,
  binary: true,
  currency: /^[a-z]{3}$/,
  decimal: /^-?\d+(\.\d+)?$/,
} as const;

function answerSchema(openApi: OpenApi, route: string, status: number): OpenApiSchema | null {
  const responses = operationOf(openApi, route)?.responses;
  const found = responses?.[String(status)] ?? (status >= 400 ? responses?.default : undefined);
  return found?.content?.[JSON_TYPE]?.schema ?? null;
}

function objectOf(parameters: { name: string; required?: boolean; schema: OpenApiSchema }[]): OpenApiSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  };
}

/** A copy, since reading a form as its schema says changes it. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function wordsOf({ instancePath, keyword, params, message }: ErrorObject): string {
  const place = instancePath.replaceAll(/\/\d+(?=\/|$)/g, '[]').replaceAll('/', '.');
  if (keyword === 'additionalProperties') return `${place}.${params.additionalProperty} is unknown`;
  if (keyword === 'required') return `${place}.${params.missingProperty} is missing`;
  if (keyword === 'enum') return `${place} is none of ${params.allowedValues}`;
  return `${place} ${message}`;
}
