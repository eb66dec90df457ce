import { backfillUsage } from '../../jobs/collect/collect-usage.ts';
import type { JobDependencies } from '../../jobs/dependencies.ts';
import { runStep, STEP_NAMES, type StepName } from '../../jobs/queue/steps.ts';
import { readCatalogProgress } from '../../src/catalog/progress.ts';
import { countOpenCloses } from '../../src/closing/desk.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { addMs, DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { TallystickError } from '../../src/platform/errors.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { checkAtAnyMoment, checkAtTheEnd, describeState } from './balance.ts';
import { checkBudgets, createBudgets } from './budgets.ts';
import { decideCredits } from './closing/credits.ts';
import { checkNewlyUninvoiced, readUninvoicedIds } from './closing/next-period.ts';
import { receiveWebhooks } from './closing/post.ts';
import type { Connections } from './database.ts';
import { Draws } from './draws.ts';
import { ALL_FAULTS, drawProfile, type FaultClasses } from './profile.ts';
import { SinkWeather } from './sink-weather.ts';
import { createWorld, type Worker, type World } from './world.ts';

/** A piece of work for a worker: a step of the pipeline, or the backfill that a person starts. */
type Task = StepName | 'backfill';
type RunTask = (deps: JobDependencies, task: Task) => Promise<unknown>;

export interface SimulationOptions {
  seed: number;
  connections: Connections;
  /** The same ledger outside the simulation, for checks. */
  ledger: LedgerDatabase;
  classes?: FaultClasses;
  mutant?: Mutant;
  stepCount?: number;
}

/** A deliberately broken copy of one boundary. */
export interface Mutant {
  name: string;
  /** Looked at before all others, where what notices it is rare and drawn by the seed alone. */
  firstSeed?: number;
  /** How much more often a worker dies or stands still in a step, where the promise is broken by dying in it alone. */
  factorOf?: Readonly<Record<string, number>>;
  alterDeps?: (deps: JobDependencies, world: World) => JobDependencies;
  alterStripe?: (transport: typeof fetch) => typeof fetch;
  runTask?: RunTask;
}

export interface SimulationResult {
  seed: number;
  violations: string[];
  /** Statements, commits and calls that happened. */
  eventCount: number;
  crashCount: number;
  traceHash: string;
  lastSteps: string[];
}

const BACKFILL_MS = DAY_MS;
const MOST_ROUNDS = 16;
const SETTLE_ROUNDS = 14;
const SAMPLE_ROUNDS = 24;
const CLOSE_ROUNDS = 8;
/** Errors that a worker may end with; the next run of the step goes on where it stopped. */
const ORDINARY_ERRORS = new Set([
  'UPSTREAM_THROTTLED',
  'UPSTREAM_UNAVAILABLE',
  'UPSTREAM_REJECTED',
  'PARTIAL_RESULT',
  'STALE_LEASE',
  'CONFLICT',
]);

