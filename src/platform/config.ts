import { z } from 'zod';
import { ProviderFaults, type Providers, readProviders } from '../../pricing/usage/providers.ts';
import { DIMENSION_NAMES, DIMENSIONS, type DimensionVariable } from '../../pricing/usage/shape.ts';
import { ALERT_VARIABLES, readAlertSecrets } from './alert-variables.ts';
import { TallystickError } from './errors.ts';
import { FRAME_ANCESTORS } from './frame-ancestors.ts';
import { SECOND_PERSON_VARIABLES } from './second-person.ts';
import { SELLER_VARIABLES } from './seller.ts';

const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]']);

function isSafeAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const parsed = new URL(text);
  return parsed.protocol === 'https:' || (parsed.protocol === 'http:' && LOOPBACK_HOSTS.has(parsed.hostname));
}

const SAFE_ADDRESS = 'must be an https address (plain http is accepted for loopback only)';
const url = z.string().refine(isSafeAddress, { error: SAFE_ADDRESS });
const urlOrOff = z
  .string()
  .refine((text) => text === 'off' || isSafeAddress(text), { error: `${SAFE_ADDRESS}, or off` });
const scheme = (...schemes: string[]) =>
  z.string().refine((text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)), {
    error: `must be an address that begins with ${schemes.map((name) => `${name}://`).join(' or ')}`,
  });
const integer = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d+$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((value) => value >= low && value <= high, { error: `must be between ${low} and ${high}` });
const minutesAsMs = (low: number, high: number) => integer(low, high).transform((value) => value * 60_000);
const wholeHour = z.iso
  .datetime({ offset: true, error: 'must be an ISO instant such as 2026-11-01T00:00:00Z' })
  .transform((text) => new Date(text))
  .refine((instant) => instant.getTime() % 3_600_000 === 0, { error: 'must be on a whole hour' });
const dimension = z
  .string()
  .min(1)
  .max(256)
  .refine((name) => !/[\p{Cc}]/u.test(name), { error: 'must not hold control characters' });
/** One for each dimension of the key: its name in the gateway policy. */
const keyDimensions = Object.fromEntries(
  DIMENSION_NAMES.map((name) => [DIMENSIONS[name].variable, dimension.default(DIMENSIONS[name].policyName)]),
) as Record<DimensionVariable, z.ZodDefault<typeof dimension>>;

const svixSecrets = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((part) => part !== ''))
  .refine(
    (secrets) =>
      secrets.length > 0 && secrets.every((secret) => /^whsec_[A-Za-z0-9+/]{22,}={0,2}$/.test(secret)),
    { error: 'must be whsec_ and base64, several separated by commas' },
  );

