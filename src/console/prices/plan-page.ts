import { html } from 'hono/html';
import { type Plan, type PlanVersion, planVersionAt } from '../../../pricing/plans/plan.ts';
import { planRatesAt } from '../../../pricing/plans/rates.ts';
import { hasScope } from '../../identity/require-scope.ts';
import { optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { dayInWords, moneyInWords, tokenTypeInWords, twoDecimals } from '../../pages/words.ts';
import { readPlan } from '../../plans/plans.ts';
import { type PlanDetailBody, showPlan } from '../../plans/schemas.ts';
import { type PlanSubscriber, readPlanSubscribers } from '../../plans/subscribers.ts';
import { DAY_MS } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readPriceBook } from '../../prices/book.ts';
import { type ConsoleView, definePage, type PageContent } from '../frame/define-page.ts';
import { SIMULATIONS_PATH } from '../simulations/address.ts';
import { RUN_ACT } from '../simulations/draw.ts';
import { PRICES_PATH, planAddress } from './address.ts';
import { dayOf, noteInWords, rateInWords } from './words.ts';

interface Material {
  plan: Plan;
  shown: PlanDetailBody;
  subscribers: PlanSubscriber[];
}

type Rate = PlanDetailBody['rates'][number];

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const plan = await readPlan(snapshot, view.params.planId ?? '');
  const book = await readPriceBook(snapshot);
  const at = instantOf(versionOf(plan, view), plan, view.now);
  return {
    plan,
    shown: showPlan(plan, planRatesAt(plan, at, book), at, view.now, book.version),
    subscribers: await readPlanSubscribers(snapshot, plan.planId),
  };
}

/** The version that the address asks for, else the one in force, else the first to come. */
function versionOf(plan: Plan, { address: { query }, now }: ConsoleView): PlanVersion | null {
  return (
    plan.versions.find(({ versionId }) => versionId === query.get('version')) ??
    planVersionAt(plan, now) ??
    plan.versions[0] ??
    null
  );
}

/** Now, where the version is in force; else when it begins. */
function instantOf(version: PlanVersion | null, plan: Plan, now: Date): Date {
  return version === null || planVersionAt(plan, now) === version ? now : new Date(version.effectiveFrom);
}

function ratesTable(shown: PlanDetailBody): TableDefinition<Rate> {
  return {
    name: 'rates',
    caption: 'Rates',
    empty: 'This version has no rate.',
    pageSize: 100,
    filters: [
      {
        name: 'model',
        title: 'Model',
        matches: ({ model }, text) => model.toLowerCase().includes(text.toLowerCase()),
      },
    ],
    columns: [
      {
        name: 'model',
        title: 'Model',
        kind: 'text',
        isRowHeader: true,
        cell: ({ model }) => (model === '*' ? 'any model' : nameCell(model)),
        csv: ({ model }) => model,
        sortBy: ({ model }) => model,
      },
      {
        name: 'feature',
        title: 'Feature',
        kind: 'text',
        cell: ({ feature }) => (feature === '*' ? html`<span class="muted">any</span>` : nameCell(feature)),
        csv: ({ feature }) => feature,
        sortBy: ({ feature }) => feature,
      },
      {
        name: 'tokenType',
        title: 'Tokens',
        kind: 'text',
        cell: ({ tokenType }) => tokenTypeInWords(tokenType),
        csv: ({ tokenType }) => tokenType,
        sortBy: ({ tokenType }) => tokenType,
      },
      {
        name: 'price',
        title: 'What they pay',
        kind: 'text',
        cell: (rate) =>
          html`<span>${rateInWords(rate, shown.currency)}${rate.standIn === null ? '' : html`<br><span class="muted">${noteInWords(rate.standIn)}</span>`}</span>`,
        csv: (rate) => rateInWords(rate, shown.currency),
      },
    ],
  };
}

function show(material: Material, view: ConsoleView): PageContent {
  const { shown } = material;
  const definition = ratesTable(shown);
  return {
    title: shown.name,
    body: html`<p class="lead">${answer(material, view)} <a href="${PRICES_PATH}">All plans</a></p>
${versions(material, view)}
${effect(material, view)}
${dataTable(definition, shown.rates, view.address)}
${notes(material)}`,
    csv: { rates: () => csvOfTable(definition, shown.rates, view.address.query) },
  };
}

