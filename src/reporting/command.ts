import type { Command } from 'commander';
import { commandLineActor } from '../identity/command-line-caller.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { print } from '../platform/terminal/output.ts';
import { grantReader, revokeReader } from './readers.ts';

export function addReportingCommand(program: Command, frame: CommandFrame): void {
  const reporting = program
    .command('reporting')
    .description('let others’ tools read the schema "reporting" and nothing else: docs/reporting.md');
  reporting
    .command('grant')
    .description('let a role of Postgres read the views; it is made, and its password shown this once')
    .requiredOption('--role <name>', 'e.g. grafana_reader')
    .option('--new-password', 'of a role that is there already')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Needs DATABASE_URL of a role that may create roles. Behind PgBouncer, tell it the new user as well.

  tallystick reporting grant --role grafana_reader`,
    )
    .action((options: { role: string; newPassword?: boolean; json?: boolean }) =>
      frame.withStores(async ({ stores, clock }) => {
        const granted = await grantReader(stores.database, {
          role: options.role,
          newPassword: options.newPassword === true,
          actor: commandLineActor(),
          now: clock.now(),
        });
        print(options.json === true, granted, () =>
          granted.password === null
            ? `${granted.role} can read the views of "reporting".`
            : `${granted.role} can read the views of "reporting". Its password, shown this once: ${granted.password}`,
        );
      }),
    );
  reporting
    .command('revoke')
    .description('take the right to read the views away from a role')
    .requiredOption('--role <name>', 'e.g. grafana_reader')
    .option('--json', 'print as JSON')
    .action((options: { role: string; json?: boolean }) =>
      frame.withStores(async ({ stores, clock }) => {
        await revokeReader(stores.database, {
          role: options.role,
          actor: commandLineActor(),
          now: clock.now(),
        });
        print(
          options.json === true,
          { revoked: options.role },
          () => `${options.role} can read no view any more.`,
        );
      }),
    );
}
