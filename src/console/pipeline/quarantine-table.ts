import { html } from 'hono/html';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { countColumn } from '../../pages/table/made-columns.ts';
import { csvCells, csvColumns } from '../../pages/table/page-of-rows.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import { isAcceptable } from '../../quarantine/accept.ts';
import { isCuredByCustomer } from '../../quarantine/assign.ts';
import {
  listQuarantine,
  QUARANTINE_STAGES,
  type QuarantineEntry,
  type QuarantineStage,
} from '../../quarantine/entries.ts';
import type { ConsoleView, WholeCsv } from '../frame/define-page.ts';
import { type PipelineMaterial, readFilter } from './gather.ts';
import { inWords } from './reason-words.ts';

const STAGE_WORDS: Record<QuarantineStage, string> = {
  source_item: 'before metering',
  usage_event: 'at OpenMeter',
  hourly_usage: 'before billing',
  meter_push: 'at Stripe',
};

/** What waits, one by one, with what can be done about it. */
export function quarantineTable(
  { report, alarmAfterMs, names }: PipelineMaterial,
  view: ConsoleView,
): TableDefinition<QuarantineEntry> {
  const reasons = [...new Set(report.quarantine.map(({ reason }) => reason))].sort();
  const mayAct = hasScope(view.caller, []);
  const act: Column<QuarantineEntry> = {
    name: 'acts',
    title: 'What to do',
    kind: 'text',
    cell: (entry) => acts(entry, view),
  };
  return {
    name: 'waiting',
    caption: 'What waits',
    sort: 'since',
    pageSize: 20,
    empty: 'Nothing waits.',
    filters: [
      {
        name: 'reason',
        title: 'Reason',
        options: reasons.map((reason) => ({ value: reason, title: inWords(reason) })),
      },
      {
        name: 'stage',
        title: 'Where',
        options: QUARANTINE_STAGES.map((stage) => ({ value: stage, title: STAGE_WORDS[stage] })),
      },
      { name: 'customer', title: 'Customer' },
    ],
    columns: [...columns(view, alarmAfterMs, names), ...(mayAct ? [act] : [])],
  };
}

function columns(
  view: ConsoleView,
  alarmAfterMs: number,
  names: ReadonlyMap<string, string>,
): Column<QuarantineEntry>[] {
  const { now } = view;
  const text = (
    name: string,
    title: string,
    read: (entry: QuarantineEntry) => string | null,
    cell: (entry: QuarantineEntry) => Html | string,
  ): Column<QuarantineEntry> => ({ name, title, kind: 'text', cell, csv: read, sortBy: read });
  return [
    {
      ...text(
        'id',
        'Entry',
        (entry) => entry.quarantineId,
        (entry) => entry.quarantineId,
      ),
      isRowHeader: true,
    },
    text('reason', 'Reason', (entry) => entry.reason, reasonCell),
    text(
      'stage',
      'Where',
      (entry) => entry.stage,
      (entry) => STAGE_WORDS[entry.stage],
    ),
    text(
      'customer',
      'Customer',
      (entry) => entry.customerId,
      ({ customerId }) =>
        customerId === null
          ? html`<span class="unknown">unknown</span>`
          : customerCell(customerId, names, view),
    ),
    text(
      'subject',
      'User',
      (entry) => entry.subject,
      ({ subject, stage }) =>
        stage === 'meter_push' ? html`<span class="muted">all of the customer</span>` : nameCell(subject),
    ),
    text(
      'model',
      'Model',
      (entry) => entry.model,
      ({ model }) => nameCell(model),
    ),
    countColumn('tokens', 'Tokens', ({ tokenCount }) => tokenCount),
    {
      name: 'since',
      title: 'Waits for',
      kind: 'number',
      cell: ({ waitingSince }) => {
        const age = now.getTime() - waitingSince.getTime();
        return age > alarmAfterMs ? html`<span class="tag warn">${ageInWords(age)}</span>` : ageInWords(age);
      },
      csv: ({ waitingSince }) => waitingSince.toISOString(),
      sortBy: ({ waitingSince }) => waitingSince.getTime(),
    },
  ];
}

/** All that waits, as far as the address narrows it. */
export function quarantineCsv(view: ConsoleView): WholeCsv<QuarantineEntry> {
  const definition = { name: 'waiting', caption: '', empty: '', columns: columns(view, 0, new Map()) };
  return {
    columns: csvColumns(definition),
    read: (snapshot, after, limit) => listQuarantine(snapshot, readFilter(view), { after, limit }),
    toCells: (entry) => csvCells(definition, entry),
  };
}

/** What a customer is called, with the id where that says something else, leading to their page where there is one. */
function customerCell(customerId: string, names: ReadonlyMap<string, string>, view: ConsoleView): Html {
  const name = names.get(customerId);
  if (name === undefined) return nameCell(customerId);
  const called = view.hasPage('/console/customers/:customerId')
    ? html`<a href="/console/customers/${encodeURIComponent(customerId)}">${nameCell(name)}</a>`
    : nameCell(name);
  return name === customerId
    ? called
    : html`${called}<br><small class="muted">${nameCell(customerId)}</small>`;
}

function reasonCell({ reason, detail, metricName }: QuarantineEntry): Html {
  const more = metricName ?? detail;
  return html`${inWords(reason)}${more === null ? '' : html`<br><span class="muted">${nameCell(more)}</span>`}`;
}

function acts(entry: QuarantineEntry, view: ConsoleView): Html {
  const { quarantineId: id, tokenCount, customerId } = entry;
  const isTyped = view.typed?.get('entry') === id;
  const before = (field: string) => (isTyped ? (view.typed?.get(field) ?? '') : '');
  const form = (verb: string, body: Html) =>
    html`<form method="post" action="${view.address.path}/${verb}">${view.formField}<input type="hidden" name="entry" value="${id}">${body}</form>`;
  const field = (name: string, label: string, value: string) =>
    html`<input name="${name}" value="${value}" aria-label="${label}" placeholder="${label}" maxlength="500" required>`;
  return html`<details${isTyped ? html` open` : ''}><summary>act<span class="unseen"> on ${id}</span></summary><div class="acts">
${form('retry', html`<button class="quiet">Try again</button>`)}
${isCuredByCustomer(entry) ? form('assign', html`${field('customerId', 'whose it is', before('customerId') || (customerId ?? ''))}<button class="quiet">Assign</button>`) : ''}
${isAcceptable(entry) ? form('accept', html`${field('reason', 'why it is taken as told', before('reason'))}<button class="quiet">Take as told</button>`) : ''}
${form('write-off', html`${field('reason', 'why they are given up', before('reason'))}<button class="danger">Give up ${groupDigits(String(tokenCount))} tokens</button>`)}
</div></details>`;
}
