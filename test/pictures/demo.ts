import { spawn } from 'node:child_process';
import path from 'node:path';
import { findFreePort } from '../../src/platform/embedded/postgres.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** By then a demo of 35 days has been played on any machine. */
const LIMIT_MS = 3_600_000;

/** What the demo's ending tells. */
export interface DemoAddresses {
  origin: string;
  key: string;
  /** Signed addresses by what they are of: `quote`, `statement`, and whatever else the ending names. */
  signed: ReadonlyMap<string, string>;
}

/** @throws Error where the text is not that of a demo that has been played to its end */
export function readDemoAddresses(printed: string): DemoAddresses {
  const lines = new Map(
    [...printed.matchAll(/^ {2}(\w[\w ]*?) +(https?:\S+|tsk_\S+)$/gm)].map(([, name, value]) => [
      name ?? '',
      value ?? '',
    ]),
  );
  const api = lines.get('API');
  const key = lines.get('key');
  if (api === undefined || key === undefined) throw new Error('This is not what the demo says at its end.');
  return { origin: new URL(api).origin, key, signed: lines };
}

/** Plays the demo on a free port. */
export async function startDemo(
  dataDirectory: string,
): Promise<{ printed: Promise<string>; stop(): Promise<void> }> {
  const port = await findFreePort();
  const child = spawn(process.execPath, ['src/main.ts', 'demo'], {
    cwd: ROOT,
    env: { ...process.env, TALLYSTICK_DATA_DIR: dataDirectory, PORT: String(port), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const printed = new Promise<string>((resolve, reject) => {
    let text = '';
    const limit = setTimeout(() => reject(new Error('The demo did not come to its end.')), LIMIT_MS);
    limit.unref();
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (/Open this, signed in/.test(text)) resolve(text);
    });
    void exited.then(() => reject(new Error(`The demo ended before its end:\n${text}`)));
  });
  return {
    printed,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
