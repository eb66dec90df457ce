/**
 * Makes the version that `package.json` and the changelog's newest section name: checks the package, writes today's
 * date into the changelog, commits and tags. Pushing is left to a person.
 * `npm run release`; then `npm run release -- next 0.6.0` opens the section of the version after it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..');
const CHANGELOG = path.join(ROOT, 'CHANGELOG.md');
const run = (command, ...argv) =>
  execFileSync(command, argv, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
const git = (...argv) => execFileSync('git', argv, { cwd: ROOT, encoding: 'utf8' }).trim();

const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
const changelog = readFileSync(CHANGELOG, 'utf8');
const [, newest, state] = /^## (\S+) \((.*)\)$/m.exec(changelog) ?? [];

const [verb, next] = process.argv.slice(2);
if (git('status', '--porcelain') !== '') refuse('the work tree is not clean: commit first');
if (newest !== version) refuse(`package.json says ${version}, the changelog ${newest}`);
if (verb === undefined) release();
else if (verb === 'next' && /^\d+\.\d+\.\d+$/.test(next ?? '')) open(next);
else refuse('usage: npm run release, or npm run release -- next 0.6.0');

function release() {
  if (state !== 'unreleased') refuse(`${version} was released on ${state}: open the next version first`);
  if (git('tag', '--list', `v${version}`) !== '') refuse(`the tag v${version} is there already`);
  run('npm', 'run', 'package:check');
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(CHANGELOG, changelog.replace(`## ${version} (unreleased)`, `## ${version} (${today})`));
  git('commit', '-am', `Release ${version}`);
  git('tag', '--annotate', `v${version}`, '--message', `Tallystick ${version}`);
  console.log(`Tagged v${version}. Push it with: git push --follow-tags`);
}

function open(nextVersion) {
  if (state === 'unreleased') refuse(`${version} is not released yet`);
  run('npm', 'version', nextVersion, '--no-git-tag-version');
  writeFileSync(CHANGELOG, changelog.replace('## ', `## ${nextVersion} (unreleased)\n\n## `));
  git('commit', '-am', `Open ${nextVersion}`);
  console.log(`The changelog has a section for ${nextVersion}.`);
}

function refuse(reason) {
  console.error(reason);
  process.exit(1);
}
