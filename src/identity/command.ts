import type { Command } from 'commander';
import { TallystickError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import { API_SCOPES, createApiKey, listApiKeys, revokeApiKey } from './api-keys.ts';
import { commandLineActor } from './command-line-caller.ts';

export function addKeysCommand(program: Command, frame: CommandFrame): void {
  const keys = program.command('keys').description('make, exchange, list and revoke API keys');
  keys
    .command('create')
    .description('make a key; it is shown this once, and only its hash is stored')
    .requiredOption('--name <text>', 'who uses it, e.g. "crm"')
    .requiredOption('--scope <scope...>', `one or more of ${API_SCOPES.join(', ')}; admin may do everything`)
    .option('--json', 'print as JSON')
    .action((options: { name: string; scope: string[]; json?: boolean }) =>
      frame.withStores(async ({ stores, clock }) => {
        const scopes = options.scope.flatMap((text) => text.split(','));
        const { plainKey, key } = await createApiKey(stores.database, {
          name: options.name,
          scopes,
          actor: commandLineActor(),
          now: clock.now(),
        });
        print(options.json === true, { key: plainKey, ...key }, () => plainKey);
      }),
    );
  keys
    .command('exchange')
    .description(
      'give the key in TALLYSTICK_API_KEY another secret, which nobody else knows; it is shown this once',
    )
    .option('--json', 'print as JSON')
    .action((options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answer = await ask<{ key: string }>('POST', '/v1/keys/own/exchange');
        print(options.json === true, answer, () => answer.key);
      }),
    );
  keys
    .command('list')
    .description('all keys, without the keys themselves')
    .option('--json', 'print as JSON')
    .action((options: { json?: boolean }) =>
      frame.withStores(async ({ stores }) => {
        const all = await listApiKeys(stores.database);
        print(options.json === true, { keys: all }, () =>
          renderTable(
            ['id', 'name', 'scopes', 'created', 'exchanged', 'last used', 'revoked'],
            all.map((key) => [
              key.apiKeyId,
              key.name,
              key.scopes.join(' '),
              key.createdAt.toISOString(),
              key.takenOverAt?.toISOString() ?? '',
              key.lastUsedAt?.toISOString() ?? '',
              key.revokedAt?.toISOString() ?? '',
            ]),
          ),
        );
      }),
    );
  keys
    .command('revoke <id>')
    .description('end a key; requests with it are refused from now on')
    .option('--json', 'print as JSON')
    .action((id: string, options: { json?: boolean }) =>
      frame.withStores(async ({ stores, clock }) => {
        if (!(await revokeApiKey(stores.database, id, { actor: commandLineActor(), now: clock.now() }))) {
          throw new TallystickError(`There is no live key ${id}.`, {
            code: 'NOT_FOUND',
            retry: false,
            fix: 'See "tallystick keys list".',
          });
        }
        print(options.json === true, { revoked: id }, () => `Revoked ${id}.`);
      }),
    );
}
