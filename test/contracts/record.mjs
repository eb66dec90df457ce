// Loaded before everything else (`node --import`) in whatever node processes `.ci/run` starts, npm's own among them,
// which may be of an older node: keeps what is said with Stripe's stand-in, and which fields of its answers the product
// reads, for `test/contracts/main.ts`.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';

const directory = process.env.TALLYSTICK_RECORD_DIRECTORY;
if (directory !== undefined && process.features.typescript) {
  const { recordStripe } = await import('./wire-recorder.ts');
  const { watchReads } = await import('./read-fields.ts');
  const file = join(directory, `${process.pid}-${threadId}.ndjson`);
  const keep = (line) => appendFileSync(file, `${JSON.stringify(line)}\n`);
  recordStripe((exchange) => keep({ exchange }));
  watchReads((read) => keep({ read }));
}
