import path from 'node:path';
import { DEFAULT_SETTINGS, type JobDependencies } from '../../jobs/dependencies.ts';
import { checkRedis, type QueueConfig } from '../../jobs/queue/queues.ts';
import { boundSource } from '../azure/bounded-source.ts';
import { createLlmLogSource } from '../azure/llm-log-source.ts';
import { createRetailPrices } from '../azure/retail-prices.ts';
import type { UsageSource } from '../azure/source.ts';
import { createAppMetricsSource } from '../azure/usage-source.ts';
import { createCallKeys } from '../billing/call-keys.ts';
import { configuredWarehouse } from '../exports/warehouse/open-store.ts';
import { createOpenMeter } from '../openmeter/client.ts';
import { seedPlans } from '../plans/seed.ts';
import { readAlertSettings } from '../platform/alert-variables.ts';
import { type Clock, HOUR_MS, systemClock } from '../platform/clock.ts';
import {
  type Config,
  type OutsideConfig,
  readConfiguredProviders,
  requireOutside,
} from '../platform/config.ts';
import { type LedgerDatabase, openLedger } from '../platform/database/database.ts';
import { clearAbandonedClaims } from '../platform/database/leases.ts';
import { migrateLedger } from '../platform/database/migrate.ts';
import { findRunningPostgres, startEmbeddedPostgres } from '../platform/embedded/postgres.ts';
import { TallystickError, UpstreamError } from '../platform/errors.ts';
import { readApiSettings } from '../platform/http/dependencies.ts';
import type { Logger } from '../platform/log.ts';
import { seedPriceBook } from '../prices/book.ts';
import { createStatementUrl } from '../statements/links.ts';
import type { CallKeys } from '../stripe/call-keys.ts';
import { createStripe } from '../stripe/client.ts';
import { createPace } from '../stripe/pace.ts';

/** The ledger and the queue, opened: what every command but `--help` needs. */
export interface Stores {
  database: LedgerDatabase;
  databaseUrl: string;
  queue: QueueConfig;
  /** True when the Postgres is our own, below the data directory. */
  embedded: boolean;
  close(): Promise<void>;
}

/**
 * Opens the ledger (DATABASE_URL, else an embedded Postgres below the data directory) and migrates it. With
 * `besideRunning` a short command joins the server of a service that already runs on the data directory.
 * @throws TallystickError DATA_DIRECTORY_BUSY, LEDGER_TOO_NEW, CONFIG (Redis evicts)
 * @throws UpstreamError UPSTREAM_UNAVAILABLE when Postgres or Redis does not answer
 */
