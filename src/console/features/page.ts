import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import { listChanges, type RecordedChange } from '../../anomalies/changes/store.ts';
import { type FeatureUserCosts, readFeatureUserCosts } from '../../costs/margin-queries.ts';
import { type CostSeries, readCostSeries } from '../../costs/rollups/cost-series.ts';
import type { RollupRow } from '../../costs/rollups/query.ts';
import { knownCostOf } from '../../costs/rollups/show.ts';
import { type FoundSwaps, readSwaps } from '../../costs/swaps/gather.ts';
import type { Html } from '../../pages/html.ts';
import { unknownCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import {
  ACTIVE_USERS,
  COST,
  COST_CHANGE,
  dollarCell,
  MARGIN,
  REQUESTS,
  REVENUE,
  TOKENS,
  UNPRICED,
  unitCost,
} from '../rollups/columns.ts';
import { dearestFirst, NEGLIGIBLE, unpricedShare } from '../rollups/decide.ts';
import { costChart, costsMost, headline, lacking } from '../rollups/draw.ts';
import { gatherAll, gatherBasis, type RollupBasis } from '../rollups/gather.ts';
import {
  dearestSeries,
  drawnWindowOf,
  trendColumn,
  trendsOf,
  trendWindowOf,
  type WithTrend,
} from '../rollups/trends.ts';
import { usageNameCell } from '../usage/name-cell.ts';
import { FEATURES_PATH } from './address.ts';
import { csvOfChanges, drawChanges } from './changes.ts';
import { timesNeighbours } from './neighbours.ts';
import { RECORD_ACT, recordForm } from './record-change.ts';
import { drawSwaps, swapsExport } from './swaps.ts';

const DRAWN_FEATURES = 10;

/** A feature, beside what the others cost a request. */
interface FeatureRow extends RollupRow, WithTrend {
  value: string;
  /** How many times what the middle one of the others costs a request; null: there is nothing to compare. */
  times: number | null;
  /** What its active users cost; undefined: it had none. */
  users: FeatureUserCosts | undefined;
}

interface Material {
  basis: RollupBasis;
  series: CostSeries[];
  rows: FeatureRow[];
  swaps: FoundSwaps;
  changes: RecordedChange[];
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const basis = await gatherBasis(snapshot, view);
  const { scope } = basis;
  const { before } = basis.comparison;
  const drawn = { ...scope, window: drawnWindowOf(view), by: 'feature', top: null } as const;
  const days = await readCostSeries(snapshot, drawn);
  const trendOf = trendsOf(days, trendWindowOf(view));
  // Who was active is counted with what each user costs, below: once.
  const asked = { ...scope, groupBy: ['feature'], before, withDays: false, withUsers: false } as const;
  const rows = await gatherAll(snapshot, asked);
  const costs = rows.map((row) => ({
    // What nobody knows the cost of is compared with nothing.
    picoUsd: unpricedShare(row) > NEGLIGIBLE ? 0n : knownCostOf(row),
    requestCount: row.requestCount,
  }));
  const { window } = view.period;
  const usersOf = new Map(
    (await readFeatureUserCosts(snapshot, window)).map((users) => [users.feature, users]),
  );
  return {
    basis,
    series: dearestSeries(days, window, DRAWN_FEATURES),
    rows: rows.map((row, index) => {
      const { feature: value = '' } = row.dimensions;
      const users = usersOf.get(value);
      const activeUserCount = users?.activeUserCount ?? 0n;
      const times = timesNeighbours(costs, index);
      return { ...row, activeUserCount, value, trend: trendOf.get(value), times, users };
    }),
    swaps: await readSwaps(snapshot, window, view.now),
    changes: await listChanges(snapshot, view.now),
  };
}

function featuresTable(view: ConsoleView): TableDefinition<FeatureRow> {
  return {
    name: 'features',
    caption: 'Features',
    sort: '-cost',
    filters: [
      {
        name: 'feature',
        title: 'Name',
        matches: ({ value }, text) => value.toLowerCase().includes(text.toLowerCase()),
      },
    ],
    empty: 'Nothing was used in this period.',
    columns: [
      {
        name: 'feature',
        title: 'Feature',
        kind: 'text',
        isRowHeader: true,
        cell: ({ value }) => usageNameCell(view, 'feature', value),
        csv: ({ value }) => value,
        sortBy: ({ value }) => value,
      },
      COST,
      COST_CHANGE,
      trendColumn(trendWindowOf(view)),
      REQUESTS,
      unitCost('costPerRequest', 'a request', ({ requestCount }) => requestCount, { digits: 4 }),
      {
        name: 'times',
        title: '× neighbours',
        kind: 'number',
        cell: ({ times }) => timesCell(times),
        csv: ({ times }) => times?.toFixed(2) ?? null,
        sortBy: ({ times }) => times,
      },
      { ...ACTIVE_USERS, cell: (row) => html`${ACTIVE_USERS.cell(row)}${unknownUsers(row)}` },
      unitCost('costPerActiveUser', 'a user', ({ activeUserCount }) => activeUserCount, { digits: 2 }),
      userCost('costP50', 'p50', ({ p50PicoUsd }) => p50PicoUsd),
      userCost('costP90', 'p90', ({ p90PicoUsd }) => p90PicoUsd),
      MARGIN,
    ],
  };
}

/** What so many of a feature's active users cost at most, of those whose cost is known. */
function userCost(
  name: string,
  title: string,
  readCost: (users: FeatureUserCosts) => bigint | null,
): Column<FeatureRow> {
  const read = ({ users }: FeatureRow) => (users === undefined ? null : readCost(users));
  return {
    name,
    title,
    kind: 'number',
    cell: (row) => {
      const cost = read(row);
      if (cost !== null) return centsOf(cost);
      return row.users === undefined ? html`<span class="muted">–</span>` : unknownCell();
    },
    csv: (row) => {
      const cost = read(row);
      return cost === null ? null : formatPico(cost);
    },
    sortBy: read,
  };
}

/** What is less than a cent does not read as nothing. */
const centsOf = (picoUsd: bigint) =>
  picoUsd > 0n && picoUsd < 5_000_000_000n ? '< $0.01' : dollarCell(picoUsd);

/** Of how many of its users the cost is unknown: p50 and p90 are without them. */
function unknownUsers({ users }: FeatureRow): Html | string {
  if (users === undefined || users.unknownUserCount === 0n) return '';
  return html` <small class="unknown">${users.unknownUserCount} unknown</small>`;
}

/** What is several times its neighbours stands out. */
const OUTSTANDING = 3;

function timesCell(times: number | null): Html | string {
  if (times === null) return html`<span class="muted">–</span>`;
  const text = `${times.toFixed(1)} ×`;
  return times >= OUTSTANDING ? html`<span class="tag warn">${text}</span>` : text;
}

function show({ basis, series, rows, swaps, changes }: Material, view: ConsoleView) {
  const { window } = view.period;
  const definition = featuresTable(view);
  const nameOf = (feature: string) => feature || 'no feature';
  const exported = swapsExport(swaps, view);
  return {
    body: html`<p class="lead">${answer(rows, basis)}</p>
${headline(basis)}
${lacking(basis)}
${costChart(series, { window, now: view.now, title: 'Cost by day and feature', nameOf })}
${dataTable(definition, rows, view.address)}
<p class="muted">× neighbours: the cost of a request against the middle one of the other features. Active users are counted once in each feature, so that they do not add up. p50 and p90: half, and nine in ten, of its active users whose cost is known cost at most this in ${view.period.words}.</p>
${drawSwaps(swaps, view)}
${drawChanges(changes, view)}
${recordForm({ features: rows.flatMap(({ value }) => value || []), models: [...swaps.usedModels] }, view)}`,
    csv: {
      features: () =>
        csvOfTable(
          { ...definition, columns: [...definition.columns, REVENUE, TOKENS, UNPRICED] },
          rows,
          view.address.query,
        ),
      swaps: () => csvOfTable(exported.definition, exported.rows, view.address.query),
      changes: () => csvOfChanges(changes, view),
    },
  };
}

/** The feature that stands out, or the one that costs the most. */
function answer(rows: readonly FeatureRow[], basis: RollupBasis): Html {
  const [dearest] = dearestFirst(rows.filter(({ times }) => times !== null && times >= OUTSTANDING));
  if (dearest?.times) {
    return html`A request of ${nameCell(dearest.value)} costs ${dearest.times.toFixed(1)} times what its neighbours’ do.`;
  }
  return costsMost(rows, basis, ({ value }) => value || 'Usage without a feature');
}

export const featuresPage = definePage<Material>({
  path: FEATURES_PATH,
  title: 'What features cost',
  scopes: ['sales', 'finance'],
  rail: { title: 'Features', key: 'f' },
  choices: ['period'],
  gather,
  show,
  acts: { record: RECORD_ACT },
});
