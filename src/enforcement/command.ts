import type { Command } from 'commander';
import { readApiSettings } from '../platform/http/dependencies.ts';
import { type CommandFrame, toQuery } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import type { HardCapsBody } from './cap-routes.ts';
import type { CallerBody, DryRunBody, StepBody, StepsBody } from './schemas.ts';
import { readGatewaySecrets } from './signature.ts';

/** `tallystick enforcement`. */
export function addEnforcementCommand(program: Command, frame: CommandFrame): void {
  const enforcement = program
    .command('enforcement')
    .description('what gateways do with whose calls: slow down, move or stop; lift a step for a time');
  enforcement
    .command('steps', { isDefault: true })
    .description('steps of budgets that gateways act on, the newest first')
    .option('--budget <id>', 'only of this budget')
    .option('--limit <count>', 'most to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['limit', 'cursor', ['budget', 'budgetId']]);
        const found = await ask<StepsBody>('GET', `/v1/enforcement/steps?${query}`);
        print(options.json === true, found, () => renderSteps(found));
      }),
    );
  enforcement
    .command('caller <tenantKey> <subject>')
    .description('what the gateway is told about one caller')
    .option('--json', 'print as JSON')
    .action((tenantKey: string, subject: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const query = new URLSearchParams({ tenantKey, subject });
        const told = await ask<CallerBody>('GET', `/v1/enforcement/caller?${query}`);
        print(options.json === true, told, () => renderCaller(told));
      }),
    );
  enforcement
    .command('dry-run <budgetId>')
    .description(
      'what a budget would have stopped and slowed down in a month, and what that would have saved',
    )
    .option('--period <month>', 'a month that is over, such as 2026-10; the last unless given')
    .option('--stop-at <permille>', 'as though it stopped there, too: 1000 is the limit')
    .option('--json', 'print as JSON')
    .action((budgetId: string, options: { period?: string; stopAt?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const query = toQuery({ ...options, budgetId }, ['budgetId', 'period', ['stopAt', 'stopAtPermille']]);
        const told = await ask<DryRunBody>('GET', `/v1/enforcement/dry-run?${query}`);
        print(options.json === true, told, () => renderDryRun(told));
      }),
    );
  enforcement
    .command('hard-caps')
    .description('what gateways count by themselves of the budgets that stop, as a policy fragment')
    .option('--headroom <percent>', 'so much above the budget; 10 unless given')
    .option('--fragment', 'print the fragment alone')
    .option('--values', 'print the named values alone, name=tokens')
    .option('--json', 'print as JSON')
    .action((options: { headroom?: string; fragment?: true; values?: true; json?: true }) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, [['headroom', 'headroomPercent']]);
        const told = await ask<HardCapsBody>('GET', `/v1/enforcement/hard-caps?${query}`);
        print(options.json === true, told, () => {
          if (options.fragment === true) return told.fragment.trimEnd();
          return options.values === true ? valuesOf(told) : renderHardCaps(told);
        });
      }),
    );
  enforcement
    .command('secret')
    .description('what the gateway checks signatures with; the one before it, too, while keys are exchanged')
    .option('--json', 'print as JSON')
    .action((options: { json?: boolean }) =>
      frame.withStores(async ({ stores, clock, config }) => {
        const secrets = await readGatewaySecrets({
          database: stores.database,
          clock,
          settings: readApiSettings(config),
        });
        print(options.json === true, { secrets }, () => secrets.join('\n'));
      }),
    );
  enforcement
    .command('lift <id>')
    .description('let a step be until an instant, after which it holds again')
    .requiredOption('--until <instant>', 'e.g. 2026-12-01T08:00:00Z, at most 31 days away')
    .option('--reason <text>', 'kept in the audit log')
    .option('--json', 'print as JSON')
    .action((id: string, { json, ...body }: { until: string; reason?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const path = `/v1/enforcement/steps/${encodeURIComponent(id)}/lift`;
        const step = await ask<StepBody>('POST', path, body);
        print(json === true, step, () => `${wordsOf(step)} is lifted until ${step.liftedUntil}.`);
      }),
    );
  enforcement
    .command('restore <id>')
    .description('let a lifted step hold again at once')
    .option('--reason <text>', 'kept in the audit log')
    .option('--json', 'print as JSON')
    .action((id: string, { json, ...body }: { reason?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const path = `/v1/enforcement/steps/${encodeURIComponent(id)}/restore`;
        const step = await ask<StepBody>('POST', path, body);
        print(json === true, step, () => `${wordsOf(step)} holds again.`);
      }),
    );
}

const wordsOf = ({ id, action, budget }: StepBody) => `Step ${id} (${action}) of "${budget.name}"`;

