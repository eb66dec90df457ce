import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSOLE_PAGES } from '../../src/console/registry.ts';
import { hasChromium } from '../setup/chromium.ts';
import { type ConsoleBench, openConsole } from './walk.ts';

let bench: ConsoleBench;

/** Pages whose path names something have walks of their own. */
const FIXED = CONSOLE_PAGES.filter(({ path }) => !path.includes(':')).map(({ path }) => path);

describe.skipIf(!hasChromium())('every page of the console, on an empty installation', () => {
  beforeAll(async () => {
    bench = await openConsole();
  });
  afterAll(() => bench?.close());

  it.each(FIXED)('%s is whole at every size, in both themes, without scripts', async (path) => {
    await bench.walk(path);
  });

  it('goes to a page by g and a letter, and to the search by /', async () => {
    const { page, close } = await bench.open('/console/audit');
    for (const { rail, path } of CONSOLE_PAGES) {
      if (rail === undefined) continue;
      await page.locator('main').focus();
      await page.keyboard.press('g');
      await page.keyboard.press(rail.key);
      await page.waitForURL((url) => url.pathname === path);
    }
    await page.keyboard.press('/');
    expect(await page.evaluate('document.activeElement.name')).toBe('q');
    await close();
  });

  it('has one letter and one place for each page', () => {
    const keys = CONSOLE_PAGES.flatMap(({ rail }) => (rail === undefined ? [] : [rail.key]));
    expect(new Set(keys).size).toBe(keys.length);
    expect(new Set(CONSOLE_PAGES.map(({ path }) => path)).size).toBe(CONSOLE_PAGES.length);
  });
});
