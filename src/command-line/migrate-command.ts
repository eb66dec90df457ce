import type { Command } from 'commander';
import { seedPlans } from '../plans/seed.ts';
import { systemClock } from '../platform/clock.ts';
import { openLedger } from '../platform/database/database.ts';
import { migrateLedger } from '../platform/database/migrate.ts';
import { startEmbeddedPostgres } from '../platform/embedded/postgres.ts';
import { print } from '../platform/terminal/output.ts';
import { seedPriceBook } from '../prices/book.ts';
import { lookAround } from './surroundings.ts';

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description("bring the ledger to this version's schema; safe to repeat")
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nEvery command that opens the ledger migrates it too; run this as a deploy step of its own where you prefer.',
    )
    .action(async (options: { json?: boolean }) => {
      const { config } = await lookAround(process.env);
      const server =
        config.DATABASE_URL === undefined
          ? await startEmbeddedPostgres({ dataDirectory: config.TALLYSTICK_DATA_DIR })
          : null;
      try {
        const databaseUrl = config.DATABASE_URL ?? server?.databaseUrl ?? '';
        const result = await migrateLedger(databaseUrl);
        const ledger = openLedger({ databaseUrl, maxConnectionCount: 1 });
        try {
          await seedPriceBook(ledger, systemClock.now());
          await seedPlans(ledger, systemClock.now());
        } finally {
          await ledger.destroy();
        }
        print(options.json === true, result, () =>
          result.applied.length === 0
            ? `Up to date (${result.alreadyApplied} migrations).`
            : `Applied ${result.applied.join(', ')}.`,
        );
      } finally {
        await server?.stop();
      }
    });
}
