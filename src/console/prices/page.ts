import { html } from 'hono/html';
import { findPrice, STANDARD_REQUEST, standInOf } from '../../../pricing/prices/lookup.ts';
import type { PriceBook } from '../../../pricing/prices/price-book.ts';
import type { DeploymentType } from '../../../pricing/prices/rows.ts';
import { hasScope } from '../../identity/require-scope.ts';
import { hiddenFields } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import { readPlans } from '../../plans/plans.ts';
import { readPlanSubscribers } from '../../plans/subscribers.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readPriceBook } from '../../prices/book.ts';
import { type PriceInForce, pricesInForce } from '../../prices/in-force.ts';
import { listPriceSyncItems, type PriceSyncItem } from '../../prices/sync/items.ts';
import { type PriceSyncRun, readPriceSyncRuns } from '../../prices/sync/runs.ts';
import { type ConsoleView, definePage, type PageContent } from '../frame/define-page.ts';
import { PRICE_ACTS } from './acts.ts';
import { HISTORY_PATH, PRICES_PATH } from './address.ts';
import { BOOK_NAME, bookTable } from './book-table.ts';
import { type PlanRow, plansTable } from './plans-table.ts';
import { WAITING_NAME, waitingCsv, waitingTable } from './waiting-table.ts';
import { typeInWords } from './words.ts';

/** Listed at once; the CSV has more. */
const LISTED = 200;

interface Material {
  book: PriceBook;
  at: Date;
  prices: PriceInForce[];
  plans: PlanRow[];
  /** Null: the reader may not see it. */
  sync: { items: PriceSyncItem[]; lastRun: PriceSyncRun | null } | null;
}

const maySeeSync = ({ caller }: ConsoleView) => hasScope(caller, ['finance']);

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const at = askedDay(view) ?? view.now;
  const book = await readPriceBook(snapshot);
  const plans = await readPlans(snapshot);
  const onPlan = Map.groupBy(await readPlanSubscribers(snapshot), ({ planId }) => planId);
  return {
    book,
    at,
    prices: pricesInForce(book, at),
    plans: plans.map((plan) => ({
      plan,
      customerCount: new Set((onPlan.get(plan.planId) ?? []).map(({ customerId }) => customerId)).size,
    })),
    sync: maySeeSync(view)
      ? {
          items: await listPriceSyncItems(snapshot, { status: 'pending', limit: LISTED + 1 }),
          lastRun: (await readPriceSyncRuns(snapshot, 1))[0] ?? null,
        }
      : null,
  };
}

/** The day that the address asks for, from its first instant on; what makes no sense is now. */
function askedDay({ address: { query } }: ConsoleView): Date | null {
  const text = query.get('at') ?? '';
  const day = new Date(`${text}T00:00:00Z`);
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(day.getTime());
  return isDay && day.toISOString().startsWith(text) ? day : null;
}

function show(material: Material, view: ConsoleView): PageContent {
  const { book, at, prices, plans, sync } = material;
  const definition = bookTable(book.data.sources);
  const plansDefinition = plansTable(view.now);
  return {
    body: html`<p class="lead">${answer(material, view)}</p>
${sync === null ? '' : waiting(sync, view)}
${dataTable(plansDefinition, plans, view.address)}
<p class="muted">A plan’s page has its rates in words, and what a version of it would change for its customers.</p>
<h2 id="book">The price book</h2>
${dayForm(at, view)}
<p class="muted">Version ${book.version}, in ${book.currency.toUpperCase()}. Rows are never edited: a correction is a new row. <a href="${HISTORY_PATH}">History of a price</a></p>
${dataTable(definition, prices, view.address)}
${sources(book)}
${standIns(book, at)}`,
    csv: {
      [BOOK_NAME]: () => csvOfTable(definition, prices, view.address.query),
      plans: () => csvOfTable(plansDefinition, plans, view.address.query),
    },
  };
}