function renderSteps({ steps, nextCursor }: StepsBody): string {
  const table = renderTable(
    ['id', 'budget', 'customer', 'user', 'feature', 'does', 'at', 'reached', 'until', 'lifted until'],
    steps.map((step) => [
      step.id,
      step.budget.name,
      step.customerId ?? 'all',
      step.subject ?? 'all',
      step.feature ?? 'all',
      step.action,
      `${step.sharePermille / 10} %`,
      step.reachedAt,
      step.endsAt,
      step.liftedUntil ?? '',
    ]),
    [6],
  );
  if (steps.length === 0) return 'Nobody is slowed down, moved or stopped.';
  return [table, ...(nextCursor === null ? [] : [`More: --cursor ${nextCursor}`])].join('\n');
}

function renderCaller({
  action,
  customerId,
  message,
  tokensPerMinute,
  deployment,
  budget,
  features,
}: CallerBody) {
  const what = [
    ...(message === null ? [] : [message]),
    ...(tokensPerMinute === null
      ? []
      : [`Slowed down to ${tokensPerMinute} tokens a minute by "${budget?.name}".`]),
    ...(deployment === null ? [] : [`Answered by ${deployment}.`]),
  ];
  return [
    customerId === null ? 'Of no known customer.' : `Of customer ${customerId}.`,
    ...(action === 'allow' ? ['Let through.'] : what),
    ...Object.entries(features).map(
      ([feature, ruling]) => `For ${feature}: ${ruling.message ?? ruling.action}`,
    ),
  ].join('\n');
}

function valuesOf({ caps }: HardCapsBody): string {
  return caps.map(({ namedValue, tokenCount }) => `${namedValue}=${tokenCount}`).join('\n');
}

const LEFT_WORDS: Record<HardCapsBody['left'][number]['reason'], string> = {
  calls: 'is of calls, and the gateway counts tokens',
  revenue: 'is of revenue, which no counter of tokens comes to',
  currency: 'is in another currency than costs',
  period: 'has a period that no counter of the gateway has',
  no_tenant: 'is of a customer without a tenant',
  no_usage: 'nothing of it had a price last month, so nothing says how many tokens it is',
};

function renderHardCaps({ caps, left, headroomPercent, pricedMonth }: HardCapsBody): string {
  const table = renderTable(
    ['budget', 'tenant', 'user', 'feature', 'each user', 'period', 'tokens', 'USD a million'],
    caps.map((cap) => [
      `${cap.budget.name} (${cap.budget.id})`,
      cap.tenantKey ?? 'all',
      cap.subject ?? 'all',
      cap.feature ?? 'all',
      cap.perUser ? 'yes' : '',
      cap.period,
      cap.tokenCount,
      cap.millionTokens ?? '',
    ]),
    [6, 7],
  );
  return [
    ...(caps.length === 0
      ? ['No budget stops that a gateway can count by itself.']
      : [
          table,
          `${headroomPercent} % above each budget; money at what tokens cost in ${pricedMonth}. --fragment and --values print what the gateway takes.`,
        ]),
    ...left.map(({ budget, reason }) => `Not "${budget.name}" (${budget.id}): ${LEFT_WORDS[reason]}.`),
  ].join('\n');
}

function renderDryRun(told: DryRunBody): string {
  const { budget, from, to, saved, used, holders, heldHolderCount, holderCount, unpricedTokenCount, bills } =
    told;
  const table = renderTable(
    ['customer', 'user', 'stopped since', 'calls', 'USD', 'slowed since', 'calls', 'USD', 'of USD'],
    holders.map(({ customerId, subject, stopped, slowed, ...holder }) => [
      customerId ?? 'all',
      subject ?? 'all',
      holder.firstStoppedAt?.slice(0, 16) ?? '',
      stopped.callCount,
      stopped.cost,
      holder.firstSlowedAt?.slice(0, 16) ?? '',
      slowed.callCount,
      slowed.cost,
      holder.used.cost,
    ]),
    [3, 4, 6, 7, 8],
  );
  return [
    `"${budget.name}" would have saved ${saved} of ${used.cost} USD from ${from.slice(0, 10)} to ${to.slice(0, 10)}.`,
    ...(holders.length === 0 ? ['Nothing would have been stopped or slowed down.'] : [table]),
    ...bills.map(
      ({ at, sharePermille, used: its, amount, currency }) =>
        `At ${at.slice(0, 16)}, ${sharePermille / 10} %, ${its.tokenCount} tokens would have been invoiced early${
          amount === null ? '' : `: ${amount} ${currency?.toUpperCase()}`
        }.`,
    ),
    ...(holders.length < Number(heldHolderCount)
      ? [`${holders.length} of ${heldHolderCount} that would have been held back, of ${holderCount}.`]
      : []),
    ...(unpricedTokenCount === '0'
      ? []
      : [`${unpricedTokenCount} tokens without a price cost nothing here.`]),
  ].join('\n');
}
