import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const run = promisify(execFile);
const TSC = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');

const OPTIONS = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  target: 'ES2024',
  module: 'nodenext',
  types: [],
};

export interface TypedLine {
  /** What the problem is told of. */
  name: string;
  /** One line of TypeScript that compiles when all is well. */
  code: string;
}

/** A value as a line: a literal, so that the compiler also sees fields that the type does not name. */
export function valueLine(name: string, type: string, value: unknown): TypedLine {
  return { name, code: `{ const value: ${type} = ${JSON.stringify(value)}; void value; }` };
}

/**
 * What the TypeScript compiler says about lines that stand under a header; for vendors who publish types and no
 * schemas. Takes seconds, so all lines of a test should be asked about at once.
 */
export async function checkTypedLines(header: string, lines: readonly TypedLine[]): Promise<string[]> {
  if (lines.length === 0) return [];
  const directory = mkdtempSync(join(tmpdir(), 'tallystick-contract-'));
  try {
    const file = join(directory, 'values.mts');
    const head = `${header.trimEnd()}\n`;
    writeFileSync(file, `${head}${lines.map(({ code }) => `${code}\n`).join('')}`);
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: OPTIONS, files: [file] }),
    );
    const output = await run(process.execPath, [TSC, '--pretty', 'false', '--project', directory]).then(
      () => '',
      (error: { stdout?: string; stderr?: string }) => `${error.stdout ?? ''}${error.stderr ?? ''}`,
    );
    const headLength = head.split('\n').length - 1;
    const problems: string[] = [];
    for (const text of output.split('\n')) {
      if (text.trim() === '') continue;
      const place = /^[^(]*values\.mts\((\d+),\d+\): error TS\d+: (.*)$/.exec(text);
      const line = lines[Number(place?.[1]) - headLength - 1];
      // Indented lines go on about the error above them.
      if (line !== undefined) problems.push(`${line.name}: ${place?.[2]}`);
      else if (/^\s/.test(text) && problems.length > 0) problems.push(`${problems.pop()} ${text.trim()}`);
      else throw new Error(`The compiler could not be asked: ${text}`);
    }
    return problems;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
