import type { Command } from 'commander';
import { type CommandFrame, isNarrowed, toQuery } from '../../platform/terminal/frame.ts';
import { print, renderTable } from '../../platform/terminal/output.ts';

interface Shown {
  id: string;
  act: string;
  target: string;
  customerId: string;
  amount: string | null;
  currency: string | null;
  figures: Record<string, string>;
  reason: string;
  askedBy: string;
  askedAt: string;
  expiresAt: string;
  state: string;
}
interface Standing {
  request: Shown;
  obstacle: string | null;
  changes: string[];
  deadline: string | null;
}

/** `tallystick second-person`. */
export function addSecondPersonCommand(program: Command, frame: CommandFrame): void {
  const command = program
    .command('second-person')
    .description('acts above the amount that one person may decide: agree to one, or decline it');
  command
    .command('list', { isDefault: true })
    .description('the oldest first')
    .option('--state <state>', 'waiting, agreed, declined, withdrawn, expired or overtaken', 'waiting')
    .option('--limit <count>', 'most to list', '100')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['state', 'limit', 'cursor']);
        const answer = await ask<{ requests: Shown[]; nextCursor: string | null }>(
          'GET',
          `/v1/second-person?${query}`,
        );
        print(options.json === true, answer, () =>
          renderList(answer.requests, answer.nextCursor, isNarrowed(query) && options.state !== 'waiting'),
        );
      }),
    );
  command
    .command('show <id>')
    .description('what it is, and how it stands now')
    .option('--json', 'print as JSON')
    .action((id: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answer = await ask<Standing>('GET', `/v1/second-person/${encodeURIComponent(id)}`);
        print(options.json === true, answer, () => renderStanding(answer));
      }),
    );
  command
    .command('agree <id>')
    .description('it is done, once; as the holder of the key in TALLYSTICK_API_KEY')
    .option('--json', 'print as JSON')
    .action((id: string, options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answer = await ask<Shown>('POST', `/v1/second-person/${encodeURIComponent(id)}/agree`);
        print(options.json === true, answer, () => `${answer.act} of ${answer.target} is done.`);
      }),
    );
  command
    .command('decline <id>')
    .description('nothing is done; of who asked, it is withdrawn')
    .requiredOption('--reason <text>', 'why; kept with it and in the audit log')
    .option('--json', 'print as JSON')
    .action((id: string, options: { reason: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const { reason } = options;
        const path = `/v1/second-person/${encodeURIComponent(id)}/decline`;
        const answer = await ask<Shown>('POST', path, { reason });
        print(options.json === true, answer, () => `${answer.act} of ${answer.target} is ${answer.state}.`);
      }),
    );
}

const money = ({ amount, currency }: Shown) =>
  amount === null || currency === null ? 'unknown' : `${amount} ${currency.toUpperCase()}`;

function renderList(requests: readonly Shown[], nextCursor: string | null, isInPart: boolean): string {
  if (requests.length === 0) return isInPart ? 'Nothing matches.' : 'Nothing waits for a second person.';
  const table = renderTable(
    ['id', 'what', 'of', 'customer', 'amount', 'asked by', 'until', 'state'],
    requests.map((request) => [
      request.id,
      request.act,
      request.target,
      request.customerId,
      money(request),
      request.askedBy,
      request.expiresAt.slice(0, 16),
      request.state,
    ]),
    [4],
  );
  return nextCursor === null ? table : `${table}\nMore: --cursor ${nextCursor}`;
}

function renderStanding({ request, obstacle, changes, deadline }: Standing): string {
  return [
    `${request.id}  ${request.act} of ${request.target} (${request.customerId}), ${money(request)}: ${request.state}`,
    `asked for by ${request.askedBy} at ${request.askedAt}: ${request.reason}`,
    ...Object.entries(request.figures).map(([name, figure]) => `${name}: ${figure}`),
    ...(request.state === 'waiting' ? [`waits until ${request.expiresAt}`] : []),
    ...(deadline === null ? [] : [`too late from ${deadline} on: Stripe finalizes the invoice then`]),
    ...changes.map((change) => `since then ${change}`),
    ...(obstacle === null ? [] : [`it can no longer be done: ${obstacle}`]),
  ].join('\n');
}
