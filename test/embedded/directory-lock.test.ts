import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { isDataDirectoryLocked, lockDataDirectory } from '../../src/platform/embedded/directory-lock.ts';
import type { RacerAnswer, RacerOrder } from './lock-racer.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tallystick-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const noteFile = () => path.join(directory, 'tallystick.lock');

async function startRacer(execPath?: { command: string; arguments: string[] }): Promise<ChildProcess> {
  const racer = fork(new URL('./lock-racer.ts', import.meta.url), {
    ...(execPath === undefined ? {} : { execPath: execPath.command, execArgv: execPath.arguments }),
  });
  onTestFinished(() => void racer.kill('SIGKILL'));
  await once(racer, 'message');
  return racer;
}

async function tell(racer: ChildProcess, order: RacerOrder): Promise<RacerAnswer> {
  const heard = once(racer, 'message');
  racer.send(order);
  const [answer] = await heard;
  return answer as RacerAnswer;
}

async function race(racers: ChildProcess[]): Promise<ChildProcess[]> {
  const atMs = Date.now() + 5;
  const answers = await Promise.all(racers.map((racer) => tell(racer, { take: directory, atMs })));
  for (const { outcome, code } of answers) {
    if (outcome === 'refused') expect(code).toBe('DATA_DIRECTORY_BUSY');
  }
  return racers.filter((_, index) => answers[index]?.outcome === 'holds');
}

/** What a version of before left when it was killed. */
function writeOldNote(pid: number, startTicks: string | null): void {
  writeFileSync(noteFile(), JSON.stringify({ pid, startTicks }));
}

function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

function startTicksOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

test('of processes that race for a stale lock, one wins in each of many rounds', async () => {
  const racers = await Promise.all([startRacer(), startRacer(), startRacer(), startRacer()]);
  const pid = deadPid();
  const winnerCounts = new Map<number, number>();
  for (let round = 0; round < 300; round += 1) {
    writeOldNote(pid, '1');
    const winners = await race(racers);
    winnerCounts.set(winners.length, (winnerCounts.get(winners.length) ?? 0) + 1);
    for (const winner of winners) await tell(winner, { release: true });
  }
  expect(Object.fromEntries(winnerCounts)).toEqual({ 1: 300 });
});

test('the lock of a holder that was killed goes to one of those who race for it', async () => {
  let racers: ChildProcess[] = await Promise.all([startRacer(), startRacer(), startRacer()]);
  for (let round = 0; round < 12; round += 1) {
    const [holder, ...others] = await race(racers);
    expect(others).toEqual([]);
    expect(isDataDirectoryLocked(directory)).toBe(true);
    const gone = once(holder as ChildProcess, 'exit');
    holder?.kill('SIGKILL');
    await gone;
    expect(isDataDirectoryLocked(directory)).toBe(false);
    racers = [...racers.filter((racer) => racer !== holder), await startRacer()];
  }
});

test('a start killed at any moment of the takeover leaves nothing that stands in the way', async () => {
  const pid = deadPid();
  for (let round = 0; round < 15; round += 1) {
    writeOldNote(pid, '1');
    const racer = await startRacer();
    const gone = once(racer, 'exit');
    racer.send({ take: directory, atMs: 0 } satisfies RacerOrder);
    setTimeout(() => racer.kill('SIGKILL'), round / 5);
    await gone;
    const lock = lockDataDirectory(directory);
    expect(isDataDirectoryLocked(directory)).toBe(true);
    lock.release();
  }
});

test('a number that another process has by now does not hold the lock, whatever the note says', () => {
  writeOldNote(process.ppid, '1');
  lockDataDirectory(directory).release();
  const lock = lockDataDirectory(directory);
  const note = JSON.parse(readFileSync(noteFile(), 'utf8'));
  expect(note).toMatchObject({ pid: process.pid, startTicks: startTicksOf(process.pid) });
  lock.release();
  expect(existsSync(noteFile())).toBe(false);
  // Left by a kill, and both number and start are those of a live process, as after a restart of a container.
  writeFileSync(
    noteFile(),
    JSON.stringify({ ...note, pid: process.ppid, startTicks: startTicksOf(process.ppid) }),
  );
  expect(isDataDirectoryLocked(directory)).toBe(false);
  lockDataDirectory(directory).release();
});

test('a live process of a version of before keeps the directory', () => {
  writeOldNote(process.ppid, startTicksOf(process.ppid));
  expect(isDataDirectoryLocked(directory)).toBe(true);
  expect(() => lockDataDirectory(directory)).toThrow(`in use by Tallystick process ${process.ppid}.`);
  rmSync(noteFile());
  lockDataDirectory(directory).release();
});

test('a lock within one process is refused too, and a refused one takes nothing from the holder', async () => {
  const lock = lockDataDirectory(directory);
  expect(() => lockDataDirectory(directory)).toThrow(`in use by Tallystick process ${process.pid}.`);
  expect(isDataDirectoryLocked(directory)).toBe(true);
  const racer = await startRacer();
  expect(await race([racer])).toEqual([]);
  lock.release();
  expect(await race([racer])).toEqual([racer]);
});

const canSplitPids = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
test.runIf(canSplitPids)(
  'a holder among other process numbers keeps the lock, and the refusal says so',
  async () => {
    const away = await startRacer({
      command: 'unshare',
      arguments: ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath],
    });
    expect(await race([away])).toEqual([away]);
    expect(isDataDirectoryLocked(directory)).toBe(true);
    expect(() => lockDataDirectory(directory)).toThrow(
      /process \d+ of another container or machine \(host .+\)/,
    );
    const gone = once(away, 'exit');
    away.kill('SIGKILL');
    await gone;
    await expect.poll(() => isDataDirectoryLocked(directory)).toBe(false);
    lockDataDirectory(directory).release();
  },
);
