import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createRandom } from '../../sandbox/random.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Worker processes (`tallystick work`) that are replaced whenever they end, killed or not. */
export class WorkerCrew {
  readonly #environment: Record<string, string>;
  readonly #random: () => number;
  readonly #living = new Map<ChildProcess, { ready: boolean; stderr: string }>();
  #wanted = 0;
  /** Ends that nobody asked for: a worker must survive whatever happens around it. */
  readonly unexpectedEnds: string[] = [];

  constructor(environment: Record<string, string>, seed: number) {
    this.#environment = environment;
    this.#random = createRandom(seed);
  }

  keep(count: number): void {
    this.#wanted = count;
    while (this.#living.size < this.#wanted) this.#start();
  }

  get readyCount(): number {
    return [...this.#living.values()].filter((state) => state.ready).length;
  }

  /** Kills one worker that is at work, without warning; false when none is. */
  async killOne(): Promise<boolean> {
    const ready = [...this.#living].filter(([, state]) => state.ready).map(([child]) => child);
    const victim = ready[Math.floor(this.#random() * ready.length)];
    if (victim === undefined) return false;
    const ended = new Promise((resolve) => victim.once('exit', resolve));
    this.#living.delete(victim);
    victim.kill('SIGKILL');
    await ended;
    this.keep(this.#wanted);
    return true;
  }

  async stopAll(signal: NodeJS.Signals): Promise<void> {
    this.#wanted = 0;
    const all = [...this.#living.keys()];
    this.#living.clear();
    await Promise.all(
      all.map((child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(signal);
        return ended;
      }),
    );
  }

  #start(): void {
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const child = spawn(process.execPath, [MAIN, 'work'], {
      env: {
        PATH,
        ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }),
        ...this.#environment,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const state = { ready: false, stderr: '' };
    this.#living.set(child, state);
    child.stderr?.on('data', (chunk: Buffer) => {
      state.stderr = (state.stderr + chunk.toString()).slice(-4_000);
      if (state.stderr.includes('"msg":"ready"')) state.ready = true;
    });
    child.once('exit', (code, signal) => {
      if (!this.#living.delete(child)) return;
      this.unexpectedEnds.push(`exit ${code ?? signal}: ${state.stderr.slice(-1_500)}`);
      // Not at once: a server that is down would be asked hundreds of times a second.
      setTimeout(() => this.keep(this.#wanted), 500);
    });
  }
}
