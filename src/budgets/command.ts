import type { Command } from 'commander';
import { isMoney, narrowestScope } from '../../pricing/budgets/budget.ts';
import {
  EXPERIMENTATION,
  EXPERIMENTATION_LIMIT,
  experimentationSteps,
} from '../../pricing/budgets/templates.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { type AskApi, type CommandFrame, toQuery } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import type { PastWindowsBody } from './past/routes.ts';
import type { BudgetBody, BudgetsBody, OneBudgetBody } from './schemas.ts';
import { parseStep } from './step-texts.ts';
import { renderBudget, renderBudgets, renderPast } from './text.ts';

const collect = (value: string, before: string[] = []) => [...before, value];
const pathOf = (id: string, verb = '') => `/v1/budgets/${encodeURIComponent(id)}${verb}`;

interface CreateOptions {
  template?: string;
  name?: string;
  scope?: string;
  customer?: string;
  feature?: string;
  user?: string;
  perUser?: boolean;
  period?: string;
  days?: string;
  measure?: string;
  currency?: string;
  limit?: string;
  step?: string[];
  contact?: string;
  tenant?: string;
  json?: boolean;
}

/** `tallystick budgets`. */
export function addBudgetsCommand(program: Command, frame: CommandFrame): void {
  const budgets = program
    .command('budgets')
    .description('what usage may come to: list, create, change or end budgets, or give more once');
  budgets
    .command('list', { isDefault: true })
    .description('budgets, and where they stand')
    .option('--customer <id>', 'only of this customer')
    .option('--feature <name>', 'only of this feature')
    .option('--ended', 'those that are ended, too')
    .option('--limit <count>', 'most to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['feature', 'limit', 'cursor', ['customer', 'customerId']]);
        if (options.ended === true) query.set('ended', 'true');
        const found = await ask<BudgetsBody>('GET', `/v1/budgets?${query}`);
        print(options.json === true, found, () => renderBudgets(found, renderTable));
      }),
    );
  budgets
    .command('show <id>')
    .description('one budget: where it stands, whom it holds, what happened to it')
    .option('--json', 'print as JSON')
    .action((id: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const budget = await ask<OneBudgetBody>('GET', pathOf(id));
        const past = await ask<PastWindowsBody>('GET', pathOf(id, '/windows'));
        print(options.json === true, { ...budget, pastWindows: past.windows }, () =>
          [renderBudget(budget, renderTable), ...renderPast(past, renderTable)].join('\n'),
        );
      }),
    );
  budgets
    .command('create')
    .description('a budget; it is judged within a minute, from the beginning of its window')
    .option('--template <name>', 'internal-experimentation: a customer of its own with a strict cap')
    .option('--name <name>', 'what it is for')
    .option(
      '--scope <scope>',
      'all, customer, feature or user; told by --customer, --feature and --user else',
    )
    .option('--customer <id>', 'of this customer')
    .option('--feature <name>', 'of this feature')
    .option('--user <subject>', 'of this user of the customer')
    .option('--per-user', 'each user of it has the limit')
    .option('--period <period>', 'day, week, month, rolling_days or billing_period', 'month')
    .option('--days <count>', 'how many rolling days')
    .option('--measure <measure>', 'cost, revenue, tokens or calls', 'cost')
    .option('--currency <code>', 'of money; usd unless given')
    .option('--limit <amount>', 'e.g. 50.00, or a count')
    .option(
      '--step <step>',
      'e.g. 80%:tell, 100%:stop, 90%:slow:20000, forecast:100%:tell; repeat it',
      collect,
    )
    .option('--contact <text>', 'whom those who are slowed down or stopped shall ask')
    .option('--tenant <key>', 'of the template: whose usage it is, as the gateway names the tenant')
    .option('--json', 'print as JSON')
    .action((options: CreateOptions) =>
      frame.askApi(async (ask) => {
        const body = options.template === undefined ? bodyOf(options) : await bodyOfTemplate(ask, options);
        const made = await ask<BudgetBody>('POST', '/v1/budgets', body);
        print(
          options.json === true,
          made,
          () => `Budget ${made.id}, ${made.name}: ${made.limit} ${unitOf(made)}.`,
        );
      }),
    );
  addActs(budgets, frame);
}