/** Plays one seed: some days of traffic in bad weather, then calm, then three replays that must change nothing. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, mutant, ledger } = options;
  const profile = drawProfile(seed, options.classes ?? ALL_FAULTS);
  const world = createWorld({
    seed,
    profile,
    connections: options.connections,
    ...(mutant?.alterDeps === undefined ? {} : { alter: mutant.alterDeps }),
    ...(mutant?.alterStripe === undefined ? {} : { alterStripe: mutant.alterStripe }),
  });
  const play = new Play(world, ledger, { run: mutant?.runTask ?? runTask, strikes: mutant?.factorOf });
  const uninstall = world.scheduler.timers.install();
  try {
    if (world.life.planPrices.length > 0) await seedPlans(ledger, world.clock.now());
    await createBudgets(ledger, world.clock.now());
    await play.storm();
    if (world.witness.violations.length === 0) await play.calm();
    if (world.witness.violations.length === 0) await play.replays();
  } catch (error) {
    world.witness.report(`the simulation failed: ${error instanceof Error ? error.stack : error}`);
  } finally {
    await play.end();
    uninstall();
  }
  // Here it is seen in the seed that lost it, and not in one that finds none left.
  const { lentCount } = options.connections;
  if (lentCount > 0) world.witness.report(`${lentCount} connections were not given back`);
  return {
    seed,
    violations: world.witness.violations,
    eventCount: world.scheduler.effectCount,
    crashCount: world.scheduler.crashCount,
    traceHash: world.trace.hash(),
    lastSteps: world.trace.last(options.stepCount ?? 40),
  };
}

export async function runTask(deps: JobDependencies, task: Task): Promise<unknown> {
  if (task !== 'backfill') return await runStep(deps, task);
  const now = deps.clock.now();
  return await backfillUsage(deps, { start: addMs(now, -BACKFILL_MS), end: now });
}

class Play {
  readonly #world: World;
  readonly #ledger: LedgerDatabase;
  readonly #runTask: RunTask;
  readonly #strikes: Mutant['factorOf'];
  readonly #draws: Draws;
  #workers: (Worker | null)[] = [null, null];
  #startCount = 0;

  constructor(
    world: World,
    ledger: LedgerDatabase,
    { run, strikes }: { run: RunTask; strikes: Mutant['factorOf'] },
  ) {
    this.#world = world;
    this.#ledger = ledger;
    this.#runTask = run;
    this.#strikes = strikes;
    this.#draws = new Draws(world.seed, 'play');
  }

  async storm(): Promise<void> {
    const { clock, scheduler, traffic, profile, witness, weather } = this.#world;
    const draws = this.#draws;
    const { crashChance, freezeChance } = profile;
    const outageRound = profile.longOutage ? draws.between(2, 8) : -1;
    scheduler.disasters = {
      crashChance,
      freezeChance,
      factorOf: { 'close-invoices': profile.closeCrashFactor, ...this.#strikes },
    };
    const sink = new SinkWeather(this.#world);
    for (let round = 0; round < MOST_ROUNDS || sink.isOut; round += 1) {
      if (clock.nowMs() > traffic.lastIngestionMs + HOUR_MS && !sink.isOut) break;
      const hours = round === outageRound ? draws.between(25, 30) : draws.pick([0.02, 0.3, 1, 3, 6]);
      this.#pass(Math.round(hours * HOUR_MS));
      sink.change(round);
      weather.down =
        profile.outage !== null && round >= profile.outage.fromRound && round < profile.outage.untilRound
          ? profile.outage.system
          : null;
      await this.#round((worker) => this.#drawTasks(round, worker));
      if (witness.violations.length > 0) return;
    }
  }

  /** Everything works again; what is due must come through. */
  async calm(): Promise<void> {
    const { scheduler, traffic, weather, azure, openMeter, stripe, clock, profile } = this.#world;
    scheduler.disasters = { crashChance: 0, freezeChance: 0 };
    weather.stormy = false;
    weather.down = null;
    azure.setFaults({ next: [], rowCeiling: 500_000 });
    openMeter.setFaults({ staleReadMs: 0, dropRate: 0 });
    openMeter.setSinkOutage(null);
    stripe.setSummariesStanding(false);
    stripe.faults.clear();
    const calmMs = Math.max(clock.nowMs(), traffic.lastIngestionMs) + 2 * HOUR_MS;
    // What the source showed hours late is found by the next night.
    this.#world.advanceTo(profile.rescans ? Math.ceil(calmMs / DAY_MS) * DAY_MS : calmMs);
    for (let round = 0; round < SETTLE_ROUNDS; round += 1) {
      this.#pass(30 * MINUTE_MS);
      await this.#calmRound();
      if ((await readTokenTotals(this.#ledger)).dueTokenCount === 0n) break;
    }
    // Longer than an hour must be quiet before reconciliation looks at it, and than what it finds takes.
    for (const hours of [7, 1, 1]) {
      this.#pass(hours * HOUR_MS);
      await this.#calmRound();
    }
    // What Stripe took and lost is found by a sample of a few reads a day.
    for (let round = 0; round < SAMPLE_ROUNDS && !(await this.#isAllPlaced()); round += 1) {
      this.#pass(6 * HOUR_MS);
      await this.#calmRound();
    }
    // What is held for a difference that stays is finalized by Stripe at its deadline.
    for (let round = 0; round < CLOSE_ROUNDS && (await countOpenCloses(this.#ledger)) > 0n; round += 1) {
      this.#pass(6 * HOUR_MS);
      await this.#calmRound();
    }
    await checkAtTheEnd(this.#world, this.#ledger);
    await checkBudgets(this.#world, this.#ledger);
  }

  /** After an hour, a day and a bit, and longer than Stripe and OpenMeter remember anything. */
  async replays(): Promise<void> {
    const { witness } = this.#world;
    const before = await describeState(this.#world, this.#ledger);
    const uninvoiced = { ids: await readUninvoicedIds(this.#ledger), atMs: this.#world.clock.nowMs() };
    // A month of empty windows takes as long as all the rest, so every fourth seed stands for the others.
    for (const hours of this.#world.seed % 4 === 0 ? [1, 25, 34 * 24] : [1, 25]) {
      const writesBefore = witness.writeCount;
      this.#pass(hours * HOUR_MS);
      await this.#calmRound();
      if (witness.writeCount !== writesBefore)
        witness.report(`a replay after ${hours} h made ${witness.writeCount - writesBefore} outside writes`);
      const after = await describeState(this.#world, this.#ledger);
      if (after !== before)
        witness.report(`a replay after ${hours} h changed the state: ${before} -> ${after}`);
      await checkNewlyUninvoiced(this.#world, this.#ledger, uninvoiced);
    }
  }

  async end(): Promise<void> {
    for (const worker of this.#workers) if (worker !== null) await this.#world.scheduler.kill(worker.process);
  }

  async #calmRound(): Promise<void> {
    await this.#round((worker) => (worker === 0 ? [...this.#steps()] : []));
  }

  #steps(): StepName[] {
    return STEP_NAMES.filter((name) => this.#world.profile.rescans || name !== 'rescan-usage');
  }

  async #isAllPlaced(): Promise<boolean> {
    const totals = await readTokenTotals(this.#ledger);
    return totals.dueTokenCount === 0n && totals.deliveredTokenCount === this.#world.stripe.tokenTotal();
  }

  #pass(milliseconds: number): void {
    this.#world.advanceTo(this.#world.clock.nowMs() + milliseconds);
  }

  async #round(tasksOf: (worker: number) => Task[]): Promise<void> {
    const { scheduler, person, personProcess, post, life, clock } = this.#world;
    await post.collect();
    if (life.happenings.length > 0) await decideCredits(this.#ledger, this.#draws, clock.now());
    // What ends before the catalog was read for the first time was never ours.
    const isKnown = (await readCatalogProgress(this.#ledger, 'whole_listing')) !== null;
    if (isKnown && person.hasWork) scheduler.spawn(personProcess, () => person.act());
    this.#workers.forEach((found, index) => {
      const steps = tasksOf(index);
      if (steps.length === 0) return;
      const tasks = index === 0 ? (['receive-webhooks', ...steps] as const) : steps;
      const worker = found?.process.alive === true ? found : this.#start(index);
      scheduler.spawn(worker.process, () => this.#work(worker, tasks));
    });
    await scheduler.run();
    await checkAtAnyMoment(this.#world, this.#ledger);
  }

  #start(index: number): Worker {
    this.#startCount += 1;
    const worker = this.#world.startWorker(`worker-${index + 1}.${this.#startCount}`, index);
    this.#workers[index] = worker;
    return worker;
  }

  async #work(worker: Worker, tasks: readonly (Task | 'receive-webhooks')[]): Promise<void> {
    const { trace, witness } = this.#world;
    const { name } = worker.process;
    for (const task of tasks) {
      trace.add(name, `begins ${task}`);
      worker.process.task = task;
      try {
        const result =
          task === 'receive-webhooks'
            ? await receiveWebhooks(this.#world.post.take(), worker.deps)
            : await this.#runTask(worker.deps, task);
        trace.add(
          name,
          `ends ${task} ${JSON.stringify(result, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
        );
      } catch (error) {
        const code = error instanceof TallystickError ? error.code : 'UNKNOWN';
        trace.add(name, `fails ${task}: ${code} ${error instanceof Error ? error.message : error}`);
        if (!ORDINARY_ERRORS.has(code))
          witness.report(`${task} failed: ${error instanceof Error ? error.stack : error}`);
      }
    }
  }

  #drawTasks(round: number, worker: number): Task[] {
    const draws = this.#draws;
    if (round === 0 && worker === 0) return this.#steps();
    const daily = this.#steps().filter((name) => name !== 'sync-catalog');
    const tasks: Task[] = draws.chance(0.6)
      ? [...daily]
      : draws.shuffle(daily).slice(0, draws.between(1, daily.length));
    if (draws.chance(0.15)) tasks.unshift('sync-catalog');
    if (this.#world.profile.rescans && draws.chance(0.06))
      tasks.splice(draws.between(0, tasks.length), 0, 'backfill');
    return worker === 1 && draws.chance(0.25) ? [] : tasks;
  }
}
