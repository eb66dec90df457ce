import type { Draws } from './draws.ts';
import type { Trace } from './trace.ts';
import { VirtualTimers } from './virtual-timers.ts';

/** One simulated operating-system process. Dead ones never hear of anything again: no `finally` runs. */
export interface SimulatedProcess {
  name: string;
  alive: boolean;
  /** Stands still until this many effects have happened elsewhere; null when it runs. */
  frozenUntilEffect: number | null;
  /** What it is at. */
  task?: string;
  /** Nothing befalls it: it is no worker. */
  isSpared?: true;
}

/** Something that others can see: a statement, a commit, a call to an outside system. */
export interface Effect {
  label: string;
  /** How much more often than a plain read this is where disaster strikes. */
  weight: number;
  /** The connection it goes over, when it is a statement. */
  connection?: { inTransaction: boolean };
  /** Virtual milliseconds it takes at least and at most. */
  durationMs: readonly [number, number];
}

export interface Disasters {
  crashChance: number;
  freezeChance: number;
  /** How much more often they strike during a task. */
  factorOf?: Readonly<Record<string, number>>;
}

interface Parked {
  process: SimulatedProcess;
  effect: Effect;
  perform: () => Promise<string>;
  deliver: () => void;
}

export interface SchedulerOptions {
  draws: Draws;
  trace: Trace;
  nowMs: () => number;
  advance: (milliseconds: number) => void;
  /** Called when a process has died: whatever it held in the outside world is let go. */
  onKill: (process: SimulatedProcess) => Promise<void>;
  /** The process that is inside a transaction; at most one is at a time. */
  findTransactionHolder: () => SimulatedProcess | null;
}

/** Turns of the event loop without news after which everything that can run has run. */
const QUIET_TURNS = 3;
const STUCK_TURNS = 20_000;

/**
 * Runs simulated processes one effect at a time, in an order drawn from the seed. A process waits before
 * each of its effects; between effects it is plain computation. So any interleaving of effects can happen,
 * every one can be repeated, and a process can die or stand still before and after each.
 */
