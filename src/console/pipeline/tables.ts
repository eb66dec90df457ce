import { html } from 'hono/html';
import { ageInWords, countCell, instantCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
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
    {
      name: 'hour',
      title: 'Hour',
      kind: 'text',
      isRowHeader: true,
      cell: ({ windowStart }) => instantCell(windowStart),
      csv: ({ windowStart }) => windowStart.toISOString(),
      sortBy: ({ windowStart }) => windowStart.getTime(),
    },
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
    count('ledger', 'Ledger', ({ ledgerTokenCount }) => ledgerTokenCount),
    count('outside', 'Outside', ({ outsideTokenCount }) => outsideTokenCount),
    count('difference', 'Difference', (drift) => drift.outsideTokenCount - drift.ledgerTokenCount),
    {
      name: 'first',
      title: 'First seen',
      kind: 'text',
      cell: ({ firstSeenAt }) => instantCell(firstSeenAt),
      csv: ({ firstSeenAt }) => firstSeenAt.toISOString(),
      sortBy: ({ firstSeenAt }) => firstSeenAt.getTime(),
    },
  ],
};

function count(name: string, title: string, read: (drift: OpenDrift) => bigint): Column<OpenDrift> {
  return {
    name,
    title,
    kind: 'number',
    cell: (drift) => countCell(read(drift)),
    csv: (drift) => String(read(drift)),
    sortBy: read,
  };
}

/** When each step last ran. */
export function stepTable(now: Date): TableDefinition<StepRun> {
  const ago = (instant: Date | null) =>
    instant === null
      ? html`<span class="muted">never</span>`
      : html`${ageInWords(now.getTime() - instant.getTime())} ago`;
  const numeric = (name: string, title: string, read: (run: StepRun) => bigint): Column<StepRun> => ({
    name,
    title,
    kind: 'number',
    cell: (run) => countCell(read(run)),
    csv: (run) => String(read(run)),
    sortBy: read,
  });
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
      numeric('runs', 'Runs', ({ runCount }) => runCount),
      numeric('failures', 'Failures', ({ failedCount }) => failedCount),
    ],
  };
}
