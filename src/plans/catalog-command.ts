import type { Command } from 'commander';
import { formatMinor } from '../../pricing/money.ts';
import { type PlanCatalogChange, planCatalogChanges } from '../../pricing/plans/catalog.ts';
import { type Plan, planVersionAt } from '../../pricing/plans/plan.ts';
import { perMillionOf } from '../../pricing/plans/price.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { createCallKeys } from '../billing/call-keys.ts';
import type { Clock } from '../platform/clock.ts';
import type { Config } from '../platform/config.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { readInstant } from '../platform/terminal/instant.ts';
import { groupDigits, print } from '../platform/terminal/output.ts';
import { readPriceBook } from '../prices/book.ts';
import { applyPlanChanges } from '../stripe/plans/apply.ts';
import { createPlanCatalog, type PlanCatalogPort } from '../stripe/plans/catalog.ts';
import { readMeterBindings, readPlan, readPlans } from './plans.ts';

interface CatalogOptions {
  at?: string;
  yes?: boolean;
  json?: boolean;
}

interface PlanDiff {
  planId: string;
  versionId: string;
  changes: PlanCatalogChange[];
  notes: string[];
}

/** Adds `plans diff` and `plans apply`. */
export function addPlanCatalogCommands(plans: Command, frame: CommandFrame): void {
  plans
    .command('diff [plan...]')
    .description('what Stripe lacks of these plans (default: all); changes nothing')
    .option('--at <date>', 'the version in force then; default: now')
    .option('--json', 'print as JSON')
    .action((planIds: string[], options: CatalogOptions) => runCatalog(frame, planIds, options, false));
  plans
    .command('apply [plan...]')
    .description('show what Stripe lacks of these plans, and write it with --yes')
    .option('--at <date>', 'the version in force then; default: now')
    .option('--yes', 'write it')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Prices at Stripe never change: a new amount is a new price under the same lookup key, and the old one takes no new
subscription. Subscriptions keep the price they have until you move them. Only what a plan made is touched. Stopped
half-way, the next run writes what is left.`,
    )
    .action((planIds: string[], options: CatalogOptions) => runCatalog(frame, planIds, options, true));
}

async function runCatalog(
  frame: CommandFrame,
  planIds: readonly string[],
  options: CatalogOptions,
  isApply: boolean,
) {
  const json = options.json === true;
  const asked = options.at === undefined ? null : readInstant('--at', options.at);
  await frame.withStores(async ({ config, clock, stores }) => {
    const at = asked ?? clock.now();
    const port = openCatalog(config, stores.database, clock);
    const plans = await choosePlans(stores.database, planIds, at);
    const diffs: PlanDiff[] = [];
    // Plans share meters: each is compared with what the one before it left.
    for (const plan of plans) {
      const diff = await comparePlan(stores.database, port, plan, at);
      diffs.push(diff);
      if (!json) process.stdout.write(`${renderDiff(diff, plan)}\n`);
      if (isApply && options.yes === true) await applyPlanChanges(port, diff.changes);
    }
    const changeCount = diffs.reduce((sum, { changes }) => sum + changes.length, 0);
    const applied = isApply && options.yes === true;
    print(json, { applied, changeCount, plans: diffs }, () => {
      if (changeCount === 0) return 'Stripe has it all: no change.';
      if (applied) return `Wrote ${changeCount} changes.`;
      return `${changeCount} changes; ${isApply ? 'repeat with --yes to write them' : '"plans apply --yes" writes them'}.`;
    });
  });
}

/** @throws RangeError, as VALIDATION, for plans that cannot be written */
async function comparePlan(
  database: LedgerDatabase,
  port: PlanCatalogPort,
  plan: Plan,
  at: Date,
): Promise<PlanDiff> {
  const listing = await port.listPlanCatalog();
  const bindings = await readMeterBindings(database);
  const book = await readPriceBook(database);
  try {
    const rates = planRatesAt(plan, at, book);
    return {
      planId: plan.planId,
      versionId: rates.version.versionId,
      changes: planCatalogChanges(plan, rates, { ...listing, bindings }),
      notes: [
        ...rates.notes.map((note) => `${note.rateId}: ${note.model} ${note.tokenType}: ${note.note}`),
        ...(rates.minimumAmountMinor > 0n
          ? ['The minimum is no price: Stripe has none for metered use, and its invoices will lack it.']
          : []),
      ],
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ValidationError(`plan ${plan.planId}`, error.message);
  }
}

async function choosePlans(database: LedgerDatabase, planIds: readonly string[], at: Date): Promise<Plan[]> {
  if (planIds.length === 0) {
    return (await readPlans(database)).filter((plan) => planVersionAt(plan, at) !== null);
  }
  const plans: Plan[] = [];
  for (const planId of new Set(planIds)) plans.push(await readPlan(database, planId));
  return plans;
}

function openCatalog(config: Config, database: LedgerDatabase, clock: Clock): PlanCatalogPort {
  const { STRIPE_API_KEY } = config;
  const keys = createCallKeys(database, clock);
  if (STRIPE_API_KEY !== undefined) return createPlanCatalog({ ...config, STRIPE_API_KEY }, { keys });
  throw new TallystickError('STRIPE_API_KEY is missing.', {
    code: 'CONFIG',
    retry: false,
    fix: 'Set it to compare plans with Stripe.',
  });
}

function renderDiff({ planId, versionId, changes, notes }: PlanDiff, { currency }: Plan): string {
  const lines = changes.map((change) => `  ${describeChange(change, currency)}`);
  return [
    `${planId}, version ${versionId}: ${changes.length === 0 ? 'no change' : `${changes.length} changes`}`,
    ...lines,
    ...notes.map((note) => `  note: ${note}`),
  ].join('\n');
}

function describeChange(change: PlanCatalogChange, currency: string): string {
  switch (change.kind) {
    case 'create_meter':
      return `+ meter    ${change.eventName}`;
    case 'create_product':
      return `+ product  ${change.name}`;
    case 'update_product':
      return change.active ? `~ product  ${change.name}` : `- product  ${change.name}`;
    case 'create_price': {
      const before = change.replaces?.price ?? null;
      const now = describePrice(change.price, currency);
      return before === null
        ? `+ price    ${change.lookupKey}: ${now}`
        : `~ price    ${change.lookupKey}: ${describePrice(before, currency)} -> ${now}`;
    }
    case 'set_tax_behavior':
      return `~ price    ${change.lookupKey}: ${change.taxBehavior} of tax`;
    case 'activate_price':
      return `~ price    ${change.lookupKey}: in use again`;
    case 'deactivate_price':
      return `- price    ${change.lookupKey ?? change.priceId} (${change.priceId}): ${change.reason}`;
  }
}

/** Amounts for a million tokens, exact. */
function describePrice(price: RatePrice, currency: string): string {
  const code = currency.toUpperCase();
  if (price.kind === 'per_unit')
    return `${perMillionOf(price.unitAmountDecimal, currency)} ${code} a million`;
  if (price.kind === 'per_package') {
    const { unitAmountDecimal, packageSize, round } = price;
    return `${unitAmountDecimal} ${code} minor units for ${groupDigits(packageSize)}, rounded ${round}`;
  }
  const tiers = price.tiers.map(({ upTo, unitAmountDecimal, flatAmountDecimal }) => {
    const flat = flatAmountDecimal === null ? '' : ` and ${formatMinor(BigInt(flatAmountDecimal), currency)}`;
    const range = upTo === null ? 'above' : `to ${groupDigits(upTo)}`;
    return `${range} ${perMillionOf(unitAmountDecimal, currency)}${flat}`;
  });
  return `${price.mode} ${tiers.join(', ')} ${code} a million`;
}
