import { html } from 'hono/html';
import { ageInWords } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { countColumn, instantColumn } from '../../pages/table/made-columns.ts';
import { nameCell } from '../../pages/texts.ts';
import type { OpenDrift } from '../../reconciliation/open-drifts.ts';
import type { StepRun } from '../../status/step-runs.ts';
import { inWords } from './reason-words.ts';

/** Differences that nobody has explained, one by one. */
export const DRIFT_TABLE: TableDefinition<OpenDrift> = {
  name: 'drifts',
  caption: 'Differences',
  empty: 'The ledger, OpenMeter and Stripe agree on every hour that is settled.',
  sort: 'first',
  columns: [
    { ...instantColumn('hour', 'Hour', ({ windowStart }) => windowStart), isRowHeader: true },
    {
      name: 'boundary',
      title: 'With',
      kind: 'text',
      cell: ({ boundary }) => (boundary === 'stripe' ? 'Stripe' : 'OpenMeter'),
      csv: ({ boundary }) => boundary,
      sortBy: ({ boundary }) => boundary,
    },
    {
      name: 'class',
      title: 'What it is',
      kind: 'text',
      cell: ({ driftClass }) => inWords(driftClass),
      csv: ({ driftClass }) => driftClass,
      sortBy: ({ driftClass }) => driftClass,
    },
    {
      name: 'whose',
      title: 'User or customer',
      kind: 'text',
      cell: ({ whose }) => nameCell(whose),
      csv: ({ whose }) => whose,
      sortBy: ({ whose }) => whose,
    },
    {
      name: 'meter',
      title: 'Meter',
      kind: 'text',
      cell: ({ meter }) => nameCell(meter),
      csv: ({ meter }) => meter,
      sortBy: ({ meter }) => meter,
    },
    countColumn('ledger', 'Ledger', ({ ledgerTokenCount }) => ledgerTokenCount),
    countColumn('outside', 'Outside', ({ outsideTokenCount }) => outsideTokenCount),
    countColumn('difference', 'Difference', (drift) => drift.outsideTokenCount - drift.ledgerTokenCount),
    instantColumn('first', 'First seen', ({ firstSeenAt }) => firstSeenAt),
  ],
};

/** When each step last ran. */
export function stepTable(now: Date): TableDefinition<StepRun> {
  const ago = (instant: Date | null) =>
    instant === null
      ? html`<span class="muted">never</span>`
      : html`${ageInWords(now.getTime() - instant.getTime())} ago`;
  return {
    name: 'steps',
    caption: 'Runs of each step',
    pageSize: 100,
    empty: 'No step has run yet.',
    columns: [
      {
        name: 'step',
        title: 'Step',
        kind: 'text',
        isRowHeader: true,
        cell: ({ step }) => inWords(step).replaceAll('-', ' '),
        csv: ({ step }) => step,
        sortBy: ({ step }) => step,
      },
      {
        name: 'succeeded',
        title: 'Succeeded',
        kind: 'text',
        cell: ({ lastSucceededAt }) => ago(lastSucceededAt),
        csv: ({ lastSucceededAt }) => lastSucceededAt?.toISOString() ?? null,
        sortBy: ({ lastSucceededAt }) => lastSucceededAt?.getTime() ?? null,
      },
      {
        name: 'failed',
        title: 'Failed',
        kind: 'text',
        cell: ({ lastFailedAt, lastError }) =>
          html`${ago(lastFailedAt)} ${lastError === null ? '' : html`<span class="tag warn">${lastError}</span>`}`,
        csv: ({ lastFailedAt }) => lastFailedAt?.toISOString() ?? null,
        sortBy: ({ lastFailedAt }) => lastFailedAt?.getTime() ?? null,
      },
      countColumn('runs', 'Runs', ({ runCount }) => runCount),
      countColumn('failures', 'Failures', ({ failedCount }) => failedCount),
    ],
  };
}
