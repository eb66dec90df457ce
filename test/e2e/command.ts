import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface CommandResult {
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** The last line of standard output, parsed. */
  json(): Record<string, unknown>;
}

export interface RunningCommand {
  child: ChildProcess;
  done: Promise<CommandResult>;
  /** Resolves when standard output or error has said so; rejects when the command ends before. */
  untilSaid(pattern: RegExp): Promise<string>;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Starts the real command line in a process of its own, with nothing of the caller's configuration. */
export function startCommand(argv: readonly string[], environment: Record<string, string>): RunningCommand {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env: { PATH, HOME, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    for (const listener of listeners) listener();
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
    for (const listener of listeners) listener();
  });
  const done = new Promise<CommandResult>((resolve) => {
    child.once('close', (exitCode, signal) => {
      resolve({
        exitCode,
        signal,
        stdout,
        stderr,
        json: () => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''),
      });
    });
  });
  return {
    child,
    done,
    untilSaid: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (found === null) return;
          listeners.delete(look);
          resolve(found[0]);
        };
        listeners.add(look);
        look();
        void done.then((result) => reject(new Error(`ended without saying ${pattern}: ${result.stderr}`)));
      }),
  };
}

export const runCommand = (argv: readonly string[], environment: Record<string, string>) =>
  startCommand(argv, environment).done;
