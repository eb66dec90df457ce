type Task = () => void | Promise<void>;

/** What was started and must be ended, last first, each once, whatever happens. */
export class Cleanup {
  #tasks: Task[] = [];
  #isRun = false;
  #draining: Promise<void> = Promise.resolve();

  /**
   * After `run` a task is done at once: whoever was still starting something must not leave it behind.
   * @returns a function that does the task now, so that it is not done again later
   */
  defer(task: Task): () => Promise<void> {
    this.#tasks.push(task);
    if (this.#isRun) this.run().catch(() => {});
    return async () => {
      const index = this.#tasks.lastIndexOf(task);
      if (index < 0) return;
      this.#tasks.splice(index, 1);
      await task();
    };
  }

  /**
   * Resolves when everything is done, also what an earlier call is still at.
   * @throws the first error, after everything was tried
   */
  run(): Promise<void> {
    this.#isRun = true;
    const draining = this.#draining.then(() => this.#drain());
    this.#draining = draining.catch(() => {});
    return draining;
  }

  async #drain(): Promise<void> {
    const failures: unknown[] = [];
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      try {
        await task();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
