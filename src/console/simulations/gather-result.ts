import { textOf } from '../../pages/address.ts';
import type { TablePage } from '../../pages/table/columns.ts';
import { choosePage } from '../../pages/table/page-of-rows.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import {
  type ChangeOrder,
  type ChangeQuery,
  countSimulatedChanges,
  listSimulatedChanges,
  MEASURES,
  type Measure,
  type SimulatedChange,
} from '../../simulations/changes.ts';
import type { SimulationBody } from '../../simulations/schemas.ts';
import { showSimulation } from '../../simulations/show.ts';
import { getSimulation } from '../../simulations/simulations.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { changesTable } from './result-tables.ts';

export interface ResultMaterial {
  simulation: SimulationBody;
  scenarioIndex: number;
  measure: Measure;
  /** Of the drawing; null: nobody pays. */
  currency: string | null;
  /** Who gain most, and who lose most, each the farthest first. */
  gaining: SimulatedChange[];
  losing: SimulatedChange[];
  counts: { all: number; up: number; down: number; unknown: number };
  page: TablePage<SimulatedChange>;
}

/** Drawn to either side. */
const DRAWN = 12;

export async function gatherResult(snapshot: LedgerSnapshot, view: ConsoleView): Promise<ResultMaterial> {
  const stored = await getSimulation(snapshot, view.params.simulationId ?? '');
  const simulation = showSimulation(stored, view.now);
  const query = changeQueryOf(view);
  const currency = query.currency ?? chiefCurrency(simulation);
  const drawn = { ...query, text: undefined, currency: currency ?? '' };
  const measure = askedMeasure(view) ?? (await tellingMeasure(snapshot, drawn));
  const farthest = async (direction: 'up' | 'down') =>
    await listSimulatedChanges(snapshot, drawn, {
      order: measure,
      isDescending: direction === 'up',
      direction,
      limit: DRAWN,
      offset: 0,
    });
  const { all } = await countSimulatedChanges(snapshot, query, measure);
  const definition = changesTable({ currencies: [], addressOf: () => null });
  const { offset, pageSize, ...page } = choosePage(definition, view.address.query, all);
  return {
    simulation,
    scenarioIndex: query.scenarioIndex,
    measure,
    currency,
    gaining: await farthest('up'),
    losing: await farthest('down'),
    counts: await countSimulatedChanges(snapshot, drawn, measure),
    page: {
      ...page,
      rows: await listSimulatedChanges(snapshot, query, {
        order: (page.sort?.column ?? 'margin') as ChangeOrder,
        isDescending: page.sort?.isDescending ?? true,
        limit: pageSize,
        offset,
      }),
    },
  };
}

/** Whose changes, and of which scenario, the address asks for. */
export function changeQueryOf({ address: { query }, params, currency }: ConsoleView): ChangeQuery {
  const asked = query.get('scenario') ?? '';
  return {
    simulationId: params.simulationId ?? '',
    scenarioIndex: /^[0-4]$/.test(asked) ? Number(asked) : 0,
    currency: currency ?? undefined,
    text: textOf(query, 'customer'),
  };
}

function askedMeasure({ address: { query } }: ConsoleView): Measure | undefined {
  return MEASURES.find((measure) => measure === query.get('by'));
}

/** The first by which something moves: of a swap to a model without rates, costs alone are known. */
async function tellingMeasure(snapshot: LedgerSnapshot, query: ChangeQuery): Promise<Measure> {
  for (const measure of MEASURES) {
    const { up, down } = await countSimulatedChanges(snapshot, query, measure);
    if (up + down > 0) return measure;
  }
  return MEASURES[0];
}

/** The one that most customers are billed in. */
function chiefCurrency({ result }: SimulationBody): string | null {
  const [first] = (result?.totals ?? [])
    .filter(({ currency }) => currency !== null)
    .toSorted((one, other) => other.customerCount - one.customerCount);
  return first?.currency ?? null;
}