function answer(material: Material, { now }: ConsoleView): Html {
  const { shown, subscribers } = material;
  const isMarkedUp = marksUp(material);
  const { version, currency, globalMarkupPercent } = shown;
  const customers = new Set(subscribers.map(({ customerId }) => customerId)).size;
  const begins = Date.parse(version.effectiveFrom) > now.getTime() ? 'will hold' : 'holds';
  const until = version.until === null ? '' : ` until ${dayInWords(version.until)}`;
  const minimum =
    version.minimum === null
      ? ''
      : ` A month costs at least ${moneyInWords(twoDecimals(version.minimum), currency)}.`;
  const markup =
    version.markupPercent !== null
      ? ` Marked up by ${version.markupPercent} %.`
      : globalMarkupPercent !== null && isMarkedUp
        ? ` The markup of the house is ${globalMarkupPercent} %.`
        : '';
  return html`${customers} ${customers === 1 ? 'customer is' : 'customers are'} on it, in ${currency.toUpperCase()}. This version ${begins} from ${dayInWords(version.effectiveFrom)}${until}.${minimum}${markup}`;
}

function versions({ plan, shown, subscribers }: Material, { now }: ConsoleView): Html {
  const inForce = planVersionAt(plan, now);
  const onVersion = Map.groupBy(subscribers, ({ versionId }) => versionId ?? '');
  const known = new Set(plan.versions.map(({ versionId }) => versionId));
  const others = subscribers.filter(({ versionId }) => versionId === null || !known.has(versionId)).length;
  return html`<ul class="todo" aria-label="Versions">${plan.versions.map((version) => {
    const { versionId, effectiveFrom, note } = version;
    const isShown = versionId === shown.version.versionId;
    const day = dayInWords(effectiveFrom);
    const count = onVersion.get(versionId)?.length ?? 0;
    const state =
      version === inForce
        ? html`<span class="tag good">in force</span>`
        : Date.parse(effectiveFrom) > now.getTime()
          ? html`<span class="tag">to come</span>`
          : html`<span class="tag">earlier</span>`;
    return html`<li><span>${isShown ? html`<strong>From ${day}</strong>` : html`<a href="${planAddress(plan.planId)}?version=${encodeURIComponent(versionId)}">From ${day}</a>`} <span class="muted">${versionId}${note === null ? '' : html`: ${nameCell(note, 200)}`}</span></span><span>${count === 0 ? '' : `prices of ${count} ${count === 1 ? 'customer' : 'customers'} `}${state}</span></li>`;
  })}</ul>${others === 0 ? '' : html`<p class="muted">${others} ${others === 1 ? 'customer has prices' : 'customers have prices'} that name no version known here. Subscriptions keep the prices they have until somebody moves them.</p>`}`;
}

/** What the version would change: a simulation of the last period, of all that are on the plan. */
function effect({ plan, shown, subscribers }: Material, view: ConsoleView): Html | string {
  const { now } = view;
  if (!hasScope(view.caller, ['finance']) || !view.hasPage(SIMULATIONS_PATH)) return '';
  const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1));
  const before = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1));
  const day = (instant: Date) => instant.toISOString().slice(0, 10);
  const customers = new Set(subscribers.map(({ customerId }) => customerId)).size;
  const { versionId, effectiveFrom } = shown.version;
  return html`<section class="panel"><h2>What this version would change</h2>
<p>Real usage, rated by the version from ${dayInWords(effectiveFrom)} as if it had always held, beside what customers have now. Nothing changes by it.</p>
<form class="filters" method="post" action="${SIMULATIONS_PATH}/${RUN_ACT}">${view.formField}<input type="hidden" name="plan" value="${plan.planId} ${versionId}"><input type="hidden" name="name" value="${plan.planId} from ${dayOf(effectiveFrom)}">
<label><span>From</span><input type="date" name="from" value="${day(before)}" required></label><label><span>To</span><input type="date" name="to" value="${day(new Date(month.getTime() - DAY_MS))}" required></label>
<label><span>Whose</span><select name="ofPlan">${customers === 0 ? '' : optionField(plan.planId, `all ${customers} on ${plan.planId}`, true)}${optionField('', 'everybody’s', customers === 0)}</select></label><button>Show the effect</button></form></section>`;
}

/** Whether anything of the version is on what the book says. */
function marksUp({ plan, shown }: Material): boolean {
  const version = plan.versions.find(({ versionId }) => versionId === shown.version.versionId);
  return version?.rates.some(({ price }) => price.kind === 'markup') === true;
}

function notes(material: Material): Html {
  const { notes: found, priceBookVersion, at } = material.shown;
  return html`${found.length === 0 ? '' : html`<details class="panel"><summary>What rates rest on</summary><ul class="reasons">${found.map(({ note, model, tokenType }) => html`<li>${nameCell(model)}, ${tokenTypeInWords(tokenType)}: ${noteInWords(note)}</li>`)}</ul></details>`}
${marksUp(material) ? html`<p class="muted">Markups are on the price book ${priceBookVersion} as of ${dayInWords(at)}.</p>` : ''}`;
}

export const planPage = definePage<Material>({
  path: `${PRICES_PATH}/plans/:planId`,
  title: 'A plan',
  scopes: ['sales', 'finance'],
  gather,
  show,
});
