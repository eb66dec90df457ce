import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import { readTenantLoads, type TenantLoad } from '../../anomalies/noise/gather.ts';
import { type RepeatedPrompt, readRepeats } from '../../anomalies/repeats/gather.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { shareCell, unknownCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { countColumn } from '../../pages/table/made-columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { addMs, DAY_MS } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { FEATURES_PATH, recordHref } from '../features/address.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { dollars } from '../rollups/draw.ts';

/** What the days show beside findings, of the last days. */
export interface Beside {
  repeats: RepeatedPrompt[];
  loads: TenantLoad[];
}

const DAYS = 30;
/** From this share on, in thousandths, of a deployment's busiest minutes or of its quota, others may feel it. */
const NOISY_PERMILLE = 400;

export async function gatherBeside(snapshot: LedgerSnapshot, now: Date): Promise<Beside> {
  const end = new Date(Math.floor(now.getTime() / DAY_MS) * DAY_MS);
  const window = { start: addMs(end, -DAYS * DAY_MS), end };
  const loads = await readTenantLoads(snapshot, window);
  const shared = new Set(
    loads.filter(({ sharePermille }) => sharePermille < 1_000).map(({ deployment }) => deployment),
  );
  return {
    repeats: await readRepeats(snapshot, window),
    loads: loads.filter(
      (load) =>
        (shared.has(load.deployment) && load.shareOfBusiestPermille >= NOISY_PERMILLE) ||
        (load.shareOfQuotaPermille ?? 0) >= NOISY_PERMILLE,
    ),
  };
}

interface OfCustomer {
  customerId: string | null;
  customerName: string;
}

function customerColumn<Row extends OfCustomer>(view: ConsoleView): Column<Row> {
  return {
    name: 'customerId',
    title: 'Customer',
    kind: 'text',
    isRowHeader: true,
    cell: ({ customerId, customerName }) => {
      if (customerId === null) return html`<span class="muted">nobody’s</span>`;
      const name = nameCell(customerName, 40);
      if (!view.hasPage('/console/customers/:customerId')) return name;
      return html`<a href="/console/customers/${encodeURIComponent(customerId)}">${name}</a>`;
    },
    csv: ({ customerId }) => customerId,
    sortBy: ({ customerName }) => customerName,
  };
}

const text = <Row>(name: string, title: string, read: (row: Row) => string): Column<Row> => ({
  name,
  title,
  kind: 'text',
  cell: (row) => nameCell(read(row) || 'none', 40),
  csv: read,
  sortBy: read,
});

const share = <Row>(name: string, title: string, read: (row: Row) => number | null): Column<Row> => ({
  name,
  title,
  kind: 'number',
  cell: (row) => shareCell(read(row) === null ? null : Number(read(row)) / 1_000),
  csv: (row) => (read(row) === null ? null : (Number(read(row)) / 1_000).toFixed(3)),
  sortBy: read,
});

/** Leads to what it really saves, once it is there. */
const RECORD: Column<RepeatedPrompt> = {
  name: 'record',
  title: 'Once made',
  kind: 'text',
  cell: ({ subject, feature }) =>
    html`<a href="${recordHref({ kind: 'cache', feature, subject })}">Record it<span class="unseen">, a cache for ${subject} in ${feature}</span></a>`,
};

function repeatsTable(view: ConsoleView): TableDefinition<RepeatedPrompt> {
  return {
    name: 'repeats',
    caption: 'Sends the same prompt again and again',
    sort: '-saving',
    empty: `In the last ${DAYS} days nobody sent most prompts of a day in one size.`,
    pageSize: 20,
    columns: [
      customerColumn(view),
      text('subject', 'User', ({ subject }) => subject),
      text('feature', 'Feature', ({ feature }) => feature),
      text('model', 'Model', ({ model }) => model),
      countColumn('dayCount', 'Days', ({ dayCount }) => BigInt(dayCount)),
      countColumn('callCount', 'Calls', ({ callCount }) => callCount),
      countColumn('promptTokenCount', 'Of tokens', ({ promptTokenCount }) => promptTokenCount),
      countColumn('cacheHitCount', 'A cache answers', ({ cacheHitCount }) => cacheHitCount),
      {
        name: 'saving',
        title: 'And saves',
        kind: 'number',
        cell: ({ savingPicoUsd }) => (savingPicoUsd === null ? unknownCell() : dollars(savingPicoUsd)),
        csv: ({ savingPicoUsd }) => (savingPicoUsd === null ? null : formatPico(savingPicoUsd)),
        sortBy: ({ savingPicoUsd }) => savingPicoUsd,
      },
      ...(view.hasPage(FEATURES_PATH) && hasScope(view.caller, ['finance']) ? [RECORD] : []),
    ],
  };
}

function loadsTable(view: ConsoleView): TableDefinition<TenantLoad> {
  return {
    name: 'loads',
    caption: 'Takes much of a deployment',
    sort: '-shareOfBusiest',
    empty: `In the last ${DAYS} days nobody took much of a deployment that others use, or of its quota.`,
    pageSize: 20,
    columns: [
      customerColumn(view),
      text('deployment', 'Deployment', ({ deployment }) => deployment),
      countColumn('tokenCount', 'Tokens', ({ tokenCount }) => tokenCount),
      share('share', 'Of all tokens', ({ sharePermille }) => sharePermille),
      share('shareOfBusiest', 'Of busiest minutes', ({ shareOfBusiestPermille }) => shareOfBusiestPermille),
      countColumn(
        'busiestMinute',
        'Its own busiest',
        ({ busiestMinuteTokenCount }) => busiestMinuteTokenCount,
      ),
      share('shareOfQuota', 'Of the quota', ({ shareOfQuotaPermille }) => shareOfQuotaPermille),
    ],
  };
}

export function drawBeside({ repeats, loads }: Beside, view: ConsoleView): Html {
  return html`${dataTable(repeatsTable(view), repeats, view.address)}
<p class="muted">By equal sizes of prompts, whole days of the last ${DAYS}; whether their words are equal, too, nobody has looked at. The cache keeps an answer for five minutes, and its fragments are in <code>deploy/apim</code>.</p>
${dataTable(loadsTable(view), loads, view.address)}
<p class="muted">Quota: tokens a minute as capacity was bought. What was answered with 429 has no metric, and is in none of these figures.</p>`;
}

export function csvOfBeside({ repeats, loads }: Beside, view: ConsoleView) {
  return {
    repeats: () => csvOfTable(repeatsTable(view), repeats, view.address.query),
    loads: () => csvOfTable(loadsTable(view), loads, view.address.query),
  };
}
