import type { Command } from 'commander';
import { TallystickError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../platform/terminal/output.ts';
import { readTextFile } from '../platform/terminal/text-file.ts';
import { addPlanCatalogCommands } from './catalog-command.ts';
import { readCheckedPlan } from './routes.ts';
import type { PlanDetailBody, PlanListBody } from './schemas.ts';

/** Adds `tallystick plans list|show|check|diff|apply`. */
export function addPlansCommand(program: Command, frame: CommandFrame): void {
  const plans = program.command('plans').description('what we charge: list, check, and write to Stripe');
  plans
    .command('list')
    .description('plans and their versions')
    .option('--json', 'print as JSON')
    .action((options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const body = await ask<PlanListBody>('GET', '/v1/plans');
        print(options.json === true, body, () => renderList(body));
      }),
    );
  plans
    .command('show <plan>')
    .description('what a plan charges')
    .option('--at <date>', 'an instant or a date, UTC; default: now')
    .option('--json', 'print as JSON')
    .action((planId: string, options: { at?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const query = options.at === undefined ? '' : `?${new URLSearchParams({ at: options.at })}`;
        const body = await ask<PlanDetailBody>('GET', `/v1/plans/${encodeURIComponent(planId)}${query}`);
        print(options.json === true, body, () => renderPlan(body));
      }),
    );
  plans
    .command('check <file>')
    .description('whether a plan file is right: every problem at once, exit status 1 if there is one')
    .option('--json', 'print as JSON')
    .action((file: string, options: { json?: boolean }) =>
      frame.withStores(async ({ stores }) => {
        const source = await readTextFile(file, 'file');
        const plan = await readCheckedPlan(stores, source).catch((error) => {
          throw withEveryProblem(error);
        });
        const answer = { plan: plan.plan, versionCount: plan.versions.length, problems: [] };
        print(options.json === true, answer, () => `${file} is right: plan ${plan.plan}, nothing to change.`);
      }),
    );
  addPlanCatalogCommands(plans, frame);
}

/** The error's own words name the first problems; a person at a terminal wants all. */
function withEveryProblem(error: unknown): unknown {
  if (!(error instanceof TallystickError) || !Array.isArray(error.context.errors)) return error;
  const problems = error.context.errors as { field: string; message: string; fix: string }[];
  const lines = problems.map(({ field, message, fix }) => `\n  ${field}: ${message}. ${fix}`);
  return new TallystickError(`The plan has problems:${lines.join('')}`, { code: error.code, retry: false });
}

function renderList({ plans }: PlanListBody): string {
  if (plans.length === 0) return 'No plan is stored.';
  const rows = plans.map((plan) => [
    plan.planId,
    plan.name,
    plan.currency.toUpperCase(),
    plan.versionInForce ?? 'none yet',
    plan.versions.map((version) => version.effectiveFrom.slice(0, 10)).join(', '),
  ]);
  return renderTable(['plan', 'name', 'currency', 'in force', 'versions from'], rows);
}

function renderPlan(plan: PlanDetailBody): string {
  const currency = plan.currency.toUpperCase();
  const rows = plan.rates.flatMap(({ model, feature, tokenType, price }) =>
    price.kind === 'per_unit'
      ? [[model, feature, tokenType, 'each', price.perMillion, '']]
      : price.tiers.map((tier) => [
          model,
          feature,
          tokenType,
          `${price.mode} up to ${tier.upTo === null ? 'any' : groupDigits(tier.upTo)}`,
          tier.perMillion,
          tier.flatAmount ?? '',
        ]),
  );
  return [
    `${plan.name} (${plan.planId}), version ${plan.version.versionId} from ${plan.version.effectiveFrom}`,
    ...(plan.version.until === null ? [] : [`until ${plan.version.until}`]),
    renderTable(['model', 'feature', 'token type', 'tokens', `${currency} a million`, 'flat'], rows, [4, 5]),
    ...(plan.version.minimum === null
      ? []
      : [`A billing period costs at least ${plan.version.minimum} ${currency}.`]),
    ...plan.notes.map((note) => `${note.rateId}: ${note.model} ${note.tokenType}: ${note.note}`),
  ].join('\n');
}
