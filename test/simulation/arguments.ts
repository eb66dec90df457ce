import { parseArgs } from 'node:util';
import { ValidationError } from '../../src/platform/errors.ts';

export interface SimulationArguments {
  firstSeed: number;
  seedCount: number;
  json: boolean;
  workerCount: number;
  /** Steps printed of a seed that failed. */
  stepCount: number;
}

/**
 * `--seeds N` plays seeds 1 to N, `--seed X` exactly that one; `--workers` is how many threads share
 * them, `--steps` how many of the last steps of a failure are printed.
 * @throws ValidationError naming the option
 */
export function readArguments(argv: readonly string[]): SimulationArguments {
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({
      args: [...argv],
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        workers: { type: 'string' },
        steps: { type: 'string' },
        json: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new ValidationError('arguments', error instanceof Error ? error.message : String(error));
  }
  const seed = readCount('--seed', values.seed);
  return {
    firstSeed: seed ?? 1,
    seedCount: seed === undefined ? (readCount('--seeds', values.seeds) ?? 20) : 1,
    json: values.json === true,
    workerCount: readCount('--workers', values.workers) ?? 2,
    stepCount: readCount('--steps', values.steps) ?? 40,
  };
}

function readCount(flag: string, text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (typeof text !== 'string' || !/^\d+$/.test(text) || count < 1 || count > 2 ** 31 - 1)
    throw new ValidationError(flag, `must be a whole number of at least 1, not "${text}"`);
  return count;
}
