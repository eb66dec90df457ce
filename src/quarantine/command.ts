import type { Command } from 'commander';
import { durationInWords } from '../platform/terminal/duration.ts';
import { type CommandFrame, isNarrowed, toQuery } from '../platform/terminal/frame.ts';
import { groupDigits, print, renderTable } from '../platform/terminal/output.ts';

interface Entry {
  id: string;
  stage: string;
  reason: string;
  detail: string | null;
  subject: string;
  model: string;
  metricName: string | null;
  customerId: string | null;
  tokenCount: string;
  ageSeconds: number;
}
interface Listing {
  alarming: boolean;
  alarmAfterHours: number;
  entries: {
    stage: string;
    reason: string;
    metricName: string | null;
    rowCount: string;
    tokenCount: string;
    oldestAgeSeconds: number;
  }[];
  items: Entry[];
  nextCursor: string | null;
}

export function addQuarantineCommand(program: Command, frame: CommandFrame): void {
  const quarantine = program
    .command('quarantine')
    .description(
      'list usage that waits; say whose it is, have it tried again, take it as told, or give it up',
    );
  quarantine
    .command('list')
    .description('what waits, the longest first')
    .option('--stage <stage>', 'source_item, usage_event, hourly_usage or meter_push')
    .option('--reason <reason>', 'e.g. no_customer')
    .option('--customer <id>', 'only what belongs to this customer')
    .option('--limit <count>', 'most entries to list', '50')
    .option('--cursor <cursor>', 'go on after a page')
    .option('--json', 'print as JSON')
    .action((options: Record<string, string | boolean | undefined>) =>
      frame.askApi(async (ask) => {
        const query = toQuery(options, ['stage', 'reason', 'limit', 'cursor', ['customer', 'customerId']]);
        const listing = await ask<Listing>('GET', `/v1/quarantine?${query}`);
        print(options.json === true, listing, () => renderListing(listing, isNarrowed(query)));
      }),
    );
  quarantine
    .command('assign <id>')
    .description("say whose an entry is: its subject, and all that waits for it, becomes the customer's")
    .requiredOption('--customer <id>', 'the customer')
    .option('--json', 'print as JSON')
    .action((id: string, options: { customer: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answer = await ask<{ subject: string; releasedTokenCount: string }>(
          'POST',
          routeOf(id, 'assign'),
          {
            customerId: options.customer,
          },
        );
        print(
          options.json === true,
          answer,
          () =>
            `${answer.subject} belongs to ${options.customer}; ${groupDigits(answer.releasedTokenCount)} settled tokens are taken up.`,
        );
      }),
    );
  quarantine
    .command('retry <id...>')
    .description('try entries again; what is still wrong comes back with its reason')
    .option('--json', 'print as JSON')
    .action((ids: string[], options: { json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answers: object[] = [];
        for (const id of ids) answers.push(await ask<object>('POST', routeOf(id, 'retry')));
        print(options.json === true, { retried: answers }, () => `${ids.length} taken up by the jobs.`);
      }),
    );
  quarantine
    .command('accept <id...>')
    .description('take the minutes of entries as they were told, when the row that is missing never comes')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'print as JSON')
    .action((ids: string[], options: { reason: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answers: { rowCount: string; tokenCount: string }[] = [];
        for (const id of ids)
          answers.push(await ask('POST', routeOf(id, 'accept'), { reason: options.reason }));
        const total = answers.reduce((sum, answer) => sum + BigInt(answer.tokenCount), 0n);
        print(
          options.json === true,
          { accepted: answers },
          () => `${groupDigits(total)} tokens taken as told.`,
        );
      }),
    );
  quarantine
    .command('write-off <id...>')
    .description('give up the tokens of entries; they stay, with the reason, in the ledger and the audit log')
    .requiredOption('--reason <text>', 'why')
    .option('--json', 'print as JSON')
    .action((ids: string[], options: { reason: string; json?: boolean }) =>
      frame.askApi(async (ask) => {
        const answers: { writtenOffTokenCount: string }[] = [];
        for (const id of ids)
          answers.push(await ask('POST', routeOf(id, 'write-off'), { reason: options.reason }));
        const total = answers.reduce((sum, answer) => sum + BigInt(answer.writtenOffTokenCount), 0n);
        print(
          options.json === true,
          { writtenOff: answers },
          () => `${groupDigits(total)} tokens written off.`,
        );
      }),
    );
}

function routeOf(id: string, act: string): string {
  return `/v1/quarantine/${encodeURIComponent(id)}/${act}`;
}

function renderListing(listing: Listing, isInPart: boolean): string {
  if (listing.entries.length === 0) return isInPart ? 'Nothing that matches waits.' : 'Nothing waits.';
  const summary = listing.entries.map((entry) => [
    entry.stage,
    named(entry.reason, entry.metricName),
    groupDigits(entry.rowCount),
    groupDigits(entry.tokenCount),
    durationInWords(entry.oldestAgeSeconds),
  ]);
  const items = listing.items.map((item) => [
    item.id,
    named(item.reason, item.detail ?? (item.reason === 'unknown_metric' ? item.metricName : null)),
    item.customerId ?? '',
    item.subject,
    item.model,
    groupDigits(item.tokenCount),
    durationInWords(item.ageSeconds),
  ]);
  return [
    renderTable(['stage', 'reason', 'rows', 'tokens', 'oldest'], summary, [2, 3, 4]),
    ...(listing.alarming ? [`Some of it waits longer than ${listing.alarmAfterHours} hours.`] : []),
    renderTable(['id', 'reason', 'customer', 'subject', 'model', 'tokens', 'age'], items, [5, 6]),
    ...(listing.nextCursor === null ? [] : [`More: --cursor ${listing.nextCursor}`]),
  ].join('\n');
}

function named(reason: string, what: string | null): string {
  return what === null ? reason : `${reason} (${what})`;
}
