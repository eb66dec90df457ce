import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Exchange } from './exchange.ts';
import { STRIPE_OPTIONS } from './stripe-exceptions.ts';
import { judgeStripe } from './stripe-judge.ts';
import { findStripeMock } from './stripe-mock.ts';
import { kindsOf } from './wire-recorder.ts';

/** Judges what `record.mjs` kept in a folder. Exit status 1 unless all of it is as Stripe describes it. */
const [, , directory = ''] = process.argv;
const seen = new Set<string>();
const exchanges: Exchange[] = [];
for (const name of readdirSync(directory)) {
  for (const line of readFileSync(join(directory, name), 'utf8').split('\n')) {
    const exchange = readLine(line);
    const kinds = exchange === null ? [] : kindsOf(exchange);
    if (exchange !== null && kinds.some((kind) => !seen.has(kind))) exchanges.push(exchange);
    for (const kind of kinds) seen.add(kind);
  }
}

const module = await findStripeMock();
if (module === null) {
  console.error('go is not on the PATH: what was said to Stripe is held against nothing.');
  process.exitCode = process.env.CI ? 1 : 0;
} else {
  const problems = await judgeStripe(module, STRIPE_OPTIONS, exchanges, []);
  // Exceptions, and routes that only a walk asks, are the test's to look for.
  const told = problems.filter((problem) => !/never (seen|asked)$/.test(problem));
  for (const problem of told) console.log(problem);
  console.log(JSON.stringify({ exchanges: exchanges.length, problems: told.length }));
  process.exitCode = exchanges.length > 0 && told.length === 0 ? 0 : 1;
}

/** Null: the process that wrote it was killed half-way. */
function readLine(line: string): Exchange | null {
  try {
    return JSON.parse(line) as Exchange;
  } catch {
    return null;
  }
}
