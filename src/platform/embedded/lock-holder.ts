import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who holds a data directory. */
export interface Holder {
  pid: number;
  /** Start time of that process as the kernel counts it, so that a re-used pid is not taken for the holder. */
  startTicks: string | null;
  /** Of this one taking of the kernel's lock. Versions that took no such lock wrote none. */
  lockId?: string;
  host?: string;
  /** Among which process numbers `pid` is one; null where the system has one kind only. */
  pidNamespace?: string | null;
}

/** This process, about to note a lock that it has. */
export function thisHolder(): Holder {
  return {
    pid: process.pid,
    startTicks: readStartTicks(process.pid),
    lockId: randomUUID(),
    host: hostname(),
    pidNamespace: readPidNamespace(),
  };
}

/** What a note says; null when there is none, or none that can be read. */
export function readHolder(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

/** Whether a process of a version that took no kernel lock still runs; of others the kernel's lock alone tells. */
export function isLiveHolderOfBefore(holder: Holder): boolean {
  return holder.lockId === undefined && isRunning(holder);
}

/** Whether the process that a note names runs, as far as it can be told from here. */
export function isRunning(holder: Holder): boolean {
  if (isElsewhere(holder)) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const ticks = readStartTicks(holder.pid);
  return ticks === null || holder.startTicks === null || ticks === holder.startTicks;
}

/** In words, and whether its number means anything where this process looks. */
export function describeHolder(holder: Holder | null): string {
  if (holder === null) return 'another Tallystick process';
  return isElsewhere(holder)
    ? `Tallystick process ${holder.pid} of another container or machine (host ${holder.host})`
    : `Tallystick process ${holder.pid}`;
}

/** Versions of before noted no host: theirs is taken for this one. */
function isElsewhere(holder: Holder): boolean {
  if (holder.lockId === undefined) return false;
  return holder.host !== hostname() || holder.pidNamespace !== readPidNamespace();
}

/** Field 22 of /proc/PID/stat; null where there is no /proc. */
function readStartTicks(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function readPidNamespace(): string | null {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return null;
  }
}