export async function openStores(
  config: Config,
  log: Logger,
  options: { besideRunning?: boolean } = {},
): Promise<Stores> {
  const running =
    options.besideRunning === true && config.DATABASE_URL === undefined
      ? findRunningPostgres(config.TALLYSTICK_DATA_DIR)
      : null;
  if (running !== null) return await openStores({ ...config, DATABASE_URL: running }, log);
  const embedded = config.DATABASE_URL === undefined;
  const server = embedded
    ? await startEmbeddedPostgres({ dataDirectory: path.resolve(config.TALLYSTICK_DATA_DIR) })
    : { databaseUrl: config.DATABASE_URL ?? '', stop: async () => {} };
  try {
    const { databaseUrl } = server;
    await migrateLedger(databaseUrl).catch((error) => {
      throw explainPostgres(error, databaseUrl);
    });
    if (config.REDIS_URL !== undefined) await checkRedis(config.REDIS_URL, log);
    const database = openLedger({ databaseUrl, maxConnectionCount: config.DATABASE_POOL_SIZE });
    await seedPriceBook(database, systemClock.now());
    for (const refused of await seedPlans(database, systemClock.now())) {
      log.warn(refused, 'a version of a plan file was not taken');
    }
    if (embedded) await clearAbandonedClaims(database);
    return {
      database,
      databaseUrl,
      queue: { redisUrl: config.REDIS_URL, databaseUrl },
      embedded,
      close: async () => {
        await database.destroy();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function explainPostgres(error: unknown, databaseUrl: string): unknown {
  if (error instanceof TallystickError) return error;
  const { host } = new URL(databaseUrl);
  return new UpstreamError(
    `Postgres at ${host} does not let us in: ${error instanceof Error ? error.message || (error as { code?: string }).code : error}`,
    {
      system: 'postgres',
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
      cause: error,
      fix: 'Check DATABASE_URL, that the server runs, and that its user may create tables.',
    },
  );
}

/** How often and how patiently a failing call is repeated; where it is left out, each client's own way. */
export interface CallPatience {
  attemptCount: number;
  baseDelayMs: number;
  maxDelayMs: number;
  /** Without the turns that keep calls below Stripe's rate: only for a stand-in that has none. */
  isUnpaced: boolean;
}

/** The three outside systems over their SDKs, as the environment names them. */
function createOutside(
  config: OutsideConfig,
  keys: CallKeys,
  patience?: CallPatience,
): Pick<
  JobDependencies,
  'source' | 'control' | 'retailPrices' | 'warehouse' | 'metering' | 'billing' | 'invoicing'
> {
  const { CONTROL_SOURCE: control } = config;
  const stripe = createStripe(config, {
    keys,
    ...(patience === undefined ? {} : { retryPolicy: patience }),
    ...(patience?.isUnpaced === true ? {} : createPace(config)),
  });
  return {
    source: boundSource(createSource(config, config.USAGE_SOURCE, false, patience), {
      since: config.USAGE_SOURCE_SINCE,
      until: config.USAGE_SOURCE_UNTIL,
    }),
    ...(control === 'none' ? {} : { control: createSource(config, control, true) }),
    ...openRetailPrices(config),
    ...configuredWarehouse(config),
    metering: createOpenMeter(config, patience),
    billing: stripe,
    invoicing: stripe.invoicing,
  };
}

/** Azure's price list, unless it is switched off. It needs no account. */
export function openRetailPrices(config: Config): Pick<JobDependencies, 'retailPrices'> {
  const baseUrl = config.AZURE_RETAIL_PRICES_URL;
  return baseUrl === 'off' ? {} : { retailPrices: createRetailPrices({ baseUrl }) };
}

/** A control counts failed requests as well; they are no usage. */
export function createSource(
  config: Config,
  kind: 'metrics' | 'llm-log',
  isControl: boolean,
  patience?: CallPatience,
): UsageSource {
  const calls =
    patience === undefined
      ? {}
      : {
          retryPolicy: {
            attemptCount: patience.attemptCount,
            baseDelayMs: patience.baseDelayMs,
            maxDelayMs: patience.maxDelayMs,
          },
        };
  return kind === 'metrics'
    ? createAppMetricsSource(config, calls)
    : createLlmLogSource(config, { keepFailed: isControl, ...calls });
}

/** Everything the jobs need. @throws TallystickError CONFIG naming every missing outside setting */
export function createJobDependencies(
  config: Config,
  given: { database: LedgerDatabase; log: Logger; clock?: Clock; patience?: CallPatience },
): JobDependencies {
  const outsideConfig = requireOutside(config);
  const clock = given.clock ?? systemClock;
  return {
    ...createOutside(outsideConfig, createCallKeys(given.database, clock), given.patience),
    database: given.database,
    clock,
    log: given.log,
    ...linkStatements(config, given),
    alerts: {
      settings: readAlertSettings(config),
      publicUrl: config.PUBLIC_URL,
      quarantineAfterMs: config.QUARANTINE_ALARM_HOURS * HOUR_MS,
    },
    settings: {
      ...DEFAULT_SETTINGS,
      collectLagMs: config.COLLECT_LAG_MINUTES,
      collectStart: config.COLLECT_START,
      providers: readConfiguredProviders(config),
      usageSince: config.USAGE_SOURCE_SINCE,
      settleLagMs: config.SETTLE_LAG_SECONDS,
      hourCloseLagMs: config.HOUR_CLOSE_LAG_MINUTES,
      itemRetentionDays: config.LEDGER_RETENTION_DAYS,
      repairGraceMs: config.REPAIR_GRACE_MINUTES,
      summaryLagMs: config.STRIPE_SUMMARY_LAG_MINUTES,
      pushLostAfterMs: config.STRIPE_LOST_AFTER_HOURS,
      stripeReadsPerDay: config.STRIPE_READ_BUDGET_PER_DAY,
      stripeDoubtReadsPerDay: config.STRIPE_DOUBT_READ_BUDGET_PER_DAY,
      priceChangePercent: config.PRICE_CHANGE_PERCENT,
      openMeterSubjectsMax: config.OPENMETER_SUBJECTS_MAX,
      tenantMetadataKey: config.STRIPE_TENANT_METADATA_KEY,
      closesInvoices: config.CLOSE_INVOICES,
      closeHoldMs: config.CLOSE_HOLD_HOURS,
      closeSourceWaitMs: config.CLOSE_SOURCE_WAIT_MINUTES,
      closeAggregationWaitMs: config.CLOSE_AGGREGATION_WAIT_MINUTES,
    },
  };
}

/** Invoices point to their statement where browsers are known to reach the service. */
function linkStatements(
  config: Config,
  { database, clock = systemClock }: { database: LedgerDatabase; clock?: Clock },
): Pick<JobDependencies, 'statementUrl'> {
  if (config.PUBLIC_URL === undefined) return {};
  return { statementUrl: createStatementUrl({ database, clock, settings: readApiSettings(config) }) };
}
