import { html } from 'hono/html';
import { hasScope } from '../../identity/require-scope.ts';
import type { TablePage } from '../../pages/table/columns.ts';
import { choosePage, csvCells, csvColumns, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { readPlanSubscribers } from '../../plans/subscribers.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { TallystickError, toTallystickError } from '../../platform/errors.ts';
import { SimulationRequestSchema } from '../../simulations/schemas.ts';
import {
  countSimulations,
  getSimulation,
  listSimulations,
  type StoredSimulation,
} from '../../simulations/simulations.ts';
import { startSimulation } from '../../simulations/start.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';
import { gatherOffered } from '../frame/offered.ts';
import { SIMULATIONS_PATH } from './address.ts';
import { RUN_ACT, type SimulationChoices, simulationForm } from './draw.ts';
import { EARLIER_NAME, earlierTable } from './earlier-table.ts';
import { fieldsOf, filledIn, readRequest, untilToday } from './fields.ts';
import { messageInWords } from './words.ts';

interface Material {
  fields: URLSearchParams;
  choices: SimulationChoices;
  page: TablePage<StoredSimulation>;
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const { query } = view.address;
  const offered = await gatherOffered(snapshot);
  const subscribers = await readPlanSubscribers(snapshot);
  const billed = offered.customers.flatMap(({ currency }) => (currency === null ? [] : [currency]));
  const definition = earlierTable(view.now);
  const { offset, pageSize, ...page } = choosePage(definition, query, await countSimulations(snapshot));
  const isOldestFirst = page.sort?.isDescending === false;
  return {
    fields: view.typed ?? (await gatherFields(snapshot, view)),
    choices: {
      ...offered,
      plansInUse: [...new Set(subscribers.map(({ planId }) => planId))],
      currencies: [...new Set(['usd', ...billed.sort()])],
    },
    page: {
      ...page,
      rows: await listSimulations(snapshot, { after: null, isOldestFirst, limit: pageSize, offset }),
    },
  };
}

/** What the form begins with: a stored scenario, or what the address says. */
async function gatherFields(snapshot: LedgerSnapshot, view: ConsoleView): Promise<URLSearchParams> {
  const { query } = view.address;
  const again = query.get('again');
  if (again === null) return filledIn(query, untilToday(view.period, view.now));
  const { request, window } = await getSimulation(snapshot, again);
  const index = /^[0-4]$/.test(query.get('scenario') ?? '') ? Number(query.get('scenario')) : 0;
  return fieldsOf(SimulationRequestSchema.parse(request), index, { ...view.period, window });
}

export const simulationsPage = definePage<Material>({
  path: SIMULATIONS_PATH,
  title: 'What would have been otherwise',
  scopes: ['sales', 'finance'],
  rail: { title: 'Simulations', key: 'u' },
  unaskedPeriod: 'last-month',
  gather,
  show: ({ fields, choices, page }, view) => ({
    body: html`<p class="lead">The real usage of a period, rated again under other prices, plans or models: what it would have cost us and brought, and who would gain or lose. Nothing changes by it.</p>
${
  hasScope(view.caller, ['finance'])
    ? simulationForm(fields, choices, view)
    : html`<p class="notice">To try something, sign in with a key that has the scope finance; what others tried is below.</p>`
}
${pagedTable(earlierTable(view.now), page, view.address)}`,
  }),
  wholeCsv: (view) => {
    const definition = earlierTable(view.now);
    const isOldestFirst = readTableQuery(definition, view.address.query).sort?.isDescending === false;
    const earlier: WholeCsv<StoredSimulation> = {
      columns: csvColumns(definition),
      read: (snapshot, after, limit) => listSimulations(snapshot, { after, isOldestFirst, limit }),
      toCells: (stored) => csvCells(definition, stored),
    };
    return { [EARLIER_NAME]: earlier };
  },
  acts: {
    [RUN_ACT]: {
      scopes: ['finance'],
      makes: true,
      run: async (form, view) => {
        try {
          const run = await startSimulation(view.dependencies, readRequest(form), view.caller.actor);
          const to = `${SIMULATIONS_PATH}/${run.simulationId}`;
          const work = run.finish(() => {});
          if (view.dependencies.goesOnAfterAnswer !== true) {
            await work;
            return { notice: 'Worked out, and kept under this address.', to };
          }
          // What becomes of it is stored, and its page tells.
          work.catch((error) => view.dependencies.log?.warn({ err: error }, 'a simulation failed'));
          return { notice: 'It is kept under this address.', to };
        } catch (error) {
          throw inWords(error);
        }
      },
    },
  },
});

/** What is wrong with what was asked, as the form calls it. */
function inWords(error: unknown): unknown {
  const known = toTallystickError(error);
  if (known.retry || known.code === 'INTERNAL') return error;
  const { code, retry, fix, context } = known;
  const message = messageInWords(known.message).replace(/^./, (first) => first.toUpperCase());
  return new TallystickError(message, { code, retry, context, ...(fix === undefined ? {} : { fix }) });
}
