import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (name: string) => readFileSync(path.join(ROOT, name), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };
/** Of the changelog: versions from the newest, each with a date or the word for none. */
const sections = [...read('CHANGELOG.md').matchAll(/^## (.*)$/gm)].map(([, heading = '']) => heading);

/** What a running service and a Worker say is asked of them in `test/e2e/service.test.ts` and `test/worker/worker.test.ts`. */
describe('there is one version', () => {
  it('which the newest section of the changelog and the lock file name', () => {
    expect(sections[0]).toMatch(/^\d+\.\d+\.\d+ \((\d{4}-\d{2}-\d{2}|unreleased)\)$/);
    expect(sections[0]?.split(' ')[0]).toBe(version);
    const lock = JSON.parse(read('package-lock.json')) as {
      version: string;
      packages: Record<string, { version: string }>;
    };
    expect([lock.version, lock.packages['']?.version]).toEqual([version, version]);
  });

  it('and every version before it has a date, not before the one it followed', () => {
    const dates = sections
      .slice(1)
      .map((heading) => /^\d+\.\d+\.\d+ \((\d{4}-\d{2}-\d{2})\)$/.exec(heading)?.[1]);
    expect(dates.length).toBeGreaterThan(3);
    expect(dates).not.toContain(undefined);
    expect(dates).toEqual([...dates].sort().reverse());
  });

  it('which the command line says', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      path.join(ROOT, 'src/main.ts'),
      '--version',
    ]);
    expect(stdout.trim()).toBe(version);
  });
});
