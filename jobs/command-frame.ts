import type { Config } from '../src/platform/config.ts';
import type { CommandContext, CommandFrame } from '../src/platform/terminal/frame.ts';
import type { JobDependencies } from './dependencies.ts';

/** What the commands of steps are handed beside what every command is. */
export interface PipelineFrame extends CommandFrame {
  /** Opens the ledger and the outside systems. @throws TallystickError CONFIG naming every missing setting */
  withPipeline<Result>(
    work: (context: CommandContext & { deps: JobDependencies }) => Promise<Result>,
  ): Promise<Result>;
  /** Azure's price list, unless it is switched off. It needs no account. */
  openRetailPrices(config: Config): Pick<JobDependencies, 'retailPrices'>;
}
