import { Command } from 'commander';
import { toTallystickError } from '../errors.ts';
import { addCloseCommand } from './close.ts';
import { addClosesCommand } from './closes.ts';
import { addCollectCommand } from './collect.ts';
import { addCostsCommand } from './costs.ts';
import { addCoverageCommand } from './coverage.ts';
import { addDemoCommand } from './demo.ts';
import { addDeploymentsCommand } from './deployments.ts';
import { addDoctorCommand } from './doctor.ts';
import { VERSION } from './http-server.ts';
import { addKeysCommand } from './keys.ts';
import { addMigrateCommand } from './migrate.ts';
import { addPlansCommand } from './plans.ts';
import { addPreviewCommand } from './preview.ts';
import { addPricesCommand } from './prices.ts';
import { addProvisionedCommand } from './provisioned.ts';
import { addQuarantineCommand } from './quarantine.ts';
import { addQuoteCommand } from './quote.ts';
import { addReconcileCommand } from './reconcile.ts';
import { addRescanCommand } from './rescan.ts';
import { addSimulateCommand } from './simulate.ts';
import { addStatementCommand } from './statement.ts';
import { addStatusCommand } from './status.ts';
import { addServiceCommands } from './up.ts';

/** Builds the command line; one file a command. */
export function createProgram(): Command {
  const program = new Command('tallystick')
    .description('Azure OpenAI token metrics, metered by OpenMeter and billed by Stripe, exactly once')
    .version(VERSION)
    .showHelpAfterError('(see --help)');
  addDemoCommand(program);
  addServiceCommands(program);
  addMigrateCommand(program);
  addCollectCommand(program);
  addRescanCommand(program);
  addStatusCommand(program);
  addQuarantineCommand(program);
  addCoverageCommand(program);
  addKeysCommand(program);
  addPlansCommand(program);
  addPricesCommand(program);
  addDeploymentsCommand(program);
  addPreviewCommand(program);
  addQuoteCommand(program);
  addStatementCommand(program);
  addCostsCommand(program);
  addProvisionedCommand(program);
  addSimulateCommand(program);
  addReconcileCommand(program);
  addCloseCommand(program);
  addClosesCommand(program);
  addDoctorCommand(program);
  return program;
}

/** Runs one command; an error becomes one readable report on standard error and exit status 1. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    const known = toTallystickError(error);
    if (argv.includes('--json')) {
      process.stdout.write(
        `${JSON.stringify({ error: { code: known.code, message: known.message, fix: known.fix, retry: known.retry } })}\n`,
      );
    }
    process.stderr.write(
      `${known.code}: ${known.message}\n${known.fix === undefined ? '' : `Fix: ${known.fix}\n`}`,
    );
    if (known.code === 'INTERNAL' && known.cause instanceof Error)
      process.stderr.write(`${known.cause.stack}\n`);
    process.exitCode = 1;
  }
}
