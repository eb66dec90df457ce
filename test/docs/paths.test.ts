import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** What a reader is sent by: everything but the changelog, which tells of what was. */
const DOCUMENTS = globSync(
  ['README.md', 'CONTRIBUTING.md', 'docs/**/*.md', '{src/*,jobs,pricing,webhooks,sandbox}/README.md'],
  { cwd: ROOT },
).sort();
const SOURCES = globSync('{src,jobs,pricing,webhooks,sandbox,test,deploy}/**/*.{ts,mjs}', {
  cwd: ROOT,
}).sort();
/** From the root; the address of a route begins with a slash, and is none. */
const PATH =
  /(?<![\w/.$}-])(?:src|jobs|pricing|webhooks|sandbox|test|deploy|docs|\.ci|\.githooks)\/[\w./*-]*/g;

const read = (name: string) => readFileSync(path.join(ROOT, name), 'utf8');
const exists = (name: string) =>
  name.includes('*') ? globSync(name, { cwd: ROOT }).length > 0 : existsSync(path.join(ROOT, name));
/** Files of code that a document names without their folder. */
const BARE_NAME = /(?<=`)(?!NNNN)[\w.-]+\.(?:ts|mjs|sql)(?=`)/g;
const allNames = new Set(
  globSync('{src,jobs,pricing,webhooks,sandbox,test,deploy}/**/*.{ts,mjs,sql}', { cwd: ROOT }).map((name) =>
    path.basename(name),
  ),
);

/** Without those that stand for any: `src/NOUN/`, `NNNN_words.sql`. */
const pathsIn = (text: string) =>
  [...text.matchAll(PATH)]
    .map(([found]) => found.replace(/[.-]+$/, ''))
    .filter((found) => !/\/(NOUN|NNNN)/.test(found));
/** Comments of a source, where no code can be taken for a path. */
const commentsOf = (text: string) => text.match(/\/\*\*?[\s\S]*?\*\/|^\s*\/\/.*$/gm)?.join('\n') ?? '';

/** Headings as links name them. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('what documents name is there', () => {
  it('finds the names it speaks of', () => {
    expect(DOCUMENTS.length).toBeGreaterThan(40);
    expect(pathsIn(read('README.md'))).toContain('src/stripe/port.ts');
    expect(pathsIn('`/webhooks/stripe` and `src/ledger`.')).toEqual(['src/ledger']);
    expect(exists('src/ledger')).toBe(false);
  });

  it('paths', () => {
    const missing = DOCUMENTS.flatMap((name) =>
      pathsIn(read(name))
        .filter((found) => !exists(found))
        .map((found) => `${name}: ${found}`),
    );
    expect(missing).toEqual([]);
  });

  it('files that are named without their folder', () => {
    const missing = DOCUMENTS.flatMap((name) =>
      [...read(name).matchAll(BARE_NAME)]
        .map(([found]) => found)
        .filter((found) => !allNames.has(found))
        .map((found) => `${name}: ${found}`),
    );
    expect(missing).toEqual([]);
  });

  it('paths that comments name', () => {
    const missing = SOURCES.flatMap((name) =>
      pathsIn(commentsOf(read(name)))
        .filter((found) => !exists(found))
        .map((found) => `${name}: ${found}`),
    );
    expect(missing).toEqual([]);
  });

  it('links from one to another, and to its headings', () => {
    const broken = DOCUMENTS.flatMap((name) =>
      [...read(name).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
        ([, file = '', anchor]) => {
          const target = file === '' ? name : path.posix.join(path.posix.dirname(name), file);
          if (!exists(target)) return [`${name}: ${file} is not there`];
          const isKnown = anchor === undefined || anchorsOf(read(target)).has(anchor);
          return isKnown ? [] : [`${name}: ${file}#${anchor} has no such heading`];
        },
      ),
    );
    expect(broken).toEqual([]);
  });

  it('scripts of the package', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const unknown = DOCUMENTS.flatMap((name) =>
      [...read(name).matchAll(/\bnpm run (?:-s )?([a-z][\w:-]*)/g)]
        .map(([, script = '']) => script)
        .filter((script) => scripts[script] === undefined)
        .map((script) => `${name}: npm run ${script}`),
    );
    expect(unknown).toEqual([]);
    const told = read('README.md');
    const untold = Object.keys(scripts).filter(
      (name) => name !== 'prepack' && !told.includes(`npm ${name}`) && !told.includes(`npm run ${name}`),
    );
    expect(untold).toEqual([]);
  });
});
