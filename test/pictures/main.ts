/**
 * Makes the pictures of README and docs from the demo, so that they stay true: `npm run pictures`. It plays the demo anew in a folder of
 * its own, or is given what a running one printed: `npm run pictures -- --demo-output demo.txt`. Needs Chromium.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launchChromium } from '../setup/chromium.ts';
import { readDemoAddresses, startDemo } from './demo.ts';
import { drawGrowth, GROWTH_FILE } from './growth-curve.ts';
import { SUBJECTS } from './subjects.ts';
import { signIn, take } from './take.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../docs/pictures');

const ROOT = path.resolve(import.meta.dirname, '../..');
writeFileSync(
  path.join(FOLDER, GROWTH_FILE),
  drawGrowth(readFileSync(path.join(ROOT, 'docs/benchmarks.md'), 'utf8')),
);

const { values } = parseArgs({ options: { 'demo-output': { type: 'string' }, only: { type: 'string' } } });
const given = values['demo-output'];
const dataDirectory = given === undefined ? mkdtempSync(path.join(tmpdir(), 'tallystick-pictures-')) : null;
// The embedded Postgres is not run by root, and passes through.
if (dataDirectory !== null) chmodSync(dataDirectory, 0o711);
const demo = dataDirectory === null ? null : await startDemo(dataDirectory);
const browser = await launchChromium();
try {
  const addresses = readDemoAddresses(demo === null ? readFileSync(given ?? '', 'utf8') : await demo.printed);
  const session = await signIn(addresses);
  for (const subject of SUBJECTS) {
    if (values.only !== undefined && !subject.file.includes(values.only)) continue;
    console.log(`${subject.file}: ${await take(browser, { subject, addresses, session, folder: FOLDER })}`);
  }
} finally {
  await browser.close();
  await demo?.stop();
  if (dataDirectory !== null) rmSync(dataDirectory, { recursive: true, force: true });
}
