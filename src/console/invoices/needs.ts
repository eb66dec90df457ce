import { html } from 'hono/html';
import { speakProduct } from '../../../pricing/usage/words.ts';
import { amountToCredit } from '../../billing/credits.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { inWords } from '../pipeline/reason-words.ts';
import type { InvoicesMaterial } from './gather.ts';
import { standingInWords } from './second-person/tables.ts';
import { actInWords, amountOf, requestPath } from './second-person/words.ts';
import { deadlineInWords, groupOf, heldBecause, minorInMoney, nameOf, tokensInWords } from './words.ts';

/** One thing that waits for a person: who, how much, since when, why, and what happens if nobody acts. */
export interface Need {
  kind: 'second person' | 'held' | 'other total' | 'taken back' | 'credit' | 'usage';
  /** What it is done to, as the audit log names it. */
  target: string;
  what: string;
  /** Where it is acted on. */
  href: string;
  /** Null: known by its id alone. */
  customerName: string | null;
  customerId: string;
  /** With its unit. */
  amount: string;
  since: Date;
  why: string[];
  otherwise: Html | string;
  deadline: Date | null;
}

const byDeadline = (need: Need) => need.deadline?.getTime() ?? Number.POSITIVE_INFINITY;

/** What waits, the earliest deadline first, then the oldest. */
export function needsOf({ open, proposed, undecided, asked }: InvoicesMaterial, now: Date): Need[] {
  const names = new Map(open.map(({ customerId, customerName }) => [customerId, customerName]));
  const ofInvoices = open
    .filter((row) => groupOf(row) === 'needs-you')
    .flatMap((row): Need[] => {
      const common = {
        what: nameOf(row),
        target: row.invoiceId,
        href: `/console/invoices/${encodeURIComponent(row.invoiceId)}`,
        customerName: row.customerName,
        customerId: row.customerId,
        amount: minorInMoney(row.totalMinor, row.currency),
        since: row.stateAt ?? row.periodEnd,
        deadline: null,
      };
      if (row.closeState === 'held') {
        const { deadline } = row;
        const otherwise =
          row.lastError === null && deadline !== null ? deadlineInWords(deadline, now) : 'It stays a draft.';
        return [{ ...common, kind: 'held', why: heldBecause(row), otherwise, deadline }];
      }
      if (row.undecidedTokenCount > 0n) {
        const why = [`It was taken back, with ${tokensInWords(row.undecidedTokenCount)} that were on it.`];
        return [{ ...common, kind: 'taken back', why, otherwise: 'Nobody is charged for them.' }];
      }
      if (!row.isMismatch) return [];
      const why = [row.lastError ?? ''];
      return [{ ...common, kind: 'other total', why, otherwise: 'The certificate and the invoice differ.' }];
    });
  const ofCredits = proposed.map(
    (credit): Need => ({
      kind: 'credit',
      target: `credit-${credit.creditProposalId}`,
      what: `credit ${credit.creditProposalId}`,
      href: `/console/invoices/credits?decide=${credit.creditProposalId}#decide`,
      customerName: names.get(credit.customerId) ?? null,
      customerId: credit.customerId,
      amount: minorInMoney(amountToCredit(credit), credit.currency),
      since: credit.proposedAt,
      why: [
        `${tokensInWords(credit.tokenCount)} of ${speakProduct(credit.productName)} were billed and not used.`,
      ],
      otherwise: 'Nothing is given back.',
      deadline: null,
    }),
  );
  const ofUsage = undecided.map(
    (group): Need => ({
      kind: 'usage',
      target: `uninvoiced-${group.uninvoicedId}`,
      what: `usage ${group.uninvoicedId}`,
      href: `/console/invoices/uninvoiced?decide=${group.uninvoicedId}#decide`,
      customerName: names.get(group.customerId) ?? null,
      customerId: group.customerId,
      amount: tokensInWords(group.tokenCount),
      since: group.foundAt,
      why: [`Delivered, and on no invoice: ${inWords(group.reason)}.`],
      otherwise: 'Nobody is charged for it.',
      deadline: null,
    }),
  );
  const ofOthers = asked.map(
    ({ request, deadline, ...standing }): Need => ({
      kind: 'second person',
      target: request.target,
      what: actInWords(request),
      href: requestPath(request),
      customerName: names.get(request.customerId) ?? null,
      customerId: request.customerId,
      amount: amountOf(request),
      since: request.askedAt,
      why: [`Asked for by ${request.askedBy}: ${request.reason}`],
      otherwise:
        standingInWords({ request, deadline, ...standing }, now) ??
        `It is dropped in ${ageInWords(request.expiresAt.getTime() - now.getTime())}.`,
      deadline,
    }),
  );
  const asksOthers = new Set(ofOthers.map(({ target }) => target));
  const ofOne = [...ofInvoices, ...ofCredits, ...ofUsage].filter(({ target }) => !asksOthers.has(target));
  return [...ofOthers, ...ofOne].sort(
    (one, other) => byDeadline(one) - byDeadline(other) || one.since.getTime() - other.since.getTime(),
  );
}

const KINDS: readonly Need['kind'][] = [
  'second person',
  'held',
  'other total',
  'taken back',
  'credit',
  'usage',
];

export function needsTable(now: Date): TableDefinition<Need> {
  return {
    name: 'needs',
    caption: 'Needs you',
    empty: 'Nothing waits for anybody.',
    filters: [
      {
        name: 'kind',
        title: 'What',
        options: KINDS.map((kind) => ({ value: kind, title: kind })),
        matches: (need, kind) => need.kind === kind,
      },
    ],
    columns: [
      {
        name: 'what',
        title: 'What',
        kind: 'text',
        isRowHeader: true,
        cell: ({ what, href, kind }) =>
          html`<a href="${href}">${nameCell(what, 40)}</a> <span class="tag ${kind === 'held' ? 'warn' : ''}">${kind}</span>`,
        csv: ({ what }) => what,
      },
      {
        name: 'customer',
        title: 'Customer',
        kind: 'text',
        cell: ({ customerName, customerId }) => nameCell(customerName ?? customerId, 40),
        csv: ({ customerId }) => customerId,
        sortBy: ({ customerName, customerId }) => customerName ?? customerId,
      },
      {
        name: 'amount',
        title: 'How much',
        kind: 'number',
        cell: ({ amount }) => amount,
        csv: ({ amount }) => amount,
      },
      {
        name: 'since',
        title: 'Since',
        kind: 'number',
        cell: ({ since }) => ageInWords(now.getTime() - since.getTime()),
        csv: ({ since }) => since.toISOString(),
        sortBy: ({ since }) => since.getTime(),
      },
      {
        name: 'why',
        title: 'Why',
        kind: 'text',
        cell: ({ why: [first = '', ...more] }) =>
          html`${nameCell(first, 200)}${more.length === 0 ? '' : html` <span class="muted">and ${more.length} more</span>`}`,
        csv: ({ why }) => why.join(' '),
      },
      {
        name: 'otherwise',
        title: 'If nobody acts',
        kind: 'text',
        cell: ({ otherwise }) => otherwise,
        sortBy: (need) => need.deadline?.getTime() ?? null,
      },
    ],
  };
}
