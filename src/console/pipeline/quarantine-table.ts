import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { ageInWords, countCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { QUARANTINE_STAGES, type QuarantineEntry, type QuarantineStage } from '../../quarantine/entries.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import type { PipelineMaterial } from './gather.ts';

const STAGE_WORDS: Record<QuarantineStage, string> = {
  source_item: 'before metering',
  usage_event: 'at OpenMeter',
  hourly_usage: 'before billing',
  meter_push: 'at Stripe',
};

/** What waits, one by one, with what can be done about it. */
export function quarantineTable(
  { entries, alarmAfterMs }: PipelineMaterial,
  view: ConsoleView,
): TableDefinition<QuarantineEntry> {
  const ageOf = ({ waitingSince }: QuarantineEntry) => view.now.getTime() - waitingSince.getTime();
  const reasons = [...new Set(entries.map(({ reason }) => reason))].sort();
  return {
    name: 'waiting',
    caption: 'What waits',
    sort: 'since',
    empty: 'Nothing waits.',
    filters: [
      {
        name: 'reason',
        title: 'Reason',
        options: reasons.map((reason) => ({ value: reason, title: reasonInWords(reason) })),
        matches: (entry, value) => entry.reason === value,
      },
      {
        name: 'stage',
        title: 'Where',
        options: QUARANTINE_STAGES.map((stage) => ({ value: stage, title: STAGE_WORDS[stage] })),
        matches: (entry, value) => entry.stage === value,
      },
      {
        name: 'subject',
        title: 'User',
        matches: (entry, value) => entry.subject.toLowerCase().includes(value.toLowerCase()),
      },
    ],
    columns: [
      {
        name: 'id',
        title: 'Entry',
        kind: 'text',
        isRowHeader: true,
        cell: ({ quarantineId }) => quarantineId,
        csv: ({ quarantineId }) => quarantineId,
      },
      {
        name: 'reason',
        title: 'Reason',
        kind: 'text',
        cell: reasonCell,
        csv: ({ reason }) => reason,
        sortBy: ({ reason }) => reason,
      },
      {
        name: 'stage',
        title: 'Where',
        kind: 'text',
        cell: ({ stage }) => STAGE_WORDS[stage],
        csv: ({ stage }) => stage,
        sortBy: ({ stage }) => stage,
      },
      {
        name: 'customer',
        title: 'Customer',
        kind: 'text',
        cell: ({ customerId }) => customerId ?? html`<span class="unknown">unknown</span>`,
        csv: ({ customerId }) => customerId,
        sortBy: ({ customerId }) => customerId,
      },
      {
        name: 'subject',
        title: 'User',
        kind: 'text',
        cell: ({ subject }) => shorten(subject),
        csv: ({ subject }) => subject,
        sortBy: ({ subject }) => subject,
      },
      {
        name: 'model',
        title: 'Model',
        kind: 'text',
        cell: ({ model }) => shorten(model),
        csv: ({ model }) => model,
        sortBy: ({ model }) => model,
      },
      {
        name: 'tokens',
        title: 'Tokens',
        kind: 'number',
        cell: ({ tokenCount }) => countCell(tokenCount),
        csv: ({ tokenCount }) => String(tokenCount),
        sortBy: ({ tokenCount }) => tokenCount,
      },
      {
        name: 'since',
        title: 'Waits for',
        kind: 'number',
        cell: (entry) =>
          ageOf(entry) > alarmAfterMs
            ? html`<span class="tag warn">${ageInWords(ageOf(entry))}</span>`
            : ageInWords(ageOf(entry)),
        csv: ({ waitingSince }) => waitingSince.toISOString(),
        sortBy: ({ waitingSince }) => waitingSince.getTime(),
      },
      ...(view.caller.scopes.includes('admin')
        ? [
            {
              name: 'acts',
              title: 'What to do',
              kind: 'text' as const,
              cell: (entry: QuarantineEntry) => acts(entry, view),
            },
          ]
        : []),
    ],
  };
}

const reasonInWords = (reason: string) => reason.replaceAll('_', ' ');

function reasonCell({ reason, detail, metricName }: QuarantineEntry): Html {
  const more = metricName ?? detail;
  return html`${reasonInWords(reason)}${more === null ? '' : html`<br><span class="muted">${shorten(more)}</span>`}`;
}

/** A subject may be ten kilobytes of anything; the CSV has all of it. */
function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= 80 ? text : `${characters.slice(0, 80).join('')}…`;
}

function acts(
  { quarantineId, tokenCount, customerId }: QuarantineEntry,
  { formField, typed, address }: ConsoleView,
): Html {
  const isTyped = typed?.get('entry') === quarantineId;
  const before = (field: string) => (isTyped ? (typed?.get(field) ?? '') : '');
  const entry = html`${formField}<input type="hidden" name="entry" value="${quarantineId}">`;
  return html`<details${isTyped ? html` open` : ''}><summary aria-label="What to do about ${quarantineId}">act</summary><div class="acts">
<form method="post" action="${address.path}/retry">${entry}<button class="quiet">Try again</button></form>
<form method="post" action="${address.path}/assign">${entry}<input name="customerId" value="${before('customerId') || (customerId ?? '')}" aria-label="Customer of ${quarantineId}" placeholder="customer" maxlength="512" required><button class="quiet">Assign</button></form>
<form method="post" action="${address.path}/write-off">${entry}<input name="reason" value="${before('reason')}" aria-label="Why ${quarantineId} is given up" placeholder="why" maxlength="2000" required><button class="danger">Give up ${String(tokenCount)} tokens</button></form>
</div></details>`;
}