function addActs(budgets: Command, frame: CommandFrame): void {
  budgets
    .command('change <id>')
    .description('another name, limit or ladder; its steps are judged anew')
    .option('--name <name>', 'what it is for')
    .option('--limit <amount>', 'e.g. 50.00, or a count')
    .option('--step <step>', 'the whole ladder anew; repeat it', collect)
    .option('--contact <text>', 'whom those who are slowed down or stopped shall ask')
    .option('--json', 'print as JSON')
    .action((id: string, { name, limit, step, contact, json }: CreateOptions) =>
      frame.askApi(async (ask) => {
        const steps = step?.map((text) => parseStep(text, contact));
        const body = JSON.parse(JSON.stringify({ name, limit, steps })) as object;
        const changed = await ask<BudgetBody>('POST', pathOf(id, '/change'), body);
        print(
          json === true,
          changed,
          () => `Budget ${changed.id} is ${changed.limit} ${unitOf(changed)} now.`,
        );
      }),
    );
  budgets
    .command('grace <id>')
    .description('more for one time, once in a window')
    .requiredOption('--extra <amount>', 'how much more')
    .requiredOption('--reason <text>', 'why, kept in the audit log')
    .option('--until <instant>', 'the end of the window unless given')
    .option('--json', 'print as JSON')
    .action((id: string, { extra, reason, until, json }: Record<string, string> & { json?: never }) =>
      frame.askApi(async (ask) => {
        const body = { extra, reason, ...(until === undefined ? {} : { until }) };
        const graced = await ask<BudgetBody>('POST', pathOf(id, '/grace'), body);
        print(
          json === true,
          graced,
          () => `Budget ${graced.id} has ${extra} more until ${graced.grace?.until}.`,
        );
      }),
    );
  budgets
    .command('end <id>')
    .description('judge nothing by it any more; what was reached is withdrawn')
    .option('--json', 'print as JSON')
    .action((id: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const ended = await ask<BudgetBody>('POST', pathOf(id, '/end'), {});
        print(options.json === true, ended, () => `Budget ${ended.id} is ended.`);
      }),
    );
}

function bodyOf(options: CreateOptions): object {
  const { customer, feature, user, measure = 'cost', limit, step = [], contact, days } = options;
  if (limit === undefined) throw new ValidationError('limit', 'is missing', 'Give --limit.');
  const named = { customerId: customer, feature, userId: user };
  const scope = options.scope ?? narrowestScope(named);
  const currency = options.currency ?? (isMoney(measure) ? 'usd' : undefined);
  const body = {
    name: options.name ?? `${user ?? feature ?? customer ?? 'Everything'}, ${options.period}`,
    scope,
    ...named,
    perUser: options.perUser ?? false,
    period: options.period,
    rollingDayCount: days === undefined ? undefined : Number(days),
    measure,
    currency,
    limit,
    steps: step.map((text) => parseStep(text, contact)),
  };
  return JSON.parse(JSON.stringify(body)) as object;
}

/** The customer of experiments is made where there is none; one that is there stays as it is. */
async function bodyOfTemplate(ask: AskApi, options: CreateOptions): Promise<object> {
  if (options.template !== EXPERIMENTATION.customerId) {
    throw new ValidationError('template', 'is unknown', `There is ${EXPERIMENTATION.customerId}.`);
  }
  const customerId = options.customer ?? EXPERIMENTATION.customerId;
  const path = `/v1/customers/${encodeURIComponent(customerId)}`;
  try {
    await ask('GET', path);
  } catch (error) {
    if (!(error instanceof TallystickError) || !['UNKNOWN_CUSTOMER', 'NOT_FOUND'].includes(error.code))
      throw error;
    await ask('PUT', path, {
      name: EXPERIMENTATION.name,
      tenantKey: options.tenant ?? customerId,
      stripeCustomerId: null,
    });
  }
  const steps =
    options.step?.map((text) => parseStep(text, options.contact)) ?? experimentationSteps(options.contact);
  return {
    name: options.name ?? EXPERIMENTATION.name,
    scope: 'customer',
    customerId,
    period: options.period ?? 'month',
    measure: 'cost',
    currency: options.currency ?? 'usd',
    limit: options.limit ?? EXPERIMENTATION_LIMIT,
    steps,
  };
}

const unitOf = ({ currency, measure }: BudgetBody) => (currency ?? measure).toUpperCase();
