import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');
const LINE_LIMIT = 300;
const FOLDER_LIMIT = 25;
/** Written by a program, read by no one from top to bottom. */
const GENERATED = 'src/platform/database/schema/schema-tables.ts';

/**
 * The rooms of the house from the ground up: a room imports only from those above it in this list. A new room finds its
 * place here, and in `docs/architecture.md`.
 */
const ROOMS = [
  'pricing',
  'src/platform',
  'src/pages',
  'src/azure',
  'src/openmeter',
  'src/stripe',
  'src/identity',
  'src/usage',
  'src/catalog',
  'src/links',
  'src/webhook-events',
  'src/billing',
  'src/quarantine',
  'src/reconciliation',
  'src/prices',
  'src/plans',
  'src/costs',
  'src/anomalies',
  'src/budgets',
  'src/enforcement',
  'src/reporting',
  'src/closing',
  'src/accruals',
  'src/quotes',
  'src/simulations',
  'src/previews',
  'src/statements',
  'src/exports',
  'src/alerts',
  'src/status',
  'src/console',
  'src/portal',
  'webhooks',
  'jobs',
  'src/service',
  'sandbox',
  'src/command-line',
  'src/main.ts',
  'src/worker.ts',
];
/** What a room is made of that only entry points load: jobs and webhooks work with the rest of a noun. */
const FACE = /\/(routes|[a-z-]+-routes|command|[a-z-]+-command)\.ts$|\/page\//;

interface SourceFile {
  /** From the root, with forward slashes. */
  name: string;
  room: string;
  text: string;
  /** What it imports: files of ours from the root, packages by their names. Types count. */
  imports: string[];
}

const roomOf = (name: string) =>
  ROOMS.find((room) => name === room || name.startsWith(`${room}/`)) ??
  `a room that is not in the list (${name})`;

function readFolder(folder: string): SourceFile[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|sql)$/.test(name))
    .map((name) => {
      const text = readFileSync(path.join(ROOT, folder, name), 'utf8');
      const file = `${folder}/${name.replaceAll('\\', '/')}`;
      return { name: file, room: roomOf(file), text, imports: readImports(file, text) };
    });
}

/** Static, dynamic and re-exporting imports. */
function readImports(file: string, text: string): string[] {
  const found = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)'([^']+)'/g);
  return [...found].map(([, target = '']) =>
    target.startsWith('.') ? path.posix.join(path.posix.dirname(file), target) : target,
  );
}

const production = ['src', 'jobs', 'webhooks', 'pricing', 'sandbox'].flatMap(readFolder);
const isOurs = (target: string) => /^(src|jobs|webhooks|pricing|sandbox|test)\//.test(target);
const liesIn = (target: string, ...folders: string[]) => folders.some((folder) => target.startsWith(folder));
const isPackage = (target: string, name: string) => target === name || target.startsWith(`${name}/`);

/** `file -> import` with what to do instead, for each import for which `wayOut` knows one. */
function offences(
  files: SourceFile[],
  wayOut: (target: string, file: SourceFile) => string | null | undefined,
): string[] {
  return files.flatMap((file) =>
    file.imports.flatMap((target) => {
      const advice = wayOut(target, file);
      return advice === null || advice === undefined ? [] : [`${file.name} -> ${target}: ${advice}`];
    }),
  );
}

