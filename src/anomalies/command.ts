import type { Command } from 'commander';
import { type CommandFrame, toQuery } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';
import type { LoadsBody } from './noise/routes.ts';
import type { RepeatsBody } from './repeats/routes.ts';
import type { FindingBody, FindingsBody } from './schemas.ts';

/** `tallystick anomalies`. */
export function addAnomaliesCommand(program: Command, frame: CommandFrame): void {
  const anomalies = program
    .command('anomalies')
    .description('usage that stands out: who, what, how much so far; acknowledge, dismiss or snooze it');
  anomalies
    .command('list', { isDefault: true })
    .description('the newest first')
    .option('--group <group>', 'needs_you, acknowledged, done or highlighted')
    .option('--customer <id>', 'only of this customer')
    .option('--limit <count>', 'most to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['group', 'limit', 'cursor', ['customer', 'customerId']]);
        const found = await ask<FindingsBody>('GET', `/v1/anomalies?${query}`);
        print(options.json === true, found, () => renderFindings(found));
      }),
    );
  for (const [verb, description] of [
    ['acknowledge', 'say that it is real, and that somebody sees to it'],
    ['dismiss', 'say that it is none, and why'],
  ] as const) {
    const command = anomalies.command(`${verb} <id>`).description(description);
    (verb === 'dismiss'
      ? command.requiredOption('--reason <text>', 'why, kept in the audit log')
      : command.option('--reason <text>', 'kept in the audit log')
    )
      .option('--json', 'print as JSON')
      .action((id: string, options: { reason?: string; json?: boolean }) =>
        frame.askApi(async (ask) => {
          const { reason } = options;
          const body = reason === undefined ? {} : { reason };
          const said = await ask<FindingBody>(
            'POST',
            `/v1/anomalies/${encodeURIComponent(id)}/${verb}`,
            body,
          );
          print(
            options.json === true,
            said,
            () => `Anomaly ${said.id} of ${said.customerId} is ${said.decision}.`,
          );
        }),
      );
  }
  const windowed = (name: string, description: string) =>
    anomalies
      .command(name)
      .description(description)
      .option('--from <day>', 'the first day')
      .option('--to <day>', 'not included')
      .option('--period <month>', 'e.g. 2026-11, instead of both')
      .option('--json', 'print as JSON');
  windowed('repeats', 'who sends the same prompt again and again, and what a cache would save').action(
    (options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['from', 'to', 'period']);
        const found = await ask<RepeatsBody>('GET', `/v1/costs/repeats?${query}`);
        print(options.json === true, found, () =>
          renderTable(
            [
              'customer',
              'user',
              'feature',
              'model',
              'days',
              'calls',
              'of tokens',
              'a cache answers',
              'and saves USD',
            ],
            found.repeats.map((each) => [
              each.customerId ?? 'nobody',
              each.subject,
              each.feature,
              each.model,
              String(each.dayCount),
              each.callCount,
              each.promptTokenCount,
              each.cacheHitCount,
              each.saving ?? 'unknown',
            ]),
            [4, 5, 6, 7, 8],
          ),
        );
      }),
  );
  windowed(
    'loads',
    'noisy tenants: who takes how much of each deployment, and of its busiest minutes',
  ).action((options: Record<string, string | boolean | undefined>) =>
    frame.askApi(async (ask) => {
      const query = toQuery(options, ['from', 'to', 'period']);
      const found = await ask<LoadsBody>('GET', `/v1/costs/loads?${query}`);
      print(options.json === true, found, () =>
        renderTable(
          ['deployment', 'customer', 'tokens', 'share', 'of busiest minutes', 'of its quota'],
          found.loads.map((each) => [
            each.deployment,
            each.customerId ?? 'nobody',
            each.tokenCount,
            each.share,
            each.shareOfBusiest,
            each.shareOfQuota ?? 'no quota is known',
          ]),
          [2, 3, 4, 5],
        ),
      );
    }),
  );
  anomalies
    .command('snooze <id>')
    .description('be reminded of it later')
    .requiredOption('--until <instant>', 'e.g. 2026-12-01T08:00:00Z')
    .option('--json', 'print as JSON')
    .action((id: string, options: { until: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const path = `/v1/anomalies/${encodeURIComponent(id)}/snooze`;
        const said = await ask<FindingBody>('POST', path, { until: options.until });
        print(
          options.json === true,
          said,
          () => `Anomaly ${said.id} of ${said.customerId} is back at ${said.snoozedUntil}.`,
        );
      }),
    );
}

function renderFindings({ anomalies, figures, nextCursor }: FindingsBody): string {
  const rows = anomalies.map((finding) => [
    finding.id,
    finding.customerId,
    finding.group.replaceAll('_', ' '),
    finding.firstHour.slice(0, 13),
    (finding.shape ?? 'day above two sigmas').replaceAll('_', ' '),
    finding.moved.map(({ dimension, value }) => `${dimension} ${value}`).join(', '),
    finding.excess,
    finding.state === 'open' ? finding.dayAhead : '',
    finding.score ?? '',
    finding.sigmaScore ?? '',
    finding.explanations.join(' ').replaceAll('_', ' '),
  ]);
  const precision =
    figures.precision === null
      ? 'nobody has said yet which were real'
      : `${figures.precision} of those decided were real`;
  return [
    renderTable(
      [
        'id',
        'customer',
        'group',
        'since',
        'what',
        'moved',
        'too much USD',
        'in a day USD',
        'score',
        'sigmas',
        'explained by',
      ],
      rows,
      [6, 7, 8, 9],
    ),
    `${figures.needsYouCount} need somebody; ${precision}.`,
    ...(nextCursor === null ? [] : [`More: --cursor ${nextCursor}`]),
  ].join('\n');
}