/** Every environment variable Tallystick reads. An absent one takes the default given here. */
const variablesSchema = z.object({
  DATABASE_URL: scheme('postgres', 'postgresql').optional(),
  DATABASE_POOL_SIZE: integer(1, 200).default(10),
  REDIS_URL: scheme('redis', 'rediss').optional(),
  TALLYSTICK_DATA_DIR: z.string().min(1).default('./.tallystick'),
  PORT: integer(0, 65_535).default(8787),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: url.optional(),
  LINK_SIGNING_KEY: z.string().min(32, { error: 'must have at least 32 characters' }).optional(),
  LINK_SIGNING_KEY_PREVIOUS: z
    .string()
    .refine((text) => text === 'ledger' || text.length >= 32, {
      error: 'must be the key before LINK_SIGNING_KEY, of at least 32 characters, or ledger',
    })
    .optional(),
  // Callers of no known customer, where a gateway asks.
  ENFORCEMENT_UNKNOWN_CALLERS: z.enum(['allow', 'stop'], { error: 'must be allow or stop' }).default('allow'),
  PORTAL_FRAME_ANCESTORS: FRAME_ANCESTORS.optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  AZURE_LOGS_WORKSPACE_ID: z.guid({ error: 'must be the workspace id, a GUID' }).optional(),
  AZURE_LOGS_RESOURCE_ID: z
    .string()
    .startsWith('/subscriptions/', { error: 'must be an ARM resource id that begins with /subscriptions/' })
    .optional(),
  AZURE_LOGS_ENDPOINT: url.default('https://api.loganalytics.io'),
  AZURE_LOGS_AUDIENCE: url.optional(),
  METRIC_NAMESPACE: z.string().max(256).optional(),
  MODEL_PROVIDERS: z.string().max(20_000).optional(),
  COUNTING_RULES: z.string().max(20_000).optional(),
  DIMENSION_CUSTOMER: dimension.default('tenantId'),
  ...keyDimensions,
  USAGE_SOURCE: z.enum(['metrics', 'llm-log'], { error: 'must be metrics or llm-log' }).default('metrics'),
  CONTROL_SOURCE: z
    .enum(['none', 'metrics', 'llm-log'], { error: 'must be none, metrics or llm-log' })
    .default('none'),
  USAGE_SOURCE_SINCE: wholeHour.optional(),
  USAGE_SOURCE_UNTIL: wholeHour.optional(),
  LLM_LOG_TRACE_SOURCE: dimension.default('tallystick'),
  LLM_LOG_HOLD_BACK_MINUTES: minutesAsMs(0, 1_440).default(15 * 60_000),
  AZURE_RETAIL_PRICES_URL: urlOrOff.default('https://prices.azure.com'),
  PRICE_CHANGE_PERCENT: integer(0, 1_000).default(20),
  PRICE_BOOK_WARN_DAYS: integer(1, 3_650).default(60),
  OPENMETER_URL: url.optional(),
  OPENMETER_API_KEY: z.string().min(1).optional(),
  // Its message of a customer was seen to pass with 40,000 subject keys, and to be too large with 50,000.
  OPENMETER_SUBJECTS_MAX: integer(0, 45_000).default(40_000),
  // Several while one is exchanged for another, newest first.
  OPENMETER_WEBHOOK_SECRET: svixSecrets.optional(),
  STRIPE_API_KEY: z.string().min(1).optional(),
  STRIPE_API_BASE: url.default('https://api.stripe.com'),
  STRIPE_WEBHOOK_SECRET: z.string().startsWith('whsec_', { error: 'must begin with whsec_' }).optional(),
  STRIPE_THIN_WEBHOOK_SECRET: z.string().startsWith('whsec_', { error: 'must begin with whsec_' }).optional(),
  STRIPE_LEGACY_USAGE_RECORDS: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default('false')
    .transform((text) => text === 'true'),
  STRIPE_TENANT_METADATA_KEY: z.string().min(1).max(40).default('tenant_id'),
  STRIPE_ACCOUNT: z.string().startsWith('acct_', { error: 'must begin with acct_' }).optional(),
  // Absent: as the key's mode allows, see `createPace`.
  STRIPE_CALLS_PER_SECOND: integer(1, 1_000).optional(),
  STRIPE_INVOICE_CALLS_PER_SECOND: integer(1, 100).optional(),
  COLLECT_LAG_MINUTES: minutesAsMs(0, 1_440).default(10 * 60_000),
  COLLECT_START: z.iso
    .datetime({ offset: true, error: 'must be an ISO instant such as 2026-11-01T00:00:00Z' })
    .transform((text) => new Date(text))
    .optional(),
  // OpenMeter's sink flushes every two seconds; read back sooner, and everything drifts.
  SOURCE_RETENTION_DAYS: integer(1, 4_383).default(90),
  FOCUS_BILLING_ACCOUNT_ID: z.string().min(1).max(200).default('azure'),
  FOCUS_SELLER_NAME: z.string().min(1).max(200).optional(),
  FOCUS_BILLING_ACCOUNT_NAME: z.string().min(1).max(200).optional(),
  // Absent: no warehouse is written.
  WAREHOUSE_URL: z
    .string()
    .regex(/^(file:\/\/\/|s3:\/\/[a-z0-9]|https:\/\/|http:\/\/(127\.0\.0\.1|localhost)[:/])/, {
      error: 'must be file:///folder, s3://bucket/prefix or the https address of a blob container',
    })
    .optional(),
  WAREHOUSE_S3_ENDPOINT: url.optional(),
  AWS_ACCESS_KEY_ID: z.string().min(1).optional(),
  AWS_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
  AWS_REGION: z.string().min(1).default('us-east-1'),
  ...SELLER_VARIABLES,
  ...SECOND_PERSON_VARIABLES,
  ...ALERT_VARIABLES,
  // With it commands act as its holder, and not as whoever types them.
  TALLYSTICK_API_KEY: z
    .string()
    .regex(/^tsk_[A-Za-z0-9_-]{43}$/, { error: 'must be an API key, tsk_...' })
    .optional(),
  LEDGER_RETENTION_DAYS: integer(70, 4_383).default(400),
  QUARANTINE_ALARM_HOURS: integer(1, 8_760).default(24),
  METRICS_PUBLIC: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default('false')
    .transform((text) => text === 'true'),
  SETTLE_LAG_SECONDS: integer(5, 86_400)
    .transform((value) => value * 1_000)
    .default(300_000),
  HOUR_CLOSE_LAG_MINUTES: minutesAsMs(0, 1_440).default(20 * 60_000),
  REPAIR_GRACE_MINUTES: minutesAsMs(1, 1_440).default(30 * 60_000),
  CLOSE_INVOICES: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default('true')
    .transform((text) => text === 'true'),
  // Stripe's own longest grace is 72 hours; nobody wants an invoice later than that.
  CLOSE_HOLD_HOURS: integer(1, 72)
    .transform((value) => value * 3_600_000)
    .default(24 * 3_600_000),
  CLOSE_SOURCE_WAIT_MINUTES: minutesAsMs(0, 2_880).default(120 * 60_000),
  CLOSE_AGGREGATION_WAIT_MINUTES: minutesAsMs(0, 1_440).default(5 * 60_000),
  STRIPE_SUMMARY_LAG_MINUTES: minutesAsMs(1, 1_440).default(120 * 60_000),
  STRIPE_LOST_AFTER_HOURS: integer(1, 168)
    .transform((value) => value * 3_600_000)
    .default(6 * 3_600_000),
  STRIPE_READ_BUDGET_PER_DAY: integer(0, 1_000_000).default(16),
  STRIPE_DOUBT_READ_BUDGET_PER_DAY: integer(0, 1_000_000).default(200),
  STRIPE_PREVIEW_READ_BUDGET_PER_DAY: integer(0, 1_000_000).default(200),
  STRIPE_PREVIEW_READ_BUDGET_PER_CUSTOMER: integer(0, 1_000_000).default(20),
});

