import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');
const LINE_LIMIT = 300;

interface SourceFile {
  /** From the root, with forward slashes. */
  name: string;
  text: string;
  /** What it imports: files of ours from the root, packages by their names. Types count. */
  imports: string[];
}

function readFolder(folder: string): SourceFile[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|sql)$/.test(name))
    .map((name) => {
      const text = readFileSync(path.join(ROOT, folder, name), 'utf8');
      const file = `${folder}/${name.replaceAll('\\', '/')}`;
      return { name: file, text, imports: readImports(file, text) };
    });
}

/** Static, dynamic and re-exporting imports. */
function readImports(file: string, text: string): string[] {
  const found = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)'([^']+)'/g);
  return [...found].map(([, target = '']) =>
    target.startsWith('.') ? path.posix.join(path.posix.dirname(file), target) : target,
  );
}

const production = ['src', 'jobs', 'webhooks', 'pricing'].flatMap(readFolder);
const within = (...folders: string[]) =>
  production.filter((file) => folders.some((folder) => file.name.startsWith(folder)));

/** `file -> import` for each import of these files that `isForbidden`. */
function offences(files: SourceFile[], isForbidden: (target: string, file: SourceFile) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((target) => isForbidden(target, file)).map((target) => `${file.name} -> ${target}`),
  );
}

const isOurs = (target: string) => /^(src|jobs|webhooks|pricing|test)\//.test(target);
const liesIn = (target: string, ...folders: string[]) => folders.some((folder) => target.startsWith(folder));
const isPackage = (target: string, name: string) => target === name || target.startsWith(`${name}/`);

describe('imports point down', () => {
  it('finds the imports it speaks of', () => {
    expect(production.length).toBeGreaterThan(100);
    expect(production.find((file) => file.name === 'jobs/queue/steps.ts')?.imports).toContain(
      'src/platform/database/leases.ts',
    );
  });

  it('from pricing to nothing of ours', () => {
    expect(offences(within('pricing/'), (target) => isOurs(target) && !liesIn(target, 'pricing/'))).toEqual(
      [],
    );
  });

  it.each(['azure', 'openmeter', 'stripe'])(
    'from %s only to its own room, to errors, clock and configuration',
    (room) => {
      const allowed = [
        `src/${room}/`,
        'src/platform/errors.ts',
        'src/platform/clock.ts',
        'src/platform/config.ts',
        'src/platform/log.ts',
        'pricing/',
      ];
      expect(
        offences(within(`src/${room}/`), (target) => isOurs(target) && !liesIn(target, ...allowed)),
      ).toEqual([]);
    },
  );

  it('from the ledger to nothing above it, and of the outside systems to their ports alone', () => {
    const allowed = [
      'src/ledger/',
      'src/platform/errors.ts',
      'src/platform/clock.ts',
      'src/platform/config.ts',
      'src/platform/log.ts',
      'pricing/',
      'src/azure/source.ts',
      'src/openmeter/port.ts',
      'src/stripe/port.ts',
    ];
    expect(
      offences(within('src/ledger/'), (target) => isOurs(target) && !liesIn(target, ...allowed)),
    ).toEqual([]);
  });

  it('from the steps to the outside systems by their ports and pure helpers, never to API, pages or command line', () => {
    expect(
      offences(within('jobs/'), (target) =>
        liesIn(target, 'src/api/', 'src/pages/', 'src/cli/', 'src/sandbox/', 'webhooks/', 'test/'),
      ),
    ).toEqual([]);
    const clients =
      /^src\/(azure\/(usage-source|logs-client|logs-source)|openmeter\/client|stripe\/(client|sdk))\.ts$/;
    expect(offences(within('jobs/'), (target) => clients.test(target))).toEqual([]);
  });

  it('from the API and the webhooks never to the steps’ work or the command line', () => {
    const above = ['jobs/', 'src/cli/', 'src/sandbox/', 'test/'];
    expect(
      offences(within('src/api/', 'src/pages/', 'webhooks/'), (target) => liesIn(target, ...above)),
    ).toEqual([]);
  });

  it('to the sandbox from the demo alone', () => {
    const others = production.filter(
      ({ name }) => !liesIn(name, 'src/sandbox/', 'sandbox/demo/run.ts', 'src/cli/demo/'),
    );
    expect(offences(others, (target) => liesIn(target, 'src/sandbox/'))).toEqual([]);
  });

  it('never from production to tests', () => {
    expect(offences(production, (target) => liesIn(target, 'test/'))).toEqual([]);
  });
});

describe('each package has its one place', () => {
  const places: [string, string[]][] = [
    ['@azure/monitor-query', ['src/azure/logs-client.ts']],
    ['@azure/identity', ['src/azure/']],
    ['@openmeter/sdk', ['src/openmeter/', 'src/sandbox/openmeter/']],
    ['stripe', ['src/stripe/', 'src/sandbox/stripe/', 'webhooks/']],
    ['kysely', ['src/ledger/']],
    // The embedded server makes the database that the ledger then opens.
    ['pg', ['src/ledger/', 'src/platform/embedded/postgres.ts']],
    ['bullmq', ['jobs/queue/queues.ts']],
    ['ioredis', ['jobs/queue/queues.ts']],
    ['commander', ['src/cli/']],
  ];
  it.each(places)('%s', (name, allowed) => {
    const importers = production.filter((file) => file.imports.some((target) => isPackage(target, name)));
    expect(importers.length).toBeGreaterThan(0);
    expect(importers.map((file) => file.name).filter((file) => !liesIn(file, ...allowed))).toEqual([]);
  });
});

describe('a file', () => {
  it('has at most 300 lines, unless it is generated', () => {
    const long = production
      .filter(({ text }) => !text.startsWith('/**\n * This file was generated by kysely-codegen.'))
      .map(({ name, text }) => ({ name, lineCount: text.split('\n').length - 1 }))
      .filter(({ lineCount }) => lineCount > LINE_LIMIT);
    expect(long).toEqual([]);
  });

  it('reads the environment only where the configuration is made', () => {
    const readers = production.filter(({ text }) => /\bprocess\.env\b/.test(text)).map(({ name }) => name);
    expect(readers.filter((name) => !liesIn(name, 'src/platform/config.ts', 'src/cli/'))).toEqual([]);
  });

  it('holds no unfinished work', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b/;
    expect(production.filter(({ text }) => marks.test(text)).map(({ name }) => name)).toEqual([]);
  });
});
