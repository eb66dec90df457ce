import type { Cleanup } from './support/cleanup.ts';

export interface BenchContext {
  /** Smaller sizes, for a check that everything runs: such figures carry no verdict. */
  quick: boolean;
  /** Undone after the bench, and when the program is told to stop in the middle. */
  cleanup: Cleanup;
  /** Tells a person how far it is; goes to standard error. */
  note(text: string): void;
}

export interface Measurement {
  ratio: number;
  /** What was done and measured: sizes, rates, spreads. */
  detail: string;
}

/** Compares two things in one run, and throws when either did not do its work correctly. */
export interface Bench {
  name: string;
  /** What the ratio is of, in a few words. */
  title: string;
  target: number;
  better: 'higher' | 'lower';
  run(context: BenchContext): Promise<Measurement>;
}

export interface BenchResult extends Measurement {
  name: string;
  target: number;
  better: 'higher' | 'lower';
  /** Null in a quick run. */
  met: boolean | null;
}

export function judge(bench: Bench, measured: Measurement, quick: boolean): BenchResult {
  const { name, target, better } = bench;
  const met = better === 'higher' ? measured.ratio >= target : measured.ratio <= target;
  return {
    name,
    ratio: Number(measured.ratio.toFixed(4)),
    target,
    better,
    met: quick ? null : met,
    detail: quick ? `quick run, smaller sizes, no verdict; ${measured.detail}` : measured.detail,
  };
}

/** @throws Error when the two sides of a comparison did different work, which makes their times worthless */
export function assertEqual<Value>(what: string, actual: Value, expected: Value): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}
