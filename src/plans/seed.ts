import { readdir, readFile } from 'node:fs/promises';
import { planProblems } from '../../pricing/plans/check.ts';
import { type PlanFileData, parseGlobalMarkups, parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import type { GlobalMarkup, PlanProblem } from '../../pricing/plans/plan.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import { readPriceBook } from '../prices/book.ts';
import { type RefusedVersion, recordGlobalMarkups, recordPlans } from './recording.ts';

/** Plans that are shipped, and where a reseller keeps its own. */
const PLANS_DIRECTORY = new URL('../../pricing/plans/', import.meta.url);
const GLOBAL_FILE = 'global.yaml';
/** Who recorded what came from the files. */
const ACTOR = 'pricing/plans';

interface PlanFiles {
  plans: PlanFileData[];
  globalMarkups: GlobalMarkup[];
}

/**
 * Stores what the plan files hold and the ledger has not yet; safe to repeat. The ledger stays the authority: a
 * file that changes what is in force is refused, said by the caller, and changes nothing.
 * @returns versions that were refused
 * @throws TallystickError CONFIG with all problems of all files
 */
export async function seedPlans(
  database: LedgerDatabase,
  now: Date,
  directory: URL = PLANS_DIRECTORY,
): Promise<RefusedVersion[]> {
  const { plans, globalMarkups } = await readPlanFiles(directory, await readPriceBook(database));
  const by = { actor: ACTOR, now, isReplay: true };
  const markups = await recordGlobalMarkups(database, globalMarkups, by);
  const refusedMarkups = markups.refused.map((markup) => ({
    planId: 'global',
    versionId: `${markup.markupPercent} %`,
    effectiveFrom: markup.effectiveFrom,
    message: 'another markup of the house is in force',
    fix: 'Give the new markup a date in the future.',
  }));
  const refused: RefusedVersion[] = [];
  // One file's refusal must not keep the others out.
  for (const plan of plans) refused.push(...(await recordPlans(database, [plan], by)).refused);
  return [...refusedMarkups, ...refused];
}

/** @throws TallystickError CONFIG with all problems of all files */
async function readPlanFiles(directory: URL, book: PriceBook): Promise<PlanFiles> {
  const names = (await readdir(directory)).filter((name) => /\.(yaml|yml|json)$/.test(name)).sort();
  const problems: (PlanProblem & { file: string })[] = [];
  const blame = (file: string, found: readonly PlanProblem[]) =>
    problems.push(...found.map((problem) => ({ ...problem, file })));
  let globalMarkups: GlobalMarkup[] = [];
  if (names.includes(GLOBAL_FILE)) {
    const parsed = parseGlobalMarkups(await readFile(new URL(GLOBAL_FILE, directory), 'utf8'));
    blame(GLOBAL_FILE, parsed.problems);
    globalMarkups = parsed.value ?? [];
  }
  const plans: PlanFileData[] = [];
  const fileByPlan = new Map<string, string>();
  for (const name of names.filter((each) => each !== GLOBAL_FILE)) {
    const parsed = parsePlanFile(await readFile(new URL(name, directory), 'utf8'));
    blame(name, parsed.problems);
    if (parsed.value === null) continue;
    blame(name, planProblems(toPlan(parsed.value, globalMarkups), { book, features: null }));
    const other = fileByPlan.get(parsed.value.plan);
    if (other !== undefined) {
      const message = `${other} holds plan ${parsed.value.plan} too`;
      blame(name, [{ path: 'plan', message, fix: 'Keep one file for each plan.' }]);
    }
    fileByPlan.set(parsed.value.plan, name);
    plans.push(parsed.value);
  }
  if (problems.length === 0) return { plans, globalMarkups };
  const lines = problems.map(({ file, path, message, fix }) => `${file} ${path}: ${message}. ${fix}`);
  throw new TallystickError(`The plan files are not right:\n${lines.join('\n')}`, {
    code: 'CONFIG',
    retry: false,
    fix: 'Correct them; "tallystick plans check <file>" says the same of one.',
  });
}
