// Loaded before everything else (`node --import`) in whatever node processes `.ci/run` starts, npm's own among them,
// which may be of an older node: keeps what is said with Stripe's stand-in, for `test/contracts/main.ts`.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

const directory = process.env.TALLYSTICK_RECORD_DIRECTORY;
if (directory !== undefined && process.features.typescript) {
  const { recordStripe } = await import('./wire-recorder.ts');
  const file = join(directory, `${process.pid}-${threadId}.ndjson`);
  recordStripe((exchange) => appendFileSync(file, `${JSON.stringify(exchange)}\n`));
}
