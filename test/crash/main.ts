import { parseArgs } from 'node:util';
import { createRandom, deriveSeed } from '../../sandbox/random.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { type Servers, startServers } from './outside.ts';
import { chooseStrike, strike } from './strike.ts';
import { WorkerCrew } from './workers.ts';
import { openCrashWorld } from './world.ts';

/** Kills of one world; the rest of its work is then done undisturbed, and the next world begins. */
const KILLS_PER_WORLD = 12;
const FINISH_TIMEOUT_MS = 180_000;
const PATIENCE_MS = 15_000;

interface Tally {
  kills: number;
  worlds: number;
  driftTokens: bigint;
  duplicateCharges: number;
  extraCalls: number;
  remainingCalls: number;
  replayWrites: number;
  unexpectedEnds: string[];
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** One world: strikes at random moments until its kills are used up, then totals, then a replay. */
async function playWorld(
  servers: Servers,
  index: number,
  killLimit: number,
  seed: number,
  tally: Tally,
): Promise<void> {
  const queue = index === 0 ? ('postgres' as const) : ('redis' as const);
  const workerCount = [1, 2, 4][index % 3] ?? 1;
  const random = createRandom(deriveSeed(seed, 'crash', index));
  await servers.redis.client.flushall();
  const world = await openCrashWorld(servers, { seed: deriveSeed(seed, 'world', index) % 1_000_000, queue });
  const crew = new WorkerCrew(world.environment, deriveSeed(seed, 'victims', index));
  try {
    crew.keep(workerCount);
    let kills = 0;
    while (kills < killLimit && !(await world.isFinished())) {
      while (crew.readyCount === 0) await pause(20);
      // Every other kill falls into the pushes, where a repeat would be a second charge.
      if (kills % 2 === 1) await untilPushing(world, PATIENCE_MS);
      await pause(20 + random() * (kills % 2 === 1 ? 400 : 1_500));
      const remaining = await world.countRemaining();
      if (await strike(chooseStrike(kills, queue), servers, crew, world)) {
        kills += 1;
        tally.remainingCalls += remaining;
      }
    }
    tally.kills += kills;
    await finish(world.isFinished, crew);
    await count(world, tally);
    const before = await world.sandbox.readCalls();
    await crew.stopAll('SIGTERM');
    crew.keep(1);
    while (crew.readyCount === 0) await pause(20);
    await pause(2_000);
    const after = await world.sandbox.readCalls();
    tally.replayWrites +=
      after.meterEventCount - before.meterEventCount + after.ingestRequestCount - before.ingestRequestCount;
    tally.unexpectedEnds.push(...crew.unexpectedEnds);
    tally.worlds += 1;
    process.stderr.write(
      `world ${index + 1} (${queue}, ${workerCount} workers): ${kills} kills, drift ${tally.driftTokens}, duplicates ${tally.duplicateCharges}\n`,
    );
  } finally {
    await crew.stopAll('SIGKILL');
    await world.close();
  }
}

/** Waits until pushes are on their way, or for as long as there is patience. */
async function untilPushing(
  world: Awaited<ReturnType<typeof openCrashWorld>>,
  patienceMs: number,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline && (await world.countRemaining()) === 0 && !(await world.isFinished()))
    await pause(25);
}

async function finish(isFinished: () => Promise<boolean>, crew: WorkerCrew): Promise<void> {
  const deadline = Date.now() + FINISH_TIMEOUT_MS;
  while (!(await isFinished())) {
    if (Date.now() > deadline) {
      throw new Error(
        `The work did not end within ${FINISH_TIMEOUT_MS} ms.\n${crew.unexpectedEnds.join('\n')}`,
      );
    }
    await pause(250);
  }
}

async function count(world: Awaited<ReturnType<typeof openCrashWorld>>, tally: Tally): Promise<void> {
  const [sandbox, ledger, calls] = await Promise.all([
    world.sandbox.readTotals(),
    readTokenTotals(world.database),
    world.sandbox.readCalls(),
  ]);
  const drift =
    BigInt(sandbox.sourceTokens) -
    ledger.collectedTokenCount +
    ledger.differenceTokenCount +
    ledger.deliveredTokenCount -
    BigInt(sandbox.billedTokens);
  tally.driftTokens += drift < 0n ? -drift : drift;
  tally.duplicateCharges += sandbox.customers.filter(
    (customer) => BigInt(customer.billedTokens) > BigInt(customer.sourceTokens),
  ).length;
  if (sandbox.meteredTokens !== sandbox.sourceTokens) tally.duplicateCharges += 1;
  const pushes = await world.database
    .selectFrom('meter_pushes')
    .select((expression) => expression.fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  tally.extraCalls += calls.meterEventCount - Number(pushes.count);
}

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '24' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const killCount = Number(values.kills);
if (!Number.isInteger(killCount) || killCount < 1) {
  process.stderr.write('--kills must be a whole number of at least 1\n');
  process.exit(2);
}
const tally: Tally = {
  kills: 0,
  worlds: 0,
  driftTokens: 0n,
  duplicateCharges: 0,
  extraCalls: 0,
  remainingCalls: 0,
  replayWrites: 0,
  unexpectedEnds: [],
};
const servers = await startServers();
try {
  for (let index = 0; tally.kills < killCount; index += 1) {
    await playWorld(
      servers,
      index,
      Math.min(KILLS_PER_WORLD, killCount - tally.kills),
      Number(values.seed),
      tally,
    );
  }
} finally {
  await servers.stop();
}
const extraCallsRatio = tally.remainingCalls === 0 ? 1 : 1 + tally.extraCalls / tally.remainingCalls;
const report = {
  kills: tally.kills,
  driftTokens: String(tally.driftTokens),
  duplicateCharges: tally.duplicateCharges,
  extraCallsRatio: Math.round(extraCallsRatio * 10_000) / 10_000,
  worlds: tally.worlds,
  replayWrites: tally.replayWrites,
  unexpectedEnds: tally.unexpectedEnds.length,
};
for (const end of new Set(tally.unexpectedEnds.map((text) => text.slice(0, 600)))) {
  process.stderr.write(`a worker ended unasked: ${end}\n`);
}
process.stdout.write(
  values.json
    ? `${JSON.stringify(report)}\n`
    : `${Object.entries(report)
        .map(([name, value]) => `${name.padEnd(18)}${value}`)
        .join('\n')}\n`,
);
const isSound =
  tally.driftTokens === 0n &&
  tally.duplicateCharges === 0 &&
  tally.replayWrites === 0 &&
  tally.unexpectedEnds.length === 0;
if (!isSound) process.exitCode = 1;
