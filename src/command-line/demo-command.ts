import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { TallystickError } from '../platform/errors.ts';

/** Adds `tallystick demo`. What it plays lies in the sandbox, which nothing else in production loads. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'play 35 virtual days of a dozen customers through the whole pipeline, then serve the result',
    )
    .option('--seed <number>', 'which world: equal seeds give equal totals', '1')
    .option('--days <number>', 'virtual days of traffic', '35')
    .option(
      '--months <number>',
      'play so many months instead, periods ending at month ends, outages during the close, nobody watching',
    )
    .option('--customers <number>', 'customers, each with a Stripe subscription', '12')
    .option('--users <number>', 'internal user IDs over all customers', '60')
    .option('--once', 'end after the report instead of serving')
    .option('--json', 'print the report as one JSON object on the last line of standard output')
    .option('--fresh', 'forget an earlier run of the same world')
    .option(
      '--drop-pushes <number>',
      'let the Stripe stand-in lose so many meter events, to see the check fail',
      '0',
    )
    .addHelpText(
      'after',
      `
Needs no account and no network: three stand-ins speak the wire forms of Azure Monitor, OpenMeter and Stripe,
and the production code talks to them through the vendors' own SDKs. Killed half-way, the next start goes on
where it was. Exit status 1 unless source = billed + due + quarantined, to the token.`,
    )
    .action(async (options: Record<string, unknown>) => {
      const { runDemo } = await loadDemo();
      await runDemo(options);
    });
}

/** @throws TallystickError CONFIG where the folder of the sandbox is not installed */
async function loadDemo() {
  // Not by the error of the import: a package that the sandbox lacks is missing, too, and is another fault.
  if (!existsSync(new URL('../../sandbox/', import.meta.url))) {
    throw new TallystickError('This installation comes without the sandbox, which the demo is played in.', {
      code: 'CONFIG',
      retry: false,
      fix: 'Run the demo from a checkout or from the whole package; every other command works without it.',
    });
  }
  return await import('../../sandbox/demo/run.ts');
}
