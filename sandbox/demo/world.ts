import type { JobDependencies } from '../../jobs/dependencies.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { removeDemoNote, writeDemoNote } from '../../src/platform/embedded/demo-note.ts';
import { lockDataDirectory } from '../../src/platform/embedded/directory-lock.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import type { Logger } from '../../src/platform/log.ts';
import {
  type CallPatience,
  createJobDependencies,
  openStores,
  type Stores,
} from '../../src/service/services.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { type SandboxHandle, startSandboxThread } from '../start-thread.ts';
import { VirtualClock } from '../virtual-clock.ts';
import type { DemoDirectory } from './directory.ts';
import {
  DEMO_GRACE_HOURS,
  DEMO_TIERED_PRICES,
  type DemoSettings,
  MONTHS_LIVES,
  MONTHS_TIERED_PRICES,
} from './settings.ts';

const UNLIMITED = Number.POSITIVE_INFINITY;
/** An outage lasts for virtual hours: waiting for its end in real time is in vain, and the next run comes at once. */
const MONTHS_PATIENCE: CallPatience = { attemptCount: 2, baseDelayMs: 5, maxDelayMs: 50, isUnpaced: true };

/** A sandbox, stores of its own, and the production code pointed at it by nothing but configuration. */
export interface DemoWorld {
  directory: string;
  scenario: ScenarioOptions;
  sandbox: SandboxHandle;
  clock: VirtualClock;
  stores: Stores;
  deps: JobDependencies;
  /** What it is configured with beside what the process was. */
  environment: Readonly<Record<string, string | undefined>>;
  trafficEndMs: number;
  /** Notes for commands beside it how they reach this world, with further variables of their environment. */
  tellCommands(further: Record<string, string>): void;
  close(): Promise<void>;
}

/**
 * Opens the demo's world, where an earlier run left it or new.
 * @throws TallystickError CONFLICT when DATABASE_URL names a ledger that holds something else; DATA_DIRECTORY_BUSY
 */
export async function openDemoWorld(
  config: Config,
  settings: DemoSettings,
  { directory, stateDirectory, isNew, log }: DemoDirectory & { directory: string; log: Logger },
): Promise<DemoWorld> {
  const isMonths = settings.monthCount !== null;
  const scenario: ScenarioOptions = {
    seed: settings.seed,
    dayCount: settings.dayCount,
    customerCount: settings.customerCount,
    userCount: settings.userCount,
    startMs: settings.startMs,
    ...(isMonths ? { story: 'month_ends' as const, lives: MONTHS_LIVES } : {}),
    // What passed the gateway is in the metrics alone.
    experiments: !isMonths && config.USAGE_SOURCE === 'metrics' && config.CONTROL_SOURCE === 'none',
  };
  // The directory's lock is taken before any journal is opened: here, or with the embedded server.
  const ownLock = config.DATABASE_URL === undefined ? null : lockDataDirectory(directory);
  const stores = await openStores({ ...config, TALLYSTICK_DATA_DIR: directory }, log).catch(
    (error: unknown) => {
      ownLock?.release();
      throw error;
    },
  );
  let sandbox: SandboxHandle | undefined;
  try {
    sandbox = await startSandboxThread({
      scenario,
      stateDirectory,
      latencyMs: 0,
      gracePeriodHours: DEMO_GRACE_HOURS,
      usageSource: config.USAGE_SOURCE,
      takesMail: !isMonths,
      stripe: {
        // Both readings of Stripe's pages are played, one for each parity of the seed.
        draftQuantities: scenario.seed % 2 === 0 ? 'follow' : 'stand_still',
        tieredPrices: isMonths ? MONTHS_TIERED_PRICES : DEMO_TIERED_PRICES,
        // Rates are of real time, of which half a year on virtual time takes minutes.
        ...(isMonths ? { callsPerSecond: UNLIMITED, otherCallsPerSecond: UNLIMITED } : {}),
      },
    });
    const { addresses } = sandbox;
    const environment = {
      AZURE_LOGS_WORKSPACE_ID: addresses.workspaceId,
      AZURE_LOGS_ENDPOINT: addresses.azureUrl,
      AZURE_RETAIL_PRICES_URL: isMonths ? 'off' : addresses.retailPricesUrl,
      OPENMETER_URL: addresses.openMeterUrl,
      STRIPE_API_BASE: addresses.stripeUrl,
      STRIPE_API_KEY: addresses.stripeApiKey,
      STRIPE_CALLS_PER_SECOND: '950',
      COLLECT_START: new Date(settings.startMs).toISOString(),
      // A tick of the demo is six hours: a day would hold too few looks to wait for a repair.
      ...(isMonths ? {} : { CLOSE_HOLD_HOURS: '72' }),
      // A lost push is to be seen at the end, not to be found by reading Stripe and repaired on the way.
      ...(settings.dropPushCount > 0
        ? { STRIPE_READ_BUDGET_PER_DAY: '0', STRIPE_DOUBT_READ_BUDGET_PER_DAY: '0' }
        : {}),
      ...(addresses.smtpUrl === null
        ? {}
        : { ALERT_SMTP_URL: addresses.smtpUrl, ALERT_FROM: 'Tallystick <tallystick@example.com>' }),
      USAGE_SOURCE: config.USAGE_SOURCE,
      CONTROL_SOURCE: config.CONTROL_SOURCE,
    };
    const outside = loadConfig(environment);
    const clock = new VirtualClock((await sandbox.readClock()).nowMs);
    const deps = createJobDependencies(outside, {
      database: stores.database,
      log,
      clock,
      ...(isMonths ? { patience: MONTHS_PATIENCE } : {}),
    });
    if (deps.alerts !== undefined) deps.alerts.publicUrl = pageUrl(config, settings);
    if (isNew && (await readWatermark(stores.database, deps.source.name)) !== null) {
      throw new TallystickError('The ledger at DATABASE_URL holds usage that this demo did not make.', {
        code: 'CONFLICT',
        retry: false,
        fix: 'Unset DATABASE_URL, or give the demo an empty database.',
      });
    }
    if (isNew) await sandbox.dropNextMeterEvents(settings.dropPushCount);
    const running = sandbox;
    const note = (further: Record<string, string> = {}) =>
      writeDemoNote(directory, {
        databaseUrl: stores.databaseUrl,
        clockUrl: `${addresses.controlUrl}/clock`,
        environment: { ...environment, TALLYSTICK_DATA_DIR: directory, ...further },
      });
    note();
    return {
      directory,
      scenario,
      sandbox: running,
      clock,
      stores,
      deps,
      environment,
      trafficEndMs: settings.startMs + settings.dayCount * DAY_MS,
      tellCommands: note,
      close: async () => {
        removeDemoNote(directory);
        await running.close();
        await stores.close();
        ownLock?.release();
      },
    };
  } catch (error) {
    removeDemoNote(directory);
    await sandbox?.close();
    await stores.close();
    ownLock?.release();
    throw error;
  }
}

/** How browsers will reach it once it is served, for links of alerts; absent: it will not be, or nobody knows on which port. */
function pageUrl({ PUBLIC_URL, PORT }: Config, { once }: DemoSettings): string | undefined {
  return once ? undefined : (PUBLIC_URL ?? (PORT === 0 ? undefined : `http://localhost:${PORT}`));
}
