import type { Command } from 'commander';
import { openStepQueue } from '../../../jobs/queue/queues.ts';
import { createOpenMeter } from '../../openmeter/client.ts';
import type { Clock } from '../../platform/clock.ts';
import {
  type Config,
  describeConfig,
  readConfiguredProviders,
  requireOutside,
} from '../../platform/config.ts';
import { TallystickError, toTallystickError } from '../../platform/errors.ts';
import { createLogger } from '../../platform/log.ts';
import { print } from '../../platform/terminal/output.ts';
import { createSource, openStores } from '../../service/services.ts';
import { createStripe } from '../../stripe/client.ts';
import { readSinkState } from '../../usage/events/sink-state.ts';
import { lookAround, type Surroundings } from '../surroundings.ts';
import { checkAttribution } from './attribution.ts';
import {
  checkAzure,
  checkConfiguration,
  checkOpenMeter,
  checkStripe,
  checkStripeRights,
  type Finding,
  guarded,
  judgeSink,
} from './checks.ts';
import { checkLinkKeys } from './link-checks.ts';
import { checkPriceBook } from './price-checks.ts';
import { checkProviders } from './provider-checks.ts';
import { checkStripeTaxes } from './tax-checks.ts';

const MARKS = { good: 'ok  ', look: 'look', bad: 'BAD ' } as const;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check the configuration and each outside system; every finding comes with its fix')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\nWrites nothing anywhere but a queue schema in an empty ledger, and prints no secret. Exit status 1 when something is BAD.',
    )
    .action(async (options: { json?: boolean }) => {
      const around = await lookAround(process.env).catch(toTallystickError);
      const isUnknown = around instanceof TallystickError;
      const findings = isUnknown
        ? await guarded('configuration', () => Promise.reject(around))
        : await examine(around);
      const isHealthy = findings.every((finding) => finding.verdict !== 'bad');
      print(
        options.json === true,
        { healthy: isHealthy, findings, config: isUnknown ? null : describeConfig(around.config) },
        () =>
          findings
            .map(
              ({ verdict, system, what, fix }) =>
                `${MARKS[verdict]}  ${system.padEnd(13)} ${what}${fix === undefined ? '' : `\n                     fix: ${fix}`}`,
            )
            .join('\n'),
      );
      if (!isHealthy) process.exitCode = 1;
    });
}

/** The source that bills, and the control where there is one. */
async function checkSources(config: Config, now: Date): Promise<Finding[]> {
  const { CONTROL_SOURCE: control } = config;
  const sources = [
    createSource(config, config.USAGE_SOURCE, false),
    ...(control === 'none' ? [] : [createSource(config, control, true)]),
  ];
  return (await Promise.all(sources.map((source) => checkAzure(source, config, now)))).flat();
}

async function examine({ config: environment, clock }: Surroundings): Promise<Finding[]> {
  const config = await guarded('configuration', async () => checkConfiguration(environment));
  if (config.some((finding) => finding.verdict === 'bad')) return config;
  const complete = await guarded('configuration', async () => {
    requireOutside(environment);
    return [];
  });
  const now = clock.now();
  const outside = await Promise.all([
    environment.AZURE_LOGS_WORKSPACE_ID === undefined && environment.AZURE_LOGS_RESOURCE_ID === undefined
      ? []
      : guarded('azure', () => checkSources(environment, now)),
    environment.OPENMETER_URL === undefined
      ? []
      : guarded('openmeter', () => checkOpenMeter(createOpenMeter(environment))),
    environment.STRIPE_API_KEY === undefined
      ? []
      : examineStripe({ ...environment, STRIPE_API_KEY: environment.STRIPE_API_KEY }, now),
    guarded('ledger', () => checkStores(environment, clock)),
  ]);
  return [...config, ...complete, ...outside.flat()];
}

async function examineStripe(config: Config & { STRIPE_API_KEY: string }, now: Date): Promise<Finding[]> {
  const stripe = createStripe(config);
  const found = await Promise.all([
    guarded('stripe', () => checkStripe(stripe, config, now)),
    guarded('stripe', () => checkStripeRights(stripe)),
    guarded('stripe', () => checkStripeTaxes(stripe)),
  ]);
  return found.flat();
}

async function checkStores(config: Config, clock: Clock): Promise<Finding[]> {
  const log = createLogger('silent');
  const stores = await openStores(config, log, { besideRunning: true });
  try {
    const queue = openStepQueue(stores.queue, log);
    try {
      await queue.waitUntilReady();
    } finally {
      await queue.close();
    }
    return [
      ...(await checkProviders(stores.database, readConfiguredProviders(config))),
      {
        system: 'ledger',
        verdict: 'good',
        what: `${stores.embedded ? 'embedded' : 'external'} Postgres, migrated`,
      },
      {
        system: 'queue',
        verdict: 'good',
        what: stores.queue.redisUrl === undefined ? 'in Postgres' : 'in Redis, noeviction',
      },
      ...(config.OPENMETER_URL === undefined ? [] : await checkAttribution(stores.database, config)),
      ...(await checkLinkKeys(stores.database, config, clock)),
      ...(await checkPriceBook(stores.database, config.PRICE_BOOK_WARN_DAYS, clock.now())),
      ...judgeSink(await readSinkState(stores.database)),
    ];
  } finally {
    await stores.close();
  }
}
