import type { Command } from 'commander';
import type { CommandFrame } from '../../platform/terminal/frame.ts';
import { print, renderTable } from '../../platform/terminal/output.ts';

interface ShownRecount {
  customerId: string | null;
  model: string;
  cause: string;
  tokens: { tokenType: string; formerly: string; now: string }[];
  told: { totalTokenCount: string; countedTokenCount: string } | null;
  proposal: string[] | null;
  state: string;
}

/** `tallystick recounts`: what former rules counted otherwise. */
export function addRecountsCommand(program: Command, frame: CommandFrame): void {
  const recounts = program
    .command('recounts')
    .description('usage that was counted by former rules: what those of today say, approve or reject');
  recounts
    .command('list <month>', { isDefault: true })
    .description('a month such as 2026-10')
    .option('--customer <id>', 'only this customer')
    .option('--json', 'print as JSON')
    .action((month: string, options: { customer?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const query = new URLSearchParams({ month });
        if (options.customer !== undefined) query.set('customerId', options.customer);
        const answer = await ask<{ recounts: ShownRecount[] }>('GET', `/v1/recounts?${query}`);
        print(options.json === true, answer, () => render(answer.recounts));
      }),
    );
  for (const [name, said] of [
    ['approve', 'the jobs make the usage that was missing'],
    ['reject', 'it stays as it was billed'],
  ] as const) {
    recounts
      .command(`${name} <month> <customer> <cause>`)
      .option('--reason <text>', 'why')
      .option('--json', 'print as JSON')
      .action(
        (month: string, customerId: string, cause: string, options: { reason?: string; json?: boolean }) =>
          frame.askApi(async (ask) => {
            const body = {
              month,
              customerId,
              cause,
              ...(options.reason === undefined ? {} : { reason: options.reason }),
            };
            const answer = await ask<{ state: string }>('POST', `/v1/recounts/${name}`, body);
            print(options.json === true, answer, () => `${customerId}, ${month}: ${said}.`);
          }),
      );
  }
}

function render(recounts: readonly ShownRecount[]): string {
  if (recounts.length === 0) return 'Nothing of this month was counted otherwise.';
  return renderTable(
    ['customer', 'model', 'cause', 'tokens', 'brings', 'state'],
    recounts.map((recount) => [
      recount.customerId ?? '(nobody)',
      recount.model,
      recount.cause,
      recount.told === null
        ? recount.tokens
            .map(({ tokenType, formerly, now }) => `${tokenType} ${formerly} -> ${now}`)
            .join(', ')
        : `told ${recount.told.totalTokenCount}, counted ${recount.told.countedTokenCount}`,
      recount.proposal?.join(', ') ?? 'nothing to approve',
      recount.state,
    ]),
  );
}
