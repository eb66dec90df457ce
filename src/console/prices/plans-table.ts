import { html } from 'hono/html';
import { globalMarkupAt, type Plan, planVersionAt } from '../../../pricing/plans/plan.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { decimalOrder } from '../../pages/table/decimal-order.ts';
import { countColumn } from '../../pages/table/made-columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { moneyInWords, twoDecimals } from '../../pages/words.ts';
import { planAddress } from './address.ts';
import { dayCell } from './words.ts';

export interface PlanRow {
  plan: Plan;
  customerCount: number;
}

export function plansTable(now: Date): TableDefinition<PlanRow> {
  const inForce = ({ plan }: PlanRow) => planVersionAt(plan, now);
  const next = ({ plan }: PlanRow) =>
    plan.versions.find(({ effectiveFrom }) => Date.parse(effectiveFrom) > now.getTime()) ?? null;
  return {
    name: 'plans',
    caption: 'Plans',
    sort: '-customers',
    empty: html`No plan is stored yet; <code>POST /v1/plans</code> records one.`,
    columns: [
      {
        name: 'plan',
        title: 'Plan',
        kind: 'text',
        isRowHeader: true,
        cell: ({ plan }) =>
          html`<span><a href="${planAddress(plan.planId)}">${nameCell(plan.name)}</a> <span class="muted">${plan.name === plan.planId ? '' : plan.planId}</span></span>`,
        csv: ({ plan }) => plan.planId,
        sortBy: ({ plan }) => plan.planId,
      },
      {
        name: 'currency',
        title: 'Currency',
        kind: 'text',
        cell: ({ plan }) => plan.currency.toUpperCase(),
        csv: ({ plan }) => plan.currency,
        sortBy: ({ plan }) => plan.currency,
      },
      {
        name: 'version',
        title: 'In force since',
        kind: 'text',
        cell: (row) => dayCell(inForce(row)?.effectiveFrom ?? null),
        csv: (row) => inForce(row)?.versionId ?? null,
        sortBy: (row) => inForce(row)?.effectiveFrom ?? null,
      },
      {
        name: 'next',
        title: 'Next from',
        kind: 'text',
        cell: (row) => dayCell(next(row)?.effectiveFrom ?? null),
        csv: (row) => next(row)?.versionId ?? null,
        sortBy: (row) => next(row)?.effectiveFrom ?? null,
      },
      {
        name: 'minimum',
        title: 'Minimum a month',
        kind: 'number',
        cell: (row) => {
          const minimum = inForce(row)?.minimum ?? null;
          return minimum === null
            ? html`<span class="muted">none</span>`
            : moneyInWords(twoDecimals(minimum), row.plan.currency);
        },
        csv: (row) => inForce(row)?.minimum ?? null,
        sortBy: (row) => decimalOrder(inForce(row)?.minimum),
      },
      {
        name: 'markup',
        title: 'Markup',
        kind: 'number',
        cell: (row) => {
          const own = inForce(row)?.markupPercent ?? null;
          const house = globalMarkupAt(row.plan, now);
          if (own !== null) return `${own} %`;
          const isMarkedUp = inForce(row)?.rates.some(({ price }) => price.kind === 'markup') === true;
          return isMarkedUp && house !== null
            ? html`<span>${house} % of the house</span>`
            : html`<span class="muted">–</span>`;
        },
        csv: (row) => inForce(row)?.markupPercent ?? null,
        sortBy: (row) => decimalOrder(inForce(row)?.markupPercent),
      },
      countColumn('customers', 'Customers on it', ({ customerCount }) => BigInt(customerCount)),
    ],
  };
}
