import type { Command } from 'commander';
import type { CommandFrame } from '../../platform/terminal/frame.ts';
import { readInstant } from '../../platform/terminal/instant.ts';
import { print, renderTable } from '../../platform/terminal/output.ts';
import type { PurchaseShown } from './routes.ts';

interface AddOptions {
  deployment: string;
  from: string;
  until?: string;
  units: string;
  increment: string;
  hourly: string;
  reservedUnits: string;
  reservedHourly?: string;
  throughput: string;
  completionWeight: string;
  cachedWeight: string;
  idle: string;
  note: string;
  json?: boolean;
}

export function addProvisionedCommand(program: Command, frame: CommandFrame): void {
  const provisioned = program
    .command('provisioned')
    .description('throughput bought by the hour: what it costs, who uses it, what is idle');
  provisioned
    .command('add')
    .description('write down what is bought for a deployment from an hour on; what held before ends there')
    .requiredOption('--deployment <name>', 'the Azure deployment')
    .requiredOption('--from <instant>', 'first hour, e.g. 2026-11-01 (UTC)')
    .option('--until <instant>', 'end, not included; until further notice when left out')
    .requiredOption('--units <count>', 'units; 0: nothing from then on')
    .option('--increment <count>', 'units that can be bought at once', '1')
    .requiredOption('--hourly <usd>', 'price of a unit for an hour, e.g. 1.00')
    .option('--reserved-units <count>', 'so many of them are reserved', '0')
    .option('--reserved-hourly <usd>', 'price of a reserved unit for an hour')
    .requiredOption('--throughput <tokens>', 'weighted tokens that a unit takes in a minute')
    .requiredOption('--completion-weight <weight>', 'of a completion token; a prompt token weighs 1')
    .option('--cached-weight <weight>', 'of a cached prompt token', '0')
    .option('--idle <policy>', 'overhead: nobody bears what nobody used; spread: users do', 'overhead')
    .option('--note <text>', 'for people', '')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      '\n  tallystick provisioned add --deployment ptu-eu --from 2026-11-01 --units 50 --increment 50 --hourly 1.00 \\\n    --throughput 2500 --completion-weight 4',
    )
    .action((options: AddOptions) =>
      frame.askApi(async (ask) => {
        const purchase = await ask<PurchaseShown>('POST', '/v1/provisioned', {
          deployment: options.deployment,
          from: readInstant('--from', options.from).toISOString(),
          until: options.until === undefined ? null : readInstant('--until', options.until).toISOString(),
          unitCount: Number(options.units),
          unitIncrement: Number(options.increment),
          hourlyUsdPerUnit: options.hourly,
          reservedUnitCount: Number(options.reservedUnits),
          reservedHourlyUsdPerUnit: options.reservedHourly ?? null,
          tokensPerMinutePerUnit: Number(options.throughput),
          completionWeight: options.completionWeight,
          cachedWeight: options.cachedWeight,
          idlePolicy: options.idle,
          note: options.note,
        });
        print(options.json === true, purchase, () => renderPurchases([purchase]));
      }),
    );
  provisioned
    .command('list')
    .description('all purchases, with their use of the last days, average and marginal cost')
    .option('--json', 'print as JSON')
    .action((options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answer = await ask<{ purchases: PurchaseShown[] }>('GET', '/v1/provisioned');
        print(options.json === true, answer, () => renderPurchases(answer.purchases));
      }),
    );
}

function renderPurchases(purchases: readonly PurchaseShown[]): string {
  if (purchases.length === 0) return 'Nothing is bought by the hour.';
  return renderTable(
    [
      'deployment',
      'from',
      'until',
      'units',
      'USD/hour',
      'idle',
      'USD/1M avg',
      'free tokens/hour',
      'then USD/hour',
    ],
    purchases.map((purchase) => [
      purchase.deployment,
      purchase.from.slice(0, 16),
      purchase.until?.slice(0, 16) ?? '',
      purchase.unitCount,
      purchase.hourlyCost,
      purchase.idlePolicy,
      purchase.use.averageUsdPerMillion ?? 'unused',
      purchase.use.marginalUsdPerHour.freeWeightedTokens,
      purchase.use.marginalUsdPerHour.beyond,
    ]),
    [3, 4, 6, 7, 8],
  );
}
