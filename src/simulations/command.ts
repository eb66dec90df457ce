import type { Command } from 'commander';
import { parse } from 'yaml';
import { ValidationError } from '../platform/errors.ts';
import type { CommandFrame } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import { readTextFile } from '../platform/terminal/text-file.ts';
import type { SimulatedFigures, SimulationBody } from './schemas.ts';

export function addSimulateCommand(program: Command, frame: CommandFrame): void {
  program
    .command('simulate')
    .description('what a stored period would have brought and cost under up to five scenarios')
    .requiredOption('--file <path>', 'the request of POST /v1/simulations, as YAML or JSON')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
  period: 2026-10
  scenarios:
    - name: everybody on standard
      plan: standard
    - name: smaller model
      modelSwaps: [{ from: gpt-4o, to: gpt-4o-mini }]
    - name: without search
      withoutFeatures: [search]`,
    )
    .action((options: { file: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const request = await readRequest(options.file);
        const simulation = await ask<SimulationBody>('POST', '/v1/simulations', request);
        print(options.json === true, simulation, () => renderSimulation(simulation));
      }),
    );
}

/** Every scalar stays the text that stood there: a price is never a float. */
async function readRequest(path: string): Promise<object> {
  const text = await readTextFile(path, '--file');
  try {
    const request: unknown = parse(text, { schema: 'failsafe' });
    if (typeof request === 'object' && request !== null && !Array.isArray(request)) return request;
  } catch (error) {
    throw new ValidationError('--file', `${path} is neither YAML nor JSON: ${(error as Error).message}`);
  }
  throw new ValidationError('--file', `${path} holds no request`, 'See "tallystick simulate --help".');
}

/** The margin of what is known, and how much is not. */
function partly({ margin, knownMargin, unknownTokenPercent }: SimulatedFigures): string {
  if (knownMargin.amount === null || unknownTokenPercent === null) return `unknown: ${margin.reason}`;
  return `${knownMargin.amount} without ${unknownTokenPercent} % of tokens (${margin.reason})`;
}

function renderSimulation({ simulationId, result, priceBookVersion }: SimulationBody): string {
  if (result === null) return `${simulationId} has no result.`;
  const rows = result.totals.flatMap(({ figures }) =>
    figures.map((entry) => {
      const show = (figure: { amount: string | null; reason: string | null }) =>
        figure.amount ?? `unknown: ${figure.reason}`;
      return [
        entry.scenario,
        entry.currency?.toUpperCase() ?? 'nobody',
        show(entry.revenue),
        show(entry.cost),
        entry.margin.amount ?? partly(entry),
      ];
    }),
  );
  const farthest = result.scenarios.flatMap(({ scenario, winners, losers }) =>
    [...winners.slice(0, 3), ...losers.slice(0, 3)].map(
      ({ customerId, marginDelta, currency }) =>
        `${scenario}: ${customerId ?? 'nobody'} ${marginDelta.startsWith('-') ? '' : '+'}${marginDelta} ${currency.toUpperCase()}`,
    ),
  );
  const exchanges = [
    ...new Set(
      result.totals
        .flatMap(({ figures }) => figures)
        .flatMap(({ exchange }) =>
          exchange === null
            ? []
            : `costs at ${exchange.rate} ${exchange.to.toUpperCase()} for 1 USD (${exchange.source}, ${exchange.day})`,
        ),
    ),
  ];
  return [
    renderTable(['scenario', 'currency', 'revenue', 'cost USD', 'margin'], rows, [2, 3, 4]),
    ...farthest,
    ...exchanges,
    `overhead ${result.overhead} USD; ${result.customerCount} customers; ${simulationId}, price book ${priceBookVersion}`,
  ].join('\n');
}
