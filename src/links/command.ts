import type { Command } from 'commander';
import { ValidationError } from '../platform/errors.ts';
import { type CommandFrame, isNarrowed, toQuery } from '../platform/terminal/frame.ts';
import { print, renderTable } from '../platform/terminal/output.ts';

interface Listing {
  links: {
    linkId: string;
    kind: string;
    targetId: string;
    customerId: string | null;
    userId: string | null;
    state: string;
    expiresAt: string;
    madeBy: string;
    lastSeenAt: string | null;
  }[];
  nextCursor: string | null;
}

export function addLinksCommand(program: Command, frame: CommandFrame): void {
  const links = program
    .command('links')
    .description('signed links: list and withdraw them, and make one to the portal');
  links
    .command('list')
    .description('what was sent to whom, the newest first')
    .option('--kind <kind>', 'quote, statement, statement-preview, portal or portal-user')
    .option('--customer <id>', "only a customer's")
    .option('--state <state>', 'living, expired or withdrawn')
    .option('--limit <count>', 'most links to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['kind', 'state', 'limit', 'cursor', ['customer', 'customerId']]);
        const listing = await ask<Listing>('GET', `/v1/links?${query}`);
        print(options.json === true, listing, () => renderListing(listing, isNarrowed(query)));
      }),
    );
  links
    .command('withdraw [id...]')
    .description('end links at once, and the sessions of the portal that they opened')
    .option('--customer <id>', 'all of this customer instead, also its sessions that hosts began')
    .option('--json', 'print as JSON')
    .action((ids: string[], options: { customer?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        if (ids.length > 0 === (options.customer !== undefined)) {
          throw new ValidationError('id', 'name links, or a customer', 'tallystick links withdraw lnk_...');
        }
        if (options.customer !== undefined) {
          const path = `/v1/customers/${encodeURIComponent(options.customer)}/links/withdraw`;
          const ended = await ask<{ linkCount: number; sessionCount: number }>('POST', path);
          const words = `${ended.linkCount} links withdrawn, ${ended.sessionCount} sessions of the portal ended.`;
          return print(options.json === true, ended, () => words);
        }
        const withdrawn: object[] = [];
        for (const id of ids) {
          withdrawn.push(await ask<object>('POST', `/v1/links/${encodeURIComponent(id)}/withdraw`));
        }
        print(options.json === true, { withdrawn }, () => `${ids.length} withdrawn.`);
      }),
    );
  links
    .command('portal <customer>')
    .description('make a link that opens the portal of a customer to whoever has it')
    .option('--user <id>', 'of this one user, who sees what is theirs alone')
    .option('--valid-days <days>', 'how long it lives (120)')
    .option('--json', 'print as JSON')
    .action((customerId: string, options: { user?: string; validDays?: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const { user: userId, validDays } = options;
        const link = await ask<{ url: string }>('POST', '/v1/portal/links', {
          customerId,
          ...(userId === undefined ? {} : { userId }),
          ...(validDays === undefined ? {} : { validDays: Number(validDays) }),
        });
        print(options.json === true, link, () => link.url);
      }),
    );
}

function renderListing({ links, nextCursor }: Listing, isNarrowedList: boolean): string {
  if (links.length === 0) return isNarrowedList ? 'No such link.' : 'No link was made yet.';
  const table = renderTable(
    ['id', 'opens', 'customer', 'state', 'until', 'last seen', 'made by'],
    links.map((link) => [
      link.linkId,
      `${link.kind} ${link.userId ?? link.targetId}`,
      link.customerId ?? '',
      link.state,
      link.expiresAt,
      link.lastSeenAt ?? '',
      link.madeBy,
    ]),
  );
  return nextCursor === null ? table : `${table}\n\nMore: --cursor ${nextCursor}`;
}
