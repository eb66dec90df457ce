type Task = () => void | Promise<void>;

/** What was started and must be ended, last first, each once, whatever happens. */
export class Cleanup {
  #tasks: Task[] = [];

  /** @returns a function that does the task now, so that it is not done again later */
  defer(task: Task): () => Promise<void> {
    this.#tasks.push(task);
    return async () => {
      const index = this.#tasks.lastIndexOf(task);
      if (index < 0) return;
      this.#tasks.splice(index, 1);
      await task();
    };
  }

  /** @throws the first error, after everything was tried */
  async run(): Promise<void> {
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
