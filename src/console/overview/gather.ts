import { type ListedAlert, listAlerts } from '../../alerts/list.ts';
import { type Finding, listFindings } from '../../anomalies/findings.ts';
import { listSecondPersonRequests, type SecondPersonRequest } from '../../billing/second-person/requests.ts';
import { listBudgets } from '../../budgets/budgets.ts';
import { readStandings, type StandingBudget } from '../../budgets/standings.ts';
import { type CloseRow, listCloses } from '../../closing/desk.ts';
import { readUnknownCosts, type UnknownModelCost } from '../../costs/queries.ts';
import { type CostRow, readMovers } from '../../costs/rollups/cost-rows.ts';
import { type CostSeries, readCostSeries } from '../../costs/rollups/cost-series.ts';
import { readRollupScope } from '../../costs/rollups/scope.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { alarmAfterMsOf } from '../../platform/http/dependencies.ts';
import { type CostProjection, readCostProjection } from '../../previews/cost-projection.ts';
import { listPriceSyncItems, type PriceSyncItem } from '../../prices/sync/items.ts';
import { isAlarming, type QuarantineSummary, readQuarantineSummary } from '../../quarantine/entries.ts';
import { listOpenDrifts, type OpenDrift } from '../../reconciliation/open-drifts.ts';
import { isUsedUp } from '../budgets/words.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { lastDays } from '../rollups/decide.ts';
import { gatherBasis, type RollupBasis, readNames } from '../rollups/gather.ts';

/** What is drawn, whatever the chosen period: a trend needs more than a month's first days. */
const DRAWN_DAYS = 60;
const DRAWN_CUSTOMERS = 10;
const MOVERS = 5;
/** More than a person takes in; beyond it the count says that there are more. */
export const MOST_LISTED = 20;
const MOST_DRIFTS = 1_000;

/** What people of finance look after. */
export interface Desk {
  held: CloseRow[];
  /** Acts that wait for a second person. */
  asked: SecondPersonRequest[];
  /** Usage that stands out, and of which nobody said anything yet. */
  findings: Finding[];
  /** Budgets of which all is used, or that of a user. */
  usedUp: StandingBudget[];
  /** Alerts that could not be sent, and of which nobody said anything yet. */
  givenUp: ListedAlert[];
  drifts: OpenDrift[];
  waiting: QuarantineSummary[];
  /** Of what waits, what waits for too long. */
  alarming: QuarantineSummary[];
  unpriced: UnknownModelCost[];
  /** Prices that Azure lists, and that nobody has taken into the book or refused. */
  prices: PriceSyncItem[];
}

export interface OverviewMaterial {
  basis: RollupBasis;
  drawn: TimeWindow;
  series: CostSeries[];
  risen: CostRow[];
  fallen: CostRow[];
  names: Map<string, string>;
  /** How the period ends; null: it is over. */
  end: CostProjection | null;
  /** Null: it is not the reader's. */
  desk: Desk | null;
}

export async function gatherOverview(snapshot: LedgerSnapshot, view: ConsoleView): Promise<OverviewMaterial> {
  const { period, now, caller } = view;
  const basis = await gatherBasis(snapshot, view);
  const drawn = lastDays(period.window, now, DRAWN_DAYS);
  const scope = await readRollupScope(snapshot, { window: drawn, filter: {}, now });
  const series = await readCostSeries(snapshot, { ...scope, by: 'customer', top: DRAWN_CUSTOMERS });
  // Where the cost changed most: a customer's feature on a model.
  const { before } = basis.comparison;
  const moved = { ...basis.scope, groupBy: ['customer', 'feature', 'model'] as const, before };
  const { risen, fallen } =
    before === null ? { risen: [], fallen: [] } : await readMovers(snapshot, moved, MOVERS);
  const names = await readNames(snapshot, [
    ...series.map(({ value }) => value),
    ...[...risen, ...fallen].map(({ dimensions }) => dimensions.customer),
  ]);
  const desk = hasScope(caller, ['finance']) ? await gatherDesk(snapshot, view) : null;
  const isRunning = period.window.end > now && period.window.start <= now;
  const end = isRunning ? await readCostProjection(snapshot, period.window, now) : null;
  return { basis, drawn, series, risen, fallen, names, end, desk };
}

async function gatherDesk(snapshot: LedgerSnapshot, { now, dependencies }: ConsoleView): Promise<Desk> {
  const waiting = await readQuarantineSummary(snapshot);
  const alarmAfterMs = alarmAfterMsOf(dependencies);
  return {
    asked: await listSecondPersonRequests(
      snapshot,
      { states: ['waiting'], now },
      { afterId: 0n, limit: MOST_LISTED },
    ),
    held: await listCloses(snapshot, { state: 'held' }, { after: null, limit: MOST_LISTED + 1 }),
    findings: await listFindings(
      snapshot,
      { standings: ['needs_you'] },
      { beforeId: null, limit: MOST_LISTED + 1, now, byStake: true },
    ),
    usedUp: (await readStandings(snapshot, await listBudgets(snapshot), now)).filter(isUsedUp),
    givenUp: await listAlerts(
      snapshot,
      { state: 'given_up', isUnseen: true },
      { beforeId: null, limit: MOST_LISTED + 1 },
    ),
    drifts: await listOpenDrifts(snapshot, MOST_DRIFTS),
    waiting,
    alarming: waiting.filter((summary) => isAlarming(summary, now, alarmAfterMs)),
    unpriced: await readUnknownCosts(snapshot),
    prices: await listPriceSyncItems(snapshot, { status: 'pending', limit: MOST_LISTED + 1 }),
  };
}
