import { html } from 'hono/html';
import { formatMinor } from '../../../../pricing/money.ts';
import type { SecondPersonRequest } from '../../../billing/second-person/requests.ts';
import type { StandingRequest } from '../../../closing/second-person/decide.ts';
import type { Html } from '../../../pages/html.ts';
import { ageInWords, instantCell, unknownCell } from '../../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../../pages/table/columns.ts';
import { nameCell } from '../../../pages/texts.ts';
import { deadlineInWords, minorCell } from '../words.ts';
import { actInWords, requestPath } from './words.ts';

function columnsOf<Row>(read: (row: Row) => SecondPersonRequest, now: Date): Column<Row>[] {
  return [
    {
      name: 'what',
      title: 'What',
      kind: 'text',
      isRowHeader: true,
      cell: (row) => html`<a href="${requestPath(read(row))}">${nameCell(actInWords(read(row)), 60)}</a>`,
      csv: (row) => read(row).act,
      sortBy: (row) => actInWords(read(row)),
    },
    {
      name: 'target',
      title: 'Of',
      kind: 'text',
      cell: (row) => nameCell(read(row).customerId, 40),
      csv: (row) => read(row).target,
      sortBy: (row) => read(row).customerId,
    },
    {
      name: 'amount',
      title: 'Amount',
      kind: 'number',
      cell: (row) => {
        const { amountMinor, currency } = read(row);
        return amountMinor === null || currency === null ? unknownCell() : minorCell(amountMinor, currency);
      },
      csv: (row) => {
        const { amountMinor, currency } = read(row);
        return amountMinor === null || currency === null ? null : formatMinor(amountMinor, currency);
      },
    },
    {
      name: 'asked_by',
      title: 'Asked for by',
      kind: 'text',
      cell: (row) => nameCell(read(row).askedBy, 40),
      csv: (row) => read(row).askedBy,
      sortBy: (row) => read(row).askedBy,
    },
    {
      name: 'asked_at',
      title: 'Since',
      kind: 'number',
      cell: (row) => ageInWords(now.getTime() - read(row).askedAt.getTime()),
      csv: (row) => read(row).askedAt.toISOString(),
      sortBy: (row) => read(row).askedAt.getTime(),
    },
  ];
}

export function waitingTable(now: Date): TableDefinition<StandingRequest> {
  return {
    name: 'waiting',
    caption: 'Wait for somebody else',
    empty: 'Nothing waits.',
    columns: [
      ...columnsOf<StandingRequest>(({ request }) => request, now),
      {
        name: 'expires_at',
        title: 'Waits for another',
        kind: 'number',
        cell: ({ request }) => ageInWords(request.expiresAt.getTime() - now.getTime()),
        csv: ({ request }) => request.expiresAt.toISOString(),
        sortBy: ({ request }) => request.expiresAt.getTime(),
      },
      {
        name: 'standing',
        title: 'How it stands',
        kind: 'text',
        cell: (row) => standingInWords(row, now) ?? html`<span class="muted">as it was asked for</span>`,
        csv: ({ obstacle, changes }) => obstacle ?? changes.join('; '),
      },
    ],
  };
}

/** What whoever agrees must know first; null: it is as it was asked for, and has time. */
export function standingInWords(
  { request, obstacle, changes, deadline }: StandingRequest,
  now: Date,
): Html | null {
  if (obstacle !== null) return html`<span>It can no longer be done: ${nameCell(obstacle, 200)}.</span>`;
  if (deadline !== null && deadline <= now)
    return html`<span>Stripe’s time for it ran out while it waited (${instantCell(deadline)}): the invoice goes as it was then.</span>`;
  if (changes.length > 0)
    return html`<span>Since it was asked for: ${nameCell(changes.join('; '), 600)}. It must be asked for anew.</span>`;
  if (deadline !== null && deadline < request.expiresAt) return html`${deadlineInWords(deadline, now)}`;
  return null;
}

export function endedTable(now: Date): TableDefinition<SecondPersonRequest> {
  return {
    name: 'ended',
    caption: 'What became of others',
    empty: 'Nothing was asked for yet.',
    columns: [
      ...columnsOf<SecondPersonRequest>((request) => request, now),
      {
        name: 'state',
        title: 'What became of it',
        kind: 'text',
        cell: ({ state, endedBy, endedReason }) =>
          html`<span><span class="tag ${state === 'agreed' ? 'good' : ''}">${state}</span>${endedBy === null ? '' : html` <span class="muted">by ${nameCell(endedBy, 40)}${endedReason === null ? '' : html`: ${nameCell(endedReason, 80)}`}</span>`}</span>`,
        csv: ({ state }) => state,
        sortBy: ({ state }) => state,
      },
      {
        name: 'ended_at',
        title: 'Ended',
        kind: 'text',
        cell: ({ endedAt, expiresAt }) => instantCell(endedAt ?? expiresAt),
        csv: ({ endedAt }) => endedAt?.toISOString() ?? null,
      },
    ],
  };
}
