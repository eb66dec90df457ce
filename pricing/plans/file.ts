import { createHash } from 'node:crypto';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { formatDecimal, parseDecimal, withoutExponent } from '../money.ts';
import { DEPLOYMENT_TYPES } from '../prices/rows.ts';
import { TOKEN_TYPES } from '../usage/tokens.ts';
import type { GlobalMarkup, Plan, PlanPrice, PlanProblem, PlanRate, PlanVersion } from './plan.ts';

/** A plan as it is written down, with every scalar still the text that stood there: 2.50 never is a float. */
const text = z.string().trim().min(1, 'is empty');
const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess(
    (value) => (value === 'null' || value === '~' || value === '' ? undefined : value),
    schema.optional(),
  );
/** 3.00 and 3 are one amount, and make one version. */
const decimal = text
  .transform(withoutExponent)
  .pipe(z.string().regex(/^-?\d{1,20}(\.\d{1,30})?$/, 'is not a plain decimal number'))
  .transform((value) => formatDecimal(parseDecimal(value, 30), 30));
const tokenCount = text
  .transform((value) => value.replaceAll('_', ''))
  .pipe(z.string().regex(/^\d{1,15}$/, 'is not a whole number of tokens'));
const instant = text.refine(
  (value) => /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/.test(value) && isRealDate(value),
  'is not a date (2026-01-01) or an instant in UTC (2026-01-01T06:00:00Z)',
);

/** A rate states one of these, or none: then the plan's markup prices it. */
const PRICE_FORMS = ['perMillion', 'markupPercent', 'graduated', 'volume'] as const;

const TierData = z.strictObject({
  from: optional(tokenCount),
  upTo: optional(tokenCount),
  perMillion: decimal,
  flat: optional(decimal),
});
const tiers = z.array(TierData).min(1, 'is empty');
const RateData = z
  .strictObject({
    model: text,
    feature: optional(text),
    tokenType: z.enum([...TOKEN_TYPES, '*'], {
      error: ({ input }) =>
        `${JSON.stringify(input)} is no token type: ${TOKEN_TYPES.join(', ')}, or * by markup`,
    }),
    perMillion: optional(decimal),
    markupPercent: optional(decimal),
    deploymentType: optional(z.enum(DEPLOYMENT_TYPES)),
    graduated: optional(tiers),
    volume: optional(tiers),
    includedTokens: optional(tokenCount),
  })
  .superRefine((rate, context) => {
    const stated = PRICE_FORMS.filter((form) => rate[form] !== undefined);
    if (stated.length > 1) {
      context.addIssue({ code: 'custom', message: `has ${stated.join(' and ')}: state one price` });
    }
    if (rate.deploymentType !== undefined && stated.some((form) => form !== 'markupPercent')) {
      const message = 'belongs to a markup: it says which cost is marked up';
      context.addIssue({ code: 'custom', path: ['deploymentType'], message });
    }
  });
const VersionData = z.strictObject({
  effectiveFrom: instant,
  note: optional(text),
  markupPercent: optional(decimal),
  minimum: optional(decimal),
  taxBehavior: optional(z.enum(['exclusive', 'inclusive'])),
  taxCode: optional(text.regex(/^txcd_\d{8}$/, 'is no tax code of Stripe: txcd_ and eight digits')),
  rates: z.array(RateData).min(1, 'is empty: a version without rates prices nothing'),
});
const PlanFileData = z.strictObject({
  plan: text.regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'is not a plan id: lower case letters, digits and dashes'),
  name: text.max(100),
  currency: text.transform((value) => value.toLowerCase()),
  features: optional(z.array(text)),
  versions: z.array(VersionData).min(1, 'is empty'),
});
const GlobalFileData = z.strictObject({
  versions: z.array(z.strictObject({ effectiveFrom: instant, markupPercent: decimal })).min(1, 'is empty'),
});

/** A checked plan file as plain text values: what is stored, hashed and shown. */
export type PlanFileData = z.output<typeof PlanFileData>;

export type Parsed<Value> = { value: Value; problems: [] } | { value: null; problems: PlanProblem[] };

/** Reads a plan from YAML or JSON. All problems of form are reported at once; `checkPlan` finds those of meaning. */
export function parsePlanFile(source: string): Parsed<PlanFileData> {
  return parseAs(PlanFileData, source);
}

