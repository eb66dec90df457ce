import { describe, expect, it } from 'vitest';
import {
  checksumOf,
  type MigrationFile,
  readMigrationFiles,
} from '../../src/platform/database/migration-files.ts';
import { migrationSlug } from '../../src/platform/database/migration-names.ts';
import checksums from '../../src/platform/database/migrations/checksums.json' with { type: 'json' };
import { findMigrationFaults, freezeMigrations, readMain } from './freeze-migrations.ts';

const file = (name: string, text = name): MigrationFile => ({
  name,
  slug: migrationSlug(name),
  text,
  checksum: checksumOf(text),
});
const first = file('0001_items.sql');
const second = file('0002_events.sql');
const onMain = { [first.name]: first.checksum, [second.name]: second.checksum };

describe('the migrations', () => {
  it('are numbered one after another, frozen, and as they were frozen', async () => {
    expect(findMigrationFaults(await readMigrationFiles(), checksums)).toEqual([]);
  });

  it('are on a branch what they are on main, though somebody edited the checksums as well', async () => {
    expect(freezeMigrations(await readMigrationFiles(), readMain() ?? checksums)).toEqual(checksums);
  });

  it('are frozen in the order in which they run', async () => {
    expect(Object.keys(checksums)).toEqual((await readMigrationFiles()).map(({ name }) => name));
  });
});

describe('freezing migrations', () => {
  it('adds a new one behind those of main', () => {
    const third = file('0003_closes.sql');
    expect(findMigrationFaults([first, second, third], onMain)).toEqual([
      expect.stringContaining('0003_closes.sql is not frozen: npm run migrations:freeze'),
    ]);
    expect(freezeMigrations([first, second, third], onMain)).toEqual({
      ...onMain,
      [third.name]: third.checksum,
    });
  });

  it('takes another text of one that main does not have', () => {
    const edited = file('0002_events.sql', 'with another column');
    const onlyFirst = { [first.name]: first.checksum };
    expect(freezeMigrations([first, edited], onlyFirst)).toEqual({
      ...onlyFirst,
      [edited.name]: edited.checksum,
    });
  });

  it.each([
    [
      'another text',
      [first, file('0002_events.sql', 'edited')],
      '0002_events.sql was changed after it was frozen',
    ],
    ['one that is gone', [first], '0002_events.sql is frozen and gone: restore it'],
    [
      'a number given twice',
      [first, second, file('0002_late.sql')],
      '0002_late.sql: rename it to 0003_late.sql',
    ],
    [
      'a number given twice, though it sorts before that of main',
      [first, file('0002_aside.sql'), second],
      '0002_aside.sql: rename it to 0003_aside.sql',
    ],
    [
      'a number left out',
      [first, second, file('0004_late.sql')],
      '0004_late.sql: rename it to 0003_late.sql',
    ],
    [
      'words used twice',
      [first, second, file('0003_items.sql')],
      '0003_items.sql: another has the same words',
    ],
    [
      'one put between those of main',
      [first, file('0002_closes.sql'), file('0003_events.sql', second.text)],
      '0002_events.sql is frozen and gone',
    ],
  ])('refuses %s, and says the way out', (_, files, words) => {
    expect(findMigrationFaults(files, onMain)).toContainEqual(expect.stringContaining(words));
    expect(() => freezeMigrations(files, onMain)).toThrow(words);
  });
});
