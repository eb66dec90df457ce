/** A process that runs one command of the command line after another, as it is told. */
import { createProgram } from '../../src/command-line/program.ts';
import { toTallystickError } from '../../src/platform/errors.ts';

process.on('message', (argv: string[]) => {
  createProgram()
    .exitOverride()
    .parseAsync(argv, { from: 'user' })
    .then(
      () => process.send?.({ error: null }),
      (error: unknown) => {
        const { code, message } = toTallystickError(error);
        process.send?.({ error: `${code}: ${message}` });
      },
    );
});
process.on('disconnect', () => process.exit());
