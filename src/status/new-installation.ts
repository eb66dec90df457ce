import path from 'node:path';
import type { Config } from '../platform/config.ts';

interface NeededSystem {
  name: string;
  isSet(config: Config): boolean;
  how: string;
}

const NEEDED: readonly NeededSystem[] = [
  {
    name: 'Azure',
    isSet: (config) =>
      config.AZURE_LOGS_WORKSPACE_ID !== undefined || config.AZURE_LOGS_RESOURCE_ID !== undefined,
    how: 'AZURE_LOGS_WORKSPACE_ID, the workspace that holds the token metrics (docs/azure.md)',
  },
  {
    name: 'OpenMeter',
    isSet: ({ OPENMETER_URL }) => OPENMETER_URL !== undefined,
    how: 'OPENMETER_URL, where usage is metered (docs/openmeter.md)',
  },
  {
    name: 'Stripe',
    isSet: ({ STRIPE_API_KEY }) => STRIPE_API_KEY !== undefined,
    how: 'STRIPE_API_KEY, a secret or restricted key (docs/stripe.md)',
  },
];

/**
 * What an installation that nobody has started yet lacks, and how to get it.
 * @param demoDirectories of demos that were played beside it and do not run now
 */
export function describeNewInstallation(config: Config, demoDirectories: readonly string[]): string {
  const systems = NEEDED.map(({ name, isSet, how }) =>
    isSet(config) ? `  set      ${name}` : `  missing  ${name.padEnd(9)}  ${how}`,
  );
  const isComplete = NEEDED.every(({ isSet }) => isSet(config));
  const ledger =
    config.DATABASE_URL === undefined
      ? `  default  ledger     an embedded Postgres below ${path.resolve(config.TALLYSTICK_DATA_DIR)}; DATABASE_URL names another`
      : '  set      ledger     the Postgres of DATABASE_URL';
  return [
    'This installation is new: nothing was collected yet.',
    '',
    ...systems,
    ledger,
    '',
    isComplete
      ? 'All of it is named. Next:'
      : 'Set what is missing in the environment (README.md lists every variable). Then:',
    '  tallystick doctor                                  checks each system, and says what to fix',
    '  tallystick up                                      serves the API and runs the jobs',
    '  tallystick keys create --name me --scope admin     makes a key for the API',
    '',
    'To look first: "tallystick demo" ("npm start" in a checkout) plays a month of a made-up business. It needs no account.',
    ...(demoDirectories.length === 0
      ? []
      : [
          `A demo was played here and does not run: "npm start" goes on with it (${demoDirectories.join(', ')}).`,
        ]),
  ].join('\n');
}
