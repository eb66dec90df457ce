import { Command } from 'commander';
import { addCloseCommand } from '../../jobs/close/command.ts';
import { addCollectCommand } from '../../jobs/collect/command.ts';
import type { PipelineFrame } from '../../jobs/command-frame.ts';
import { addPricesSyncCommand } from '../../jobs/prices/command.ts';
import { readShippedMeterFile } from '../../jobs/prices/read-meter-file.ts';
import { addReconcileCommand } from '../../jobs/reconcile/command.ts';
import { addRescanCommand } from '../../jobs/rescan/command.ts';
import { addAccrualsCommand } from '../accruals/command.ts';
import { addAlertsCommand } from '../alerts/command.ts';
import { addCostChangesCommand } from '../anomalies/changes/command.ts';
import { addAnomaliesCommand } from '../anomalies/command.ts';
import { addUninvoicedCommand } from '../billing/uninvoiced/command.ts';
import { addBudgetsCommand } from '../budgets/command.ts';
import { addClosesCommand } from '../closing/command.ts';
import { addSecondPersonCommand } from '../closing/second-person/command.ts';
import { addCostsCommand } from '../costs/command.ts';
import { addExchangeCommand } from '../costs/exchange/command.ts';
import { addProvisionedCommand } from '../costs/provisioned/command.ts';
import { addEnforcementCommand } from '../enforcement/command.ts';
import { addExportsCommand } from '../exports/command.ts';
import { addKeysCommand } from '../identity/command.ts';
import { addLinksCommand } from '../links/command.ts';
import { addPlansCommand } from '../plans/command.ts';
import { toTallystickError } from '../platform/errors.ts';
import { addPreviewCommand } from '../previews/command.ts';
import { addProjectionsCommand } from '../previews/projections-command.ts';
import { addPricesCommand } from '../prices/command.ts';
import { addDeploymentsCommand } from '../prices/deployments-command.ts';
import { addQuarantineCommand } from '../quarantine/command.ts';
import { addQuoteCommand } from '../quotes/command.ts';
import { addReportingCommand } from '../reporting/command.ts';
import { VERSION } from '../service/http-server.ts';
import { openRetailPrices } from '../service/services.ts';
import { addSimulateCommand } from '../simulations/command.ts';
import { addStatementCommand } from '../statements/command.ts';
import { addStatusCommand } from '../status/command.ts';
import { addCoverageCommand } from '../usage/coverage/command.ts';
import { addRecountsCommand } from '../usage/recounts/command.ts';
import { askApi } from './ask-api.ts';
import { addDemoCommand } from './demo-command.ts';
import { addDoctorCommand } from './doctor/command.ts';
import { addMigrateCommand } from './migrate-command.ts';
import { withPipeline, withStores } from './setup.ts';
import { addServiceCommands } from './up.ts';

const frame: PipelineFrame = { askApi, withStores, withPipeline, openRetailPrices };

/** Builds the command line; one file a command. */
export function createProgram(): Command {
  const program = new Command('tallystick')
    .description('Azure OpenAI token metrics, metered by OpenMeter and billed by Stripe, exactly once')
    .version(VERSION)
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      '\nNew here? "tallystick demo" plays a month without any account; "tallystick status" says what an installation lacks.\nBeside a running demo every command is about that, at its time.',
    );
  addDemoCommand(program);
  addServiceCommands(program);
  addMigrateCommand(program);
  addCollectCommand(program, frame);
  addRescanCommand(program, frame);
  addStatusCommand(program, frame);
  addQuarantineCommand(program, frame);
  addRecountsCommand(program, frame);
  addCoverageCommand(program, frame);
  addKeysCommand(program, frame);
  addLinksCommand(program, frame);
  addPlansCommand(program, frame);
  addPricesSyncCommand(addPricesCommand(program, frame, readShippedMeterFile), frame);
  addDeploymentsCommand(program, frame);
  addPreviewCommand(program, frame);
  addProjectionsCommand(program, frame);
  addQuoteCommand(program, frame);
  addStatementCommand(program, frame);
  addCostChangesCommand(addCostsCommand(program, frame), frame);
  addAlertsCommand(program, frame);
  addAnomaliesCommand(program, frame);
  addEnforcementCommand(program, frame);
  addBudgetsCommand(program, frame);
  addExportsCommand(program, frame);
  addReportingCommand(program, frame);
  addExchangeCommand(program, frame);
  addProvisionedCommand(program, frame);
  addSimulateCommand(program, frame);
  addReconcileCommand(program, frame);
  addCloseCommand(program, frame);
  addClosesCommand(program, frame);
  addSecondPersonCommand(program, frame);
  addUninvoicedCommand(program, frame);
  addAccrualsCommand(program, frame);
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