export class Scheduler {
  disasters: Disasters = { crashChance: 0, freezeChance: 0 };
  effectCount = 0;
  crashCount = 0;
  readonly timers: VirtualTimers<SimulatedProcess>;
  readonly #options: SchedulerOptions;
  #parked: Parked[] = [];
  readonly #jobs = new Map<SimulatedProcess, number>();
  #activity = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.timers = new VirtualTimers(options.nowMs);
  }

  /** Starts a job of a process; it goes on when `run` is called. A job must handle its own errors. */
  spawn(process: SimulatedProcess, job: () => Promise<void>): void {
    this.#jobs.set(process, (this.#jobs.get(process) ?? 0) + 1);
    this.timers.within(process, job).finally(() => {
      if (!process.alive) return;
      this.#activity += 1;
      const left = (this.#jobs.get(process) ?? 1) - 1;
      if (left === 0) this.#jobs.delete(process);
      else this.#jobs.set(process, left);
    });
  }

  /** Waits for its turn, then does it. Never settles when the process dies before or right after. */
  effect<Result>(
    process: SimulatedProcess,
    effect: Effect,
    perform: () => Promise<{ result: Result; outcome: string }>,
  ): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (!process.alive) return;
      this.#activity += 1;
      let deliver = () => {};
      this.#parked.push({
        process,
        effect,
        perform: async () => {
          try {
            const { result, outcome } = await perform();
            deliver = () => resolve(result);
            return outcome;
          } catch (error) {
            deliver = () => reject(error);
            return `threw ${error instanceof Error ? error.message : error}`;
          }
        },
        deliver: () => deliver(),
      });
    });
  }

  /** Goes on until no job is left and nothing waits. */
  async run(): Promise<void> {
    for (;;) {
      await this.#settle();
      if (this.#fireDueTimer(this.#options.nowMs())) continue;
      const candidates = this.#candidates();
      const chosen = this.#choose(candidates);
      if (chosen !== undefined) await this.#grant(chosen);
      else if (!this.#thawOne()) {
        if (this.#jobs.size === 0) return;
        if (!this.#fireDueTimer(Number.POSITIVE_INFINITY)) throw new Error('The simulation is stuck');
      }
    }
  }

  async kill(process: SimulatedProcess): Promise<void> {
    process.alive = false;
    this.#parked = this.#parked.filter((parked) => parked.process !== process);
    this.#jobs.delete(process);
    this.timers.drop(process);
    await this.#options.onKill(process);
  }

  async #grant(parked: Parked): Promise<void> {
    const { process, effect } = parked;
    const { draws, trace, advance } = this.#options;
    const factor = this.disasters.factorOf?.[process.task ?? ''] ?? 1;
    const risk = process.isSpared === true ? 0 : effect.weight * factor;
    if (this.#options.findTransactionHolder() === null && draws.chance(this.disasters.freezeChance * risk)) {
      const milliseconds = draws.between(5_000, 240_000);
      process.frozenUntilEffect = this.effectCount + draws.between(3, 120);
      trace.add(process.name, `FROZEN for ${milliseconds} ms before ${effect.label}`);
      advance(milliseconds);
      return;
    }
    this.#parked.splice(this.#parked.indexOf(parked), 1);
    const crashes = draws.chance(this.disasters.crashChance * risk);
    if (crashes && draws.chance(0.5)) {
      trace.add(process.name, `CRASHED before ${effect.label}`);
      this.crashCount += 1;
      await this.kill(process);
      return;
    }
    advance(draws.between(...effect.durationMs));
    this.effectCount += 1;
    const outcome = await parked.perform();
    trace.add(process.name, `${effect.label} -> ${outcome}`);
    if (crashes) {
      trace.add(process.name, `CRASHED before it heard of ${effect.label}`);
      this.crashCount += 1;
      await this.kill(process);
    } else parked.deliver();
  }

  /**
   * While a transaction is open its statements come first, and then only what its own process does: a
   * statement that waited for its locks would hold up the simulation.
   */
  #candidates(): Parked[] {
    const inTransaction = this.#parked.filter((parked) => parked.effect.connection?.inTransaction === true);
    if (inTransaction.length > 0) return inTransaction;
    const holder = this.#options.findTransactionHolder();
    if (holder !== null) return this.#parked.filter(({ process }) => process === holder);
    return this.#parked.filter(({ process }) => {
      if (process.frozenUntilEffect !== null && process.frozenUntilEffect <= this.effectCount)
        process.frozenUntilEffect = null;
      return process.frozenUntilEffect === null;
    });
  }

  /** A process by lot, then mostly its oldest effect: calls of one process rarely overtake each other. */
  #choose(candidates: Parked[]): Parked | undefined {
    const { draws } = this.#options;
    // By their names: how many turns of the event loop one takes to come to its effect is not ours to fix.
    const [first, ...others] = [...new Set(candidates.map((parked) => parked.process))].sort((one, other) =>
      one.name < other.name ? -1 : 1,
    );
    if (first === undefined) return undefined;
    const process = draws.pick([first, ...others]);
    const own = candidates.filter((parked) => parked.process === process);
    const index = own.length > 1 && draws.chance(0.3) ? draws.between(0, own.length - 1) : 0;
    return own[index];
  }

  #thawOne(): boolean {
    const frozen = this.#parked.find((parked) => parked.process.frozenUntilEffect !== null);
    if (frozen === undefined) return false;
    frozen.process.frozenUntilEffect = null;
    return true;
  }

  #fireDueTimer(untilMs: number): boolean {
    const timer = this.timers.next((owner) => owner.alive && owner.frozenUntilEffect === null);
    if (timer === null || timer.dueMs > untilMs) return false;
    const aheadMs = timer.dueMs - this.#options.nowMs();
    if (aheadMs > 0) this.#options.advance(aheadMs);
    timer.fire();
    return true;
  }

  /** Lets everything run that can, until each process with a job waits for its turn or for a timer. */
  async #settle(): Promise<void> {
    let quietTurns = 0;
    let seen = this.#activity;
    for (let turn = 0; quietTurns < QUIET_TURNS || !this.#everyJobWaits(); turn += 1) {
      if (turn > STUCK_TURNS) throw new Error('A job waits for something that the simulation does not know');
      await new Promise((resolve) => setImmediate(resolve));
      quietTurns = seen === this.#activity ? quietTurns + 1 : 0;
      seen = this.#activity;
    }
  }

  #everyJobWaits(): boolean {
    for (const process of this.#jobs.keys()) {
      const waits = this.#parked.some((parked) => parked.process === process);
      if (!waits && this.timers.next((owner) => owner === process) === null) return false;
    }
    return true;
  }
}
