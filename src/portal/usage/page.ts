import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { addMs } from '../../platform/clock.ts';
import { decidePreview, decideProjection } from '../../previews/decide.ts';
import { CUSTOMER_PATIENCE } from '../../previews/dependencies.ts';
import type { SubscriptionPreviewBody } from '../../previews/schemas.ts';
import { showPreview } from '../../previews/show.ts';
import { definePage, type PortalView } from '../frame/define-page.ts';
import { allowancesSection } from '../statement/allowances.ts';
import { daysSection } from '../statement/days.ts';
import { linesCsv, linesSection } from '../statement/lines.ts';
import { partsCsv, partsTables } from '../statement/parts.ts';
import { type Stated, stateOf } from '../statement/stated.ts';
import { figures } from './figures.ts';
import { askPeriod, gatherPeriod, type PeriodMaterial } from './gather.ts';
import { invoicesTable, periodInWords } from './invoices.ts';
import { planSection } from './plan.ts';

/** What the running period costs, of what it is made, by what plan, and what was invoiced before. */
export const usagePage = definePage({
  path: '',
  of: 'customer',
  parameters: [
    'from',
    'to',
    'csv',
    'user',
    'users-page',
    'users-sort',
    'models-sort',
    'days-sort',
    'invoices-page',
  ],
  prepare: (view) => askPeriod(view, { users: true, history: true }),
  gather: gatherPeriod,
  show: (material: PeriodMaterial, view) => {
    const { invoices, dataAsOf, soFar } = material;
    const { words } = view.locale;
    const stated = statedOf(material);
    const previews = previewsOf(material);
    const [first] = stated;
    const table = invoicesTable(view);
    return {
      title:
        first === undefined
          ? words.period.none
          : words.period.title(periodInWords(first.statement.period, view.locale)),
      dataAsOf,
      body: html`
        ${first === undefined ? html`<p class="lead">${nameCell(soFar.customer.name)}</p><p>${words.period.noneYet}</p>` : ''}
        ${stated.map((one, index) => subscriptionArticle(one, index, { material, preview: previews[index], view }))}
        ${dataTable(table, invoices, view.address)}`,
      csv: {
        ...Object.assign({}, ...stated.map((one) => ({ ...partsCsv(one, view), ...linesCsv(one, view) }))),
        [table.name]: () => csvOfTable(table, invoices, view.address.query),
      },
    };
  },
});

function statedOf({ statements, soFar, names, asked }: PeriodMaterial): Stated[] {
  return statements.map((statement, index) => {
    const users = soFar.subscriptions[index]?.divided.usage.users ?? [];
    const picked = asked === null ? null : { span: asked.span, users: asked.users[index] ?? [] };
    return stateOf(statement, users, { names, asked: picked, index });
  });
}

/** As the API shows them, so that both say the same. */
function previewsOf({ soFar }: PeriodMaterial): SubscriptionPreviewBody[] {
  const subscriptions = soFar.subscriptions.map(({ preview }) => preview);
  const decided = subscriptions.map(decidePreview);
  return showPreview(
    { ...soFar, subscriptions },
    decided.map((preview) => ({ ...preview, projection: decideProjection(preview) })),
  ).subscriptions;
}

function subscriptionArticle(
  stated: Stated,
  index: number,
  {
    material,
    preview,
    view,
  }: { material: PeriodMaterial; preview: SubscriptionPreviewBody | undefined; view: PortalView },
): Html | string {
  const subscription = material.soFar.subscriptions[index]?.preview;
  if (preview === undefined || subscription === undefined) return '';
  const { statement } = stated;
  const { locale } = view;
  const { words, day } = locale;
  const { start, end } = statement.period;
  const { currency } = statement.head;
  return html`<article>
    <p class="lead">${nameCell(material.soFar.customer.name)}${index === 0 ? '' : html`, ${words.days.span(day(start), day(addMs(end, -1)))}`}</p>
    ${figures(statement, preview, locale)}
    ${noticesOf(preview, statement.facts.openHourCount, view)}
    ${allowancesSection(statement, locale)}
    ${daysSection(stated, view)}
    ${partsTables(stated, view)}
    ${linesSection(stated, view)}
    ${planSection({ ...subscription, currency, plans: material.plans }, statement, locale)}
  </article>`;
}

/** What the figures still lack. */
function noticesOf(preview: SubscriptionPreviewBody, openHourCount: number, view: PortalView): Html | string {
  const { words, count } = view.locale;
  const waiting = preview.quarantined.reduce((sum, { tokenCount }) => sum + BigInt(tokenCount), 0n);
  const notices = [
    ...(waiting > 0n ? [words.period.waiting(count(waiting))] : []),
    ...(openHourCount > 0 ? [words.period.openHours(openHourCount, count(openHourCount))] : []),
    ...feesNotice(preview, view),
  ];
  return notices.length === 0
    ? ''
    : html`<div class="notice">${notices.map((notice) => html`<p>${notice}</p>`)}</div>`;
}

/** What Stripe alone knows is missing, or older than it usually is. */
function feesNotice({ stripe }: SubscriptionPreviewBody, { now, locale }: PortalView): string[] {
  const { words, instant } = locale;
  if (stripe.asOf === null) return [words.period.withoutFees];
  const readAt = new Date(stripe.asOf);
  return addMs(readAt, CUSTOMER_PATIENCE.maxAgeMs) > now ? [] : [words.period.feesAsOf(instant(readAt))];
}