/** Reads the markups of the house, `pricing/plans/global.yaml`, oldest first. */
export function parseGlobalMarkups(source: string): Parsed<GlobalMarkup[]> {
  const parsed = parseAs(GlobalFileData, source);
  if (parsed.value === null) return parsed;
  const markups = parsed.value.versions.map((version) => ({
    effectiveFrom: toInstant(version.effectiveFrom),
    markupPercent: version.markupPercent,
  }));
  return { value: markups, problems: [] };
}

/** The plan that a file describes. Versions keep the order of the file, so that it can be checked. */
export function toPlan(data: PlanFileData, globalMarkups: readonly GlobalMarkup[]): Plan {
  return {
    planId: data.plan,
    name: data.name,
    currency: data.currency,
    features: data.features ?? [],
    versions: data.versions.map((version) => toVersion(data, version)),
    globalMarkups,
  };
}

function toVersion(data: PlanFileData, version: PlanFileData['versions'][number]): PlanVersion {
  const content = {
    effectiveFrom: toInstant(version.effectiveFrom),
    markupPercent: version.markupPercent ?? null,
    minimum: version.minimum ?? null,
    rates: version.rates.map(toRate),
  };
  // What states no tax is named as it always was.
  const tax = [version.taxBehavior, version.taxCode].filter((value) => value !== undefined);
  const hash = createHash('sha256')
    .update(JSON.stringify([data.plan, data.currency, content, ...tax], inOneOrder))
    .digest('hex');
  return {
    versionId: `${content.effectiveFrom.slice(0, 10)}-${hash.slice(0, 8)}`,
    note: version.note ?? null,
    taxBehavior: version.taxBehavior ?? null,
    taxCode: version.taxCode ?? null,
    ...content,
  };
}

function toRate(rate: z.output<typeof RateData>): PlanRate {
  return {
    model: rate.model,
    feature: rate.feature ?? '*',
    tokenType: rate.tokenType,
    price: toPrice(rate),
    includedTokens: rate.includedTokens === undefined ? null : BigInt(rate.includedTokens),
  };
}

/** The one price a rate states; that it states only one is checked with the rest of the form. */
function toPrice(rate: z.output<typeof RateData>): PlanPrice {
  if (rate.perMillion !== undefined) return { kind: 'per_million', amount: rate.perMillion };
  const mode = rate.graduated !== undefined ? 'graduated' : 'volume';
  const tiers = rate.graduated ?? rate.volume;
  if (tiers === undefined) {
    return {
      kind: 'markup',
      percent: rate.markupPercent ?? null,
      deploymentType: rate.deploymentType ?? 'global',
    };
  }
  return {
    kind: 'tiered',
    mode,
    tiers: tiers.map((tier) => ({
      from: tier.from === undefined ? null : BigInt(tier.from),
      upTo: tier.upTo === undefined ? null : BigInt(tier.upTo),
      perMillion: tier.perMillion,
      flat: tier.flat ?? null,
    })),
  };
}

function parseAs<Value>(schema: z.ZodType<Value>, source: string): Parsed<Value> {
  let raw: unknown;
  try {
    // Without types every scalar stays text, and JSON is YAML: both come out alike.
    raw = parseYaml(source, { schema: 'failsafe', prettyErrors: false });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return failed([{ path: 'file', message: `is not YAML or JSON: ${message}`, fix: 'Correct the syntax.' }]);
  }
  const result = schema.safeParse(raw);
  if (result.success) return { value: result.data, problems: [] };
  return failed(
    result.error.issues.map((issue) => ({
      path: issue.path.length === 0 ? 'file' : pathText(issue.path),
      message: issue.message,
      fix:
        issue.code === 'unrecognized_keys' && issue.keys.includes('currency')
          ? 'A plan has one currency, at its top; write a plan for each.'
          : 'docs/pricing.md, "Plans and rating", says what belongs there.',
    })),
  );
}

function failed(problems: PlanProblem[]): { value: null; problems: PlanProblem[] } {
  return { value: null, problems };
}

/** `versions[0].rates[2].model` */
function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`,
    )
    .join('');
}

function isRealDate(value: string): boolean {
  const time = Date.parse(value);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value.slice(0, 10));
}

function toInstant(value: string): string {
  return new Date(Date.parse(value)).toISOString();
}

/** The same content gives the same text, in whatever order it was written. */
function inOneOrder(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
}
