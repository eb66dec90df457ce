import { html } from 'hono/html';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { actorInWords, nameCell } from '../../pages/texts.ts';
import { dayShort } from '../../pages/words.ts';
import { DAY_MS } from '../../platform/clock.ts';
import type { SimulationRequest } from '../../simulations/schemas.ts';
import { showSimulationHead } from '../../simulations/show.ts';
import type { StoredSimulation } from '../../simulations/simulations.ts';
import { SIMULATIONS_PATH } from './address.ts';

export const EARLIER_NAME = 'simulations';

export function earlierTable(now: Date): TableDefinition<StoredSimulation> {
  const statusOf = (stored: StoredSimulation) => showSimulationHead(stored, now).status;
  return {
    name: EARLIER_NAME,
    caption: 'Worked out before',
    sort: '-created',
    empty: 'Nothing has been tried yet.',
    columns: [
      {
        name: 'scenarios',
        title: 'What would be otherwise',
        kind: 'text',
        isRowHeader: true,
        cell: (stored) =>
          html`<a href="${SIMULATIONS_PATH}/${stored.simulationId}">${nameCell(namesOf(stored).join(' | '), 120)}</a>`,
        csv: (stored) => namesOf(stored).join(' | '),
      },
      {
        name: 'from',
        title: 'Over',
        kind: 'text',
        cell: ({ window }) =>
          html`<span class="short">${dayShort(window.start)} to ${dayShort(new Date(window.end.getTime() - DAY_MS))} ${window.start.getUTCFullYear()}</span>`,
        csv: ({ window }) => window.start.toISOString(),
      },
      {
        name: 'status',
        title: 'State',
        kind: 'text',
        cell: (stored) => {
          const status = statusOf(stored);
          return status === 'done'
            ? 'done'
            : html`<span class="tag ${status === 'failed' ? 'danger' : ''}">${status}</span>`;
        },
        csv: statusOf,
      },
      instantColumn('created', 'Made', ({ createdAt }) => createdAt),
      {
        name: 'by',
        title: 'By',
        kind: 'text',
        cell: ({ createdBy }) => nameCell(actorInWords(createdBy)),
        csv: ({ createdBy }) => createdBy,
      },
      {
        name: 'id',
        title: 'Again',
        kind: 'text',
        cell: ({ simulationId }) =>
          html`<a href="${SIMULATIONS_PATH}?again=${simulationId}" aria-label="Start from this: ${simulationId}">Start from this</a>`,
        csv: ({ simulationId }) => simulationId,
      },
    ],
  };
}

function namesOf({ request }: StoredSimulation): string[] {
  return ((request as Partial<SimulationRequest>).scenarios ?? []).map(({ name }) => name);
}
