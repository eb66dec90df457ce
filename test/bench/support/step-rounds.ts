import type { JobDependencies } from '../../../jobs/dependencies.ts';
import { runStep, type StepName, stepNames } from '../../../jobs/queue/steps.ts';

/** Rounds of all steps, as the schedule would run them: how long each step took, and what it said it did. */
export class StepRounds {
  readonly #deps: JobDependencies;
  readonly #msByStep = new Map<StepName, number>();
  readonly #sums = new Map<string, number>();

  constructor(deps: JobDependencies) {
    this.#deps = deps;
  }

  /** Every step once, in the order in which usage travels. @throws what a step throws; Error when one did not run */
  async run(): Promise<void> {
    for (const step of stepNames(this.#deps)) {
      const startedMs = performance.now();
      const result = await runStep(this.#deps, step);
      if (!result.ran) throw new Error(`${step} is held by somebody else`);
      this.#msByStep.set(step, this.msOf(step) + performance.now() - startedMs);
      for (const [field, value] of Object.entries(result)) {
        if (typeof value === 'number')
          this.#sums.set(`${step} ${field}`, (this.#sums.get(`${step} ${field}`) ?? 0) + value);
      }
    }
  }

  get totalMs(): number {
    return [...this.#msByStep.values()].reduce((sum, milliseconds) => sum + milliseconds, 0);
  }

  msOf(step: StepName): number {
    return this.#msByStep.get(step) ?? 0;
  }

  /** @throws Error for a field that the step never told of */
  sum(step: StepName, field: string): number {
    const sum = this.#sums.get(`${step} ${field}`);
    if (sum === undefined) throw new Error(`${step} tells no ${field}`);
    return sum;
  }

  /** One line for people: seconds in all and by step. */
  describe(): string {
    const inSeconds = (milliseconds: number) => (milliseconds / 1_000).toFixed(1);
    const parts = [...this.#msByStep].map(([step, milliseconds]) => `${step} ${inSeconds(milliseconds)}`);
    return `${inSeconds(this.totalMs)} s (${parts.join(', ')})`;
  }
}