describe('imports point down', () => {
  it('finds the imports it speaks of', () => {
    expect(production.length).toBeGreaterThan(400);
    expect(production.find(({ name }) => name === 'jobs/queue/steps.ts')?.imports).toContain(
      'src/platform/database/leases.ts',
    );
    expect(production.filter(({ room }) => !ROOMS.includes(room)).map(({ name }) => name)).toEqual([
      ...(existsSync(path.join(ROOT, 'src/worker-modules.d.ts')) ? ['src/worker-modules.d.ts'] : []),
    ]);
  });

  it('from each room to those below it', () => {
    const floors = new Map(ROOMS.map((room, floor) => [room, floor]));
    expect(
      offences(production, (target, { room }) => {
        if (!isOurs(target) || roomOf(target) === room) return null;
        const [from, to] = [floors.get(room) ?? -1, floors.get(roomOf(target)) ?? ROOMS.length];
        // The command line loads the demo when it is asked for.
        if (from > to) return null;
        return `${roomOf(target)} stands above ${room}; move what both need down, or hand it over as an argument`;
      }),
    ).toEqual([]);
  });

  it('to the sandbox from the demo command alone, and only when it is asked for', () => {
    expect(
      offences(production, (target, { name, room, text }) => {
        if (!target.startsWith('sandbox/') || room === 'sandbox') return null;
        const isLazy =
          name === 'src/command-line/demo-command.ts' && text.includes(`import('../../${target}')`);
        return isLazy ? null : 'production never knows the sandbox; let it speak HTTP to it';
      }),
    ).toEqual([]);
  });

  it('never from production to tests', () => {
    expect(
      offences(production, (target) => (target.startsWith('test/') ? 'tests import production' : null)),
    ).toEqual([]);
  });

  it('from jobs and webhooks never to routes, pages or commands of a noun', () => {
    expect(
      offences(
        production.filter(({ room }) => room === 'jobs' || room === 'webhooks'),
        (target) =>
          target.startsWith('src/') && FACE.test(target)
            ? 'what a step needs of a noun lies beside its routes; move it there'
            : null,
      ),
    ).toEqual([]);
  });

  it('from pages to no route and no statement: they draw what they are given', () => {
    const drawings = production.filter(({ name }) => name.includes('/page/') && !name.endsWith('/routes.ts'));
    expect(drawings.length).toBeGreaterThan(5);
    expect(
      offences(drawings, (target, { name }) => {
        const isNear =
          path.posix.dirname(target) === path.posix.dirname(name) && !target.endsWith('/routes.ts');
        const isGiven =
          isNear || /(^src\/pages\/|\/page\/|schemas\.ts$|^pricing\/|^src\/platform\/)/.test(target);
        return isOurs(target) && !isGiven ? 'gather it in the route and hand the result over' : null;
      }),
    ).toEqual([]);
  });

  it('without a circle of files', () => {
    const circles = findCircles(
      new Map(production.map(({ name, imports }) => [name, imports.filter(isOurs)])),
    );
    expect(circles).toEqual([]);
  });
});

/** Groups of two or more that reach each other, found depth first (Tarjan). */
function findCircles(graph: Map<string, string[]>): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (node: string): number => {
    order.set(node, order.size);
    let low = order.get(node) ?? 0;
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue;
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    lowest.set(node, low);
    if (low === order.get(node)) {
      const circle = stack.splice(stack.indexOf(node));
      if (circle.length > 1) circles.push(circle.sort());
    }
    return low;
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}

