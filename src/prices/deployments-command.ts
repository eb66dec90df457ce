import type { Command } from 'commander';
import { type CommandFrame, type Options, toQuery } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import type { PriceChangeBody } from './schemas.ts';
import { renderPriceChange } from './text.ts';

interface Deployments {
  version: string;
  deployments: {
    deployment: string;
    model: string | null;
    deploymentType: string | null;
    region: string | null;
    serviceTier: string | null;
    effectiveFrom: string | null;
    retired: boolean;
    note: string;
  }[];
}

/** Adds `deployments list|map`. */
export function addDeploymentsCommand(program: Command, frame: CommandFrame): void {
  const deployments = program
    .command('deployments')
    .description('which model, type, region and service tier Azure deployments are');
  deployments
    .command('list')
    .description('all rules, or the one that holds for a deployment')
    .option('--deployment <name>', 'only the rule that holds for this name')
    .option('--at <instant>', 'with --deployment: at this instant')
    .option('--json', 'print as JSON')
    .action((options: Options) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['deployment', 'at']);
        const list = await ask<Deployments>('GET', `/v1/deployments?${query}`);
        print(options.json === true, list, () => renderDeployments(list));
      }),
    );
  deployments
    .command('map <deployment>')
    .description('say what a deployment is; the name may be a pattern with * and ?')
    .requiredOption('--reason <text>', 'why; kept with the change')
    .option('--model <model>', 'the model it serves')
    .option('--type <type>', 'global, data_zone, regional, batch, developer or provisioned')
    .option('--region <region>', 'its Azure region, or the data zone')
    .option('--service-tier <tier>', 'standard, priority or flex: how its requests are served')
    .option('--from <instant>', 'first second it holds for; since ever unless said')
    .option('--retire', 'from then on nothing is said of it')
    .option('--note <text>', 'what to know about it')
    .option('--supersede', 'correct the rule of the same name and instant; both stay on record')
    .option('--dry-run', 'show what it would do')
    .option('--json', 'print as JSON')
    .action((deployment: string, options: Options) =>
      frame.askApi(async (ask) => {
        const rule = Object.fromEntries(
          [
            ['deployment', deployment],
            ['model', options.model],
            ['deploymentType', options.type],
            ['region', options.region],
            ['serviceTier', options.serviceTier],
            ['effectiveFrom', options.from],
            ['note', options.note],
          ].filter(([, value]) => value !== undefined),
        );
        const change = await ask<PriceChangeBody>('POST', '/v1/deployments', {
          reason: options.reason,
          supersede: options.supersede === true,
          dryRun: options.dryRun === true,
          deployments: [{ ...rule, retired: options.retire === true }],
        });
        print(options.json === true, change, () => renderPriceChange(change));
      }),
    );
}

function renderDeployments({ deployments }: Deployments): string {
  if (deployments.length === 0) return 'Nothing is said of it: what the usage calls its model counts.';
  const rows = deployments.map((rule) => [
    rule.deployment,
    rule.retired ? 'retired' : (rule.model ?? 'as the usage says'),
    rule.deploymentType ?? '',
    rule.region ?? '',
    rule.serviceTier ?? '',
    rule.effectiveFrom ?? '',
    rule.note,
  ]);
  return renderTable(['deployment', 'model', 'type', 'region', 'tier', 'from', 'note'], rows);
}
