import { globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { drawGrowth, GROWTH_FILE } from '../pictures/growth-curve.ts';
import { SUBJECTS } from '../pictures/subjects.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PICTURES = path.join(ROOT, 'docs/pictures');
const files = readdirSync(PICTURES);
const documents = globSync(['README.md', 'docs/*.md'], { cwd: ROOT }).map((name) =>
  readFileSync(path.join(ROOT, name), 'utf8'),
);

it('the script makes every picture that there is, and a document shows it', () => {
  expect(files.length).toBeGreaterThan(8);
  for (const file of files) {
    expect([GROWTH_FILE, ...SUBJECTS.map((subject) => subject.file)]).toContain(file);
    expect(
      documents.some((text) => text.includes(`pictures/${file})`)),
      file,
    ).toBe(true);
  }
});

it.each(files.filter((file) => file !== GROWTH_FILE))(
  '%s is a PNG of the size it was asked for, and light',
  (file) => {
    const picture = readFileSync(path.join(PICTURES, file));
    const subject = SUBJECTS.find((each) => each.file === file);
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([
      subject?.width ?? 1_280,
      subject?.height ?? 800,
    ]);
    expect(picture.length).toBeLessThan(200_000);
  },
);

it('the curve of rollup-growth is of the figures that docs/benchmarks.md has', () => {
  const read = (file: string) => readFileSync(path.join(ROOT, 'docs', file), 'utf8');
  expect(read(`pictures/${GROWTH_FILE}`), 'npm run pictures draws it anew').toBe(
    drawGrowth(read('benchmarks.md')),
  );
});