describe('a room', () => {
  const rooms = ROOMS.filter((room) => !room.endsWith('.ts'));

  it.each(rooms)('%s begins with a README of at most a screen', (room) => {
    const text = readFileSync(path.join(ROOT, room, 'README.md'), 'utf8');
    expect(text.split('\n').length).toBeLessThanOrEqual(60);
    for (const heading of ['## Words', '## What others may import', '## What must never happen'])
      expect(text).toContain(heading);
  });

  it('is entered only through what its README names', () => {
    const faces = new Map(
      rooms.map((room) => {
        const readme = path.join(ROOT, room, 'README.md');
        const text = existsSync(readme) ? readFileSync(readme, 'utf8') : '';
        const [, face = ''] = text.split('## What others may import');
        const [named = ''] = face.split('\n## ');
        return [room, [...named.matchAll(/`([^`]+)`/g)].map(([, name = '']) => `${room}/${name}`)] as const;
      }),
    );
    expect(
      offences(production, (target, { room }) => {
        const other = roomOf(target);
        if (!isOurs(target) || other === room || !target.endsWith('.ts') || target === other) return null;
        const isNamed = faces
          .get(other)
          ?.some((name) => (name.endsWith('/') ? target.startsWith(name) : target === name));
        return isNamed === true
          ? null
          : `${other}/README.md does not offer it; name it there, or ask for what is`;
      }),
    ).toEqual([]);
  });

  it('offers nothing that is not there', () => {
    const missing = rooms.flatMap((room) => {
      const text = readFileSync(path.join(ROOT, room, 'README.md'), 'utf8');
      const [, face = ''] = text.split('## What others may import');
      const [named = ''] = face.split('\n## ');
      return [...named.matchAll(/`([^`]+)`/g)]
        .map(([, name = '']) => `${room}/${name}`)
        .filter((name) => !existsSync(path.join(ROOT, name)));
    });
    expect(missing).toEqual([]);
  });

  it(`has at most ${FOLDER_LIMIT} files in a folder`, () => {
    const folders = Map.groupBy(
      production.filter(({ name }) => name.endsWith('.ts')),
      ({ name }) => path.posix.dirname(name),
    );
    const crowded = [...folders].filter(([, files]) => files.length > FOLDER_LIMIT);
    expect(
      crowded.map(
        ([folder, files]) => `${folder}: ${files.length} files; give some a folder named by what they do`,
      ),
    ).toEqual([]);
  });
});

describe('each package has its one place', () => {
  const places: [string, string[]][] = [
    ['@azure/monitor-query', ['src/azure/logs-client.ts']],
    ['@azure/identity', ['src/azure/']],
    ['@openmeter/sdk', ['src/openmeter/', 'sandbox/openmeter/']],
    ['stripe', ['src/stripe/', 'sandbox/stripe/', 'webhooks/']],
    // The embedded server makes the database that the ledger then opens.
    ['pg', ['src/platform/database/', 'src/platform/embedded/postgres.ts']],
    ['bullmq', ['jobs/queue/queues.ts']],
    ['ioredis', ['jobs/queue/queues.ts']],
  ];
  it.each(places)('%s', (name, allowed) => {
    const importers = production.filter((file) => file.imports.some((target) => isPackage(target, name)));
    expect(importers.length).toBeGreaterThan(0);
    expect(importers.map((file) => file.name).filter((file) => !liesIn(file, ...allowed))).toEqual([]);
  });

  it('SQL in nouns and the database, never in pricing, outside systems, routes, pages or commands', () => {
    expect(
      offences(production, (target, { name, room }) => {
        if (!isPackage(target, 'kysely')) return null;
        const isOutside = [
          'pricing',
          'src/azure',
          'src/openmeter',
          'src/stripe',
          'src/pages',
          'webhooks',
        ].includes(room);
        return isOutside || FACE.test(name) ? 'statements lie in files of their own beside it' : null;
      }),
    ).toEqual([]);
  });

  it('commander in commands alone', () => {
    expect(
      offences(production, (target, { name, room }) =>
        isPackage(target, 'commander') && room !== 'src/command-line' && !/(^|[/-])command\.ts$/.test(name)
          ? 'name the file …command.ts, or move what is no command out of it'
          : null,
      ),
    ).toEqual([]);
  });
});

describe('a file', () => {
  it(`has at most ${LINE_LIMIT} lines`, () => {
    const long = production
      .map(({ name, text }) => ({ name, lineCount: text.split('\n').length - 1 }))
      .filter(({ lineCount, name }) => lineCount > LINE_LIMIT && name !== GENERATED);
    expect(long).toEqual([]);
  });

  it('reads the environment only where the configuration is made', () => {
    const readers = production.filter(({ text }) => /\bprocess\.env\b/.test(text)).map(({ name }) => name);
    const allowed = ['src/platform/config.ts', 'src/command-line/', 'src/service/', 'sandbox/demo/'];
    expect(readers.filter((name) => !liesIn(name, ...allowed))).toEqual([]);
  });

  it('holds no unfinished work', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b/;
    expect(production.filter(({ text }) => marks.test(text)).map(({ name }) => name)).toEqual([]);
  });
});