/** Two readings of one source would agree whatever it lost. Told beside the other problems, not after them. */
const environmentSchema = variablesSchema
  .refine(
    ({ USAGE_SOURCE, CONTROL_SOURCE }) => USAGE_SOURCE === undefined || CONTROL_SOURCE !== USAGE_SOURCE,
    { error: 'must be another source than USAGE_SOURCE', path: ['CONTROL_SOURCE'], when: () => true },
  )
  // A row that is told again must still be known, or it would be billed again.
  .refine(
    ({ LEDGER_RETENTION_DAYS, SOURCE_RETENTION_DAYS }) => !(LEDGER_RETENTION_DAYS < SOURCE_RETENTION_DAYS),
    {
      error: 'must be at least SOURCE_RETENTION_DAYS',
      path: ['LEDGER_RETENTION_DAYS'],
      when: () => true,
    },
  )
  .refine((variables) => sayFaults('MODEL_PROVIDERS', variables) === '', {
    error: ({ input }) => sayFaults('MODEL_PROVIDERS', input as ProviderVariables),
    path: ['MODEL_PROVIDERS'],
    when: () => true,
  })
  .refine((variables) => sayFaults('COUNTING_RULES', variables) === '', {
    error: ({ input }) => sayFaults('COUNTING_RULES', input as ProviderVariables),
    path: ['COUNTING_RULES'],
    when: () => true,
  });

type ProviderVariables = { MODEL_PROVIDERS?: string | undefined; COUNTING_RULES?: string | undefined };

