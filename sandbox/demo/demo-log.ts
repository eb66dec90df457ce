import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { createLogger, type Logger } from '../../src/platform/log.ts';

/** From there on pino counts what a person should look at. */
const WARN_LEVEL = 40;

/** What the story holds on purpose, so that nobody takes it for a fault. */
const TOLD: Record<string, string> = {
  'Usage without a known price: its cost is unknown, see /v1/costs':
    'one user tries a model that has no price yet',
  'An invoice is held: its usage does not come through':
    'usage came hours late; each of these invoices went out once it was there',
};

export interface DemoLog {
  log: Logger;
  file: string;
  /** Warnings and errors of this run, in a line each: how many, of what, and why where the story says so. */
  describe(): string[];
}

/** A log of the demo in a file of its directory, so that the terminal belongs to the progress. */
export function openDemoLog(directory: string, level: string): DemoLog {
  const file = path.join(directory, 'demo.log');
  const startsAt = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return { log: createLogger(level, file), file, describe: () => describeLines(readFrom(file, startsAt)) };
}

function readFrom(file: string, startsAt: number): string[] {
  return readFileSync(file).subarray(startsAt).toString('utf8').split('\n').slice(0, -1);
}

function describeLines(lines: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of lines) {
    const { level, msg } = JSON.parse(line) as { level: number; msg?: string };
    if (level >= WARN_LEVEL) counts.set(msg ?? '', (counts.get(msg ?? '') ?? 0) + 1);
  }
  return [...counts].map(([message, count]) => {
    const reason = TOLD[message];
    return `${count} x ${message}${reason === undefined ? '' : ` (${reason})`}`;
  });
}
