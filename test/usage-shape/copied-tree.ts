import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** What production is, and what the probe needs beside it. */
const COPIED = ['src', 'jobs', 'webhooks', 'pricing', 'sandbox', 'test/setup', 'test/usage-shape/probe.ts'];
const NOT_PRODUCTION = /^(sandbox|test)\//;
const MIGRATION = /^(\d{4})_\w+\.sql$/;

/** `text` is put before the one place in production that reads `before`. */
export interface Insertion {
  before: string;
  text: string;
}

/** A copy of this tree to be changed: the test's own, with the packages of this one. */
export class CopiedTree {
  readonly root = mkdtempSync(path.join(tmpdir(), 'tallystick-shape-'));
  readonly edited = new Set<string>();

  constructor() {
    for (const name of COPIED.filter((name) => existsSync(path.join(ROOT, name)))) {
      cpSync(path.join(ROOT, name), path.join(this.root, name), { recursive: true });
    }
    for (const name of ['package.json', 'tsconfig.json']) {
      cpSync(path.join(ROOT, name), path.join(this.root, name));
    }
    symlinkSync(path.join(ROOT, 'node_modules'), path.join(this.root, 'node_modules'));
  }

  #files(): string[] {
    return readdirSync(this.root, { recursive: true, encoding: 'utf8' })
      .map((name) => name.replaceAll('\\', '/'))
      .filter((name) => !name.startsWith('node_modules') && !NOT_PRODUCTION.test(name));
  }

  /** Edits the one file of production that holds the place, wherever it lies. */
  insert({ before, text }: Insertion): void {
    const holding = this.#files()
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => readFileSync(path.join(this.root, name), 'utf8').split(before).length === 2);
    const [file] = holding;
    if (file === undefined || holding.length > 1) {
      throw new Error(`${holding.length} files hold ${JSON.stringify(before)} once: ${holding.join(', ')}`);
    }
    const source = readFileSync(path.join(this.root, file), 'utf8');
    writeFileSync(
      path.join(this.root, file),
      source.replace(before, () => `${text}${before}`),
    );
    this.edited.add(file);
  }

  /** Writes the next migration, and freezes it. */
  addMigration(name: string, text: string): void {
    const migrations = this.#files()
      .filter((file) => MIGRATION.test(path.posix.basename(file)))
      .sort();
    const last = migrations.at(-1) ?? '';
    const number = Number(MIGRATION.exec(path.posix.basename(last))?.[1]) + 1;
    const file = `${String(number).padStart(4, '0')}_${name}.sql`;
    const folder = path.join(this.root, path.posix.dirname(last));
    writeFileSync(path.join(folder, file), text);
    // As `npm run migrations:freeze` does.
    const frozen = path.join(folder, 'checksums.json');
    const checksum = createHash('sha256').update(text).digest('hex');
    const checksums = { ...JSON.parse(readFileSync(frozen, 'utf8')), [file]: checksum };
    writeFileSync(frozen, JSON.stringify(checksums));
  }

  /** What a generated file says, changed as its generator would. */
  regenerate(from: string, to: string): void {
    for (const name of this.#files().filter((file) => /schema-tables\.ts$/.test(file))) {
      const file = path.join(this.root, name);
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(from, to));
    }
  }

  /** Files of production at which the type checker points. */
  async findTypeErrors(): Promise<string[]> {
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, [tsc, '--noEmit', '-p', this.root], { cwd: this.root }, (_, stdout) =>
        resolve(stdout),
      );
    });
    const files = [...output.matchAll(/^(\S+\.ts)\(\d+,\d+\): error/gm)]
      .map(([, file = '']) => file)
      .filter((file) => !NOT_PRODUCTION.test(file));
    return [...new Set(files)].sort();
  }

  async load<Module>(name: string): Promise<Module> {
    return (await import(/* @vite-ignore */ pathToFileURL(path.join(this.root, name)).href)) as Module;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