/** How the makers of models count, as the configuration has it. @throws ProviderFaults, which a loaded one does not have */
export function readConfiguredProviders(config: ProviderVariables): Providers {
  return readProviders({ modelProviders: config.MODEL_PROVIDERS, countingRules: config.COUNTING_RULES });
}

/** What is wrong with one of the two variables, which are read together; empty: nothing. */
function sayFaults(name: keyof ProviderVariables, variables: ProviderVariables): string {
  try {
    readConfiguredProviders(variables);
  } catch (error) {
    if (!(error instanceof ProviderFaults)) throw error;
    const faults = error.faults.filter(({ variable }) => variable === name);
    return faults.map(({ message }) => message).join('; ');
  }
  return '';
}

type Environment = z.output<typeof environmentSchema>;

/** The one configuration object. Secrets are in it; print it only through `describeConfig`. */
export type Config = Readonly<Environment & { ALERT_SECRETS: Record<string, string> }>;

/**
 * Reads and validates the environment.
 * @throws TallystickError CONFIG whose message lists every problem, one a line, without any value of a secret
 */
export function loadConfig(environment: Record<string, string | undefined>): Config {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environmentSchema.safeParse(present);
  if (parsed.success) return Object.freeze({ ...parsed.data, ALERT_SECRETS: readAlertSecrets(present) });
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw configError(problems);
}

/** What the pipeline cannot do without; each missing one becomes a line of the same report. */
export type OutsideConfig = Config & { OPENMETER_URL: string; STRIPE_API_KEY: string };

/** @throws TallystickError CONFIG naming every missing outside setting */
export function requireOutside(config: Config): OutsideConfig {
  const problems: string[] = [];
  if (config.AZURE_LOGS_WORKSPACE_ID === undefined && config.AZURE_LOGS_RESOURCE_ID === undefined) {
    problems.push(
      'AZURE_LOGS_WORKSPACE_ID: is missing (or set AZURE_LOGS_RESOURCE_ID for a classic resource)',
    );
  }
  if (config.OPENMETER_URL === undefined) problems.push('OPENMETER_URL: is missing');
  if (config.STRIPE_API_KEY === undefined) problems.push('STRIPE_API_KEY: is missing');
  if (problems.length > 0) throw configError(problems);
  return config as OutsideConfig;
}

function configError(problems: string[]): TallystickError {
  return new TallystickError(
    `The environment has ${problems.length} problem(s):\n${problems.map((line) => `  - ${line}`).join('\n')}`,
    {
      code: 'CONFIG',
      retry: false,
      context: { problems },
      fix: 'Set or correct the variables named above; the README lists all of them.',
    },
  );
}

const SECRET_NAMES = /KEY|SECRET|PASSWORD|SESSION_TOKEN/;
/** Addresses can carry passwords and tokens anywhere but in their host. */
const ADDRESS_NAMES = /_(URL|BASE|ENDPOINT|AUDIENCE)$/;

/** What is kept in milliseconds, and the unit that the variable's name says. */
const UNITS_MS: [RegExp, number][] = [
  [/_MINUTES$/, 60_000],
  [/_SECONDS$/, 1_000],
  [/^(CLOSE_HOLD|STRIPE_LOST_AFTER)_HOURS$/, 3_600_000],
];

/** The configuration as it is written, with secrets reduced to whether they are set, and addresses to their hosts. */
export function describeConfig(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => {
      if (ADDRESS_NAMES.test(name) && typeof value === 'string' && value !== 'off') {
        return [name, new URL(value).host];
      }
      if (name === 'SELLER_LOGO') return [name, 'set'];
      if (name === 'ALERT_SECRETS')
        return [name, Object.keys(config.ALERT_SECRETS).sort().join(' ') || 'none'];
      if (SECRET_NAMES.test(name) && name !== 'STRIPE_TENANT_METADATA_KEY') return [name, 'set'];
      const unitMs = UNITS_MS.find(([names]) => names.test(name))?.[1];
      if (unitMs !== undefined && typeof value === 'number') return [name, String(value / unitMs)];
      return [name, value instanceof Date ? value.toISOString() : String(value)];
    }),
  );
}