function answer({ prices, at, sync, plans }: Material, view: ConsoleView): Html {
  const when = askedDay(view) === null ? html`now` : html`on ${at.toISOString().slice(0, 10)}`;
  const waits = sync?.items.length ?? 0;
  const many = waits > LISTED ? `more than ${LISTED}` : String(waits);
  const tail =
    waits === 0 ? '' : html` ${many} listed ${waits === 1 ? 'price waits' : 'prices wait'} for somebody.`;
  return html`${groupDigits(String(prices.length))} prices of Azure’s are in force ${when}, and ${plans.length} ${plans.length === 1 ? 'plan says' : 'plans say'} what we charge.${tail}`;
}

function waiting({ items, lastRun }: NonNullable<Material['sync']>, view: ConsoleView): Html {
  const mayAct = hasScope(view.caller, []);
  const looked =
    lastRun === null
      ? html`Azure’s price list has not been held against the book yet.`
      : html`Last held against the list: ${lastRun.status}${lastRun.finishedAt === null ? '' : html`, ${instantCell(lastRun.finishedAt)}`}${lastRun.lastError === null ? '' : html` <span class="tag danger">${lastRun.lastError}</span>`}.`;
  return html`<h2 id="waiting-head">Waiting changes</h2>
<p class="muted">${looked}${mayAct || items.length === 0 ? '' : ' Whoever decides needs a key with the scope admin.'}</p>
${items.length > LISTED ? html`<p class="notice warn">More than the ${LISTED} that are listed here wait; the CSV has all.</p>` : ''}
${dataTable(waitingTable(view, mayAct), items.slice(0, LISTED), view.address)}`;
}

function dayForm(at: Date, { address }: ConsoleView): Html {
  const kept = [...address.query].filter(([name]) => name !== 'at' && name !== 'csv');
  return html`<form class="filters" method="get" action="${PRICES_PATH}">${hiddenFields(kept)}<label><span>As of</span><input type="date" name="at" value="${at.toISOString().slice(0, 10)}"></label><button class="quiet">Show</button> <a href="${PRICES_PATH}">now</a></form>`;
}

function sources({ data }: PriceBook): Html {
  return html`<details class="panel"><summary>Sources</summary><p>“Confirmed” is a price that a second source says, too.</p><dl class="facts">${Object.entries(data.sources).map(([key, { title, asOf, note }]) => html`<dt>${key}</dt><dd>${nameCell(title, 200)}, as of ${asOf}${note === '' ? '' : html`. ${nameCell(note, 300)}`}</dd>`)}</dl></details>`;
}

const STAND_IN_TYPES: readonly DeploymentType[] = ['data_zone', 'regional', 'batch', 'developer'];

/** Which models have no price of their own for a type of deployment, and are priced as global there. */
function standIns(book: PriceBook, at: Date): Html | string {
  const lines = STAND_IN_TYPES.flatMap((deploymentType) => {
    const models = book.models.filter((model) => {
      const found = findPrice(book, { ...STANDARD_REQUEST, model, deploymentType, at }, 'prompt');
      return found.found && standInOf(found.notes) !== null;
    });
    return models.length === 0 ? [] : [{ deploymentType, models }];
  });
  if (lines.length === 0) return '';
  return html`<details class="panel"><summary>Priced as global for want of a price of their own</summary>
<p>Usage there costs what it would on a global deployment, and every cost, quote and plan that rests on it says so. A deployment whose type nobody has said counts as global, too.</p>
<dl class="facts">${lines.map(({ deploymentType, models }) => html`<dt>${typeInWords(deploymentType)}</dt><dd>${models.join(', ')}</dd>`)}</dl></details>`;
}

export const pricesPage = definePage<Material>({
  path: PRICES_PATH,
  title: 'Prices and plans',
  scopes: ['sales', 'finance'],
  rail: { title: 'Prices and plans', key: 'r' },
  gather,
  show,
  wholeCsv: (view) => (maySeeSync(view) ? { [WAITING_NAME]: waitingCsv() } : {}),
  acts: PRICE_ACTS,
});
