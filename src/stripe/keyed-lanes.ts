/** What a task's end means for the tasks behind it in its lane and for all others. */
export type LaneVerdict = 'continue' | 'close-lane' | 'stop';

export interface LaneOptions<Task> {
  tasks: Iterable<Task>;
  /** Tasks of one key never overlap, and run in the order given. */
  keyOf: (task: Task) => string;
  /** Most tasks in flight at once. */
  concurrency: number;
  /** `close-lane` skips the rest of this key, `stop` starts nothing more. A rejection counts as `stop`. */
  run: (task: Task) => Promise<LaneVerdict>;
  signal?: AbortSignal;
}

export interface LaneResult {
  ranCount: number;
  /** Tasks that were never started, because their lane was closed or everything was stopped. */
  skippedCount: number;
}

interface Lane<Task> {
  tasks: Task[];
  next: number;
}

/**
 * Runs every task, at most `concurrency` at once and one per key. The free key with the most tasks left goes
 * first: the longest lane is what can outlast all others, so it must never wait (about O(n log lanes)).
 *
 * @returns when nothing is in flight any more
 * @throws the first rejection of `run`, or the signal's reason, after what was in flight has ended
 */
export async function runKeyedLanes<Task>(options: LaneOptions<Task>): Promise<LaneResult> {
  const { concurrency, run, signal } = options;
  if (!(concurrency >= 1)) throw new RangeError('concurrency must be at least 1');
  const lanes = new Map<string, Lane<Task>>();
  let taskCount = 0;
  for (const task of options.tasks) {
    const key = options.keyOf(task);
    const lane = lanes.get(key);
    if (lane === undefined) lanes.set(key, { tasks: [task], next: 0 });
    else lane.tasks.push(task);
    taskCount += 1;
  }
  const free = new LaneHeap<Task>();
  for (const lane of lanes.values()) free.push(lane);

  let ranCount = 0;
  let stopped = false;
  let failure: { error: unknown } | null = null;

  async function work(): Promise<void> {
    for (;;) {
      if (stopped || signal?.aborted === true) return;
      const lane = free.pop();
      if (lane === undefined) return;
      const task = lane.tasks[lane.next] as Task;
      lane.next += 1;
      ranCount += 1;
      let verdict: LaneVerdict;
      try {
        verdict = await run(task);
      } catch (error) {
        failure ??= { error };
        verdict = 'stop';
      }
      if (verdict === 'stop') stopped = true;
      if (verdict === 'continue' && lane.next < lane.tasks.length) free.push(lane);
    }
  }

  // A worker that finds no free lane may leave: a lane still in flight stays with the worker that holds it.
  await Promise.all(Array.from({ length: Math.min(concurrency, lanes.size) }, work));
  if (failure !== null) throw (failure as { error: unknown }).error;
  signal?.throwIfAborted();
  return { ranCount, skippedCount: taskCount - ranCount };
}

/** A binary heap of lanes by tasks left, most first. */
class LaneHeap<Task> {
  readonly #lanes: Lane<Task>[] = [];

  push(lane: Lane<Task>): void {
    const lanes = this.#lanes;
    let index = lanes.push(lane) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#left(parent) >= this.#left(index)) return;
      this.#swap(parent, index);
      index = parent;
    }
  }

  pop(): Lane<Task> | undefined {
    const lanes = this.#lanes;
    const first = lanes[0];
    const last = lanes.pop();
    if (lanes.length === 0 || last === undefined) return first;
    lanes[0] = last;
    for (let index = 0; ; ) {
      let largest = index;
      for (const child of [2 * index + 1, 2 * index + 2]) {
        if (child < lanes.length && this.#left(child) > this.#left(largest)) largest = child;
      }
      if (largest === index) return first;
      this.#swap(index, largest);
      index = largest;
    }
  }

  #left(index: number): number {
    const lane = this.#lanes[index];
    return lane === undefined ? -1 : lane.tasks.length - lane.next;
  }

  #swap(one: number, other: number): void {
    const lanes = this.#lanes;
    const held = lanes[one] as Lane<Task>;
    lanes[one] = lanes[other] as Lane<Task>;
    lanes[other] = held;
  }
}
