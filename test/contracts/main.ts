import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Exchange } from './exchange.ts';
import type { SeenRead } from './read-fields.ts';
import { STRIPE_OPTIONS } from './stripe-exceptions.ts';
import { unlistedReads, unreadFields } from './stripe-fields/lists.ts';
import { judgeStripe } from './stripe-judge.ts';
import { findStripeMock } from './stripe-mock.ts';
import { kindsOf } from './wire-recorder.ts';

/**
 * Judges what `record.mjs` kept in a folder; with `--whole`, says which listed fields nothing read, too. Exit status 1 unless
 * all of it is as Stripe describes it.
 */
const { values, positionals } = parseArgs({
  options: { whole: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [directory] = positionals;
if (directory === undefined) throw new Error('Usage: npm run contracts -- FOLDER [--whole]');

const seen = new Set<string>();
const exchanges: Exchange[] = [];
const reads: SeenRead[] = [];
for (const name of readdirSync(directory)) {
  for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
    const { exchange, read } = readLine(line);
    if (read !== undefined) reads.push(read);
    const kinds = exchange === undefined ? [] : kindsOf(exchange);
    if (exchange !== undefined && kinds.some((kind) => !seen.has(kind))) exchanges.push(exchange);
    for (const kind of kinds) seen.add(kind);
  }
}

const module = await findStripeMock();
if (module === null) {
  console.error('go is not on the PATH: what was said to Stripe is held against nothing.');
  process.exitCode = process.env.CI ? 1 : 0;
} else {
  const judged = await judgeStripe(module, STRIPE_OPTIONS, exchanges, []);
  const problems = [
    // Exceptions, and routes that only a walk asks, are the test's to look for.
    ...judged.filter((problem) => !/never (seen|asked)$/.test(problem)),
    ...unlistedReads(reads),
  ];
  // What nothing read this time may be read on a path that is rarely taken: no failure.
  for (const notice of values.whole ? unreadFields(reads) : []) console.log(`note: ${notice}`);
  for (const problem of problems) console.log(problem);
  console.log(
    JSON.stringify({ exchanges: exchanges.length, reads: reads.length, problems: problems.length }),
  );
  process.exitCode = exchanges.length > 0 && problems.length === 0 ? 0 : 1;
}

/** Nothing: the process that wrote it was killed half-way. */
function readLine(line: string): { exchange?: Exchange; read?: SeenRead } {
  try {
    return JSON.parse(line) as { exchange?: Exchange; read?: SeenRead };
  } catch {
    return {};
  }
}
