import { html } from 'hono/html';
import type { Finding } from '../../anomalies/findings.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { FEATURES_PATH, recordHref } from '../features/address.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { partInWords } from './words.ts';

const CUSTOMER = '/console/customers/:customerId';

/** What moved while the rest held, each leading to its usage. */
export function movedLinks(finding: Finding, view: ConsoleView): Html {
  if (finding.moved.length === 0) return html`<span class="muted">no single user, feature or model</span>`;
  return html`${finding.moved.map((part, place) => {
    const words = partInWords(part);
    const { dimension, value, sharePercent } = part;
    const href = usageHref(finding, { by: dimension, ...(value === '' ? {} : { [dimension]: value }) });
    const link = view.hasPage(CUSTOMER) ? html`<a href="${href}#${dimension}s">${words}</a>` : words;
    return html`${place === 0 ? '' : ', '}${link} <small class="muted">${sharePercent} % of what is too much</small>`;
  })}`;
}

/** The customer, and the usage of these days. */
export function usageLinks(finding: Finding, view: ConsoleView): Html {
  const customer = view.hasPage(CUSTOMER)
    ? html`<a href="/console/customers/${encodeURIComponent(finding.customerId)}">The customer</a>
${(['user', 'feature', 'model'] as const).map((by) => html`<a href="${usageHref(finding, { by })}#${by}s">Its usage of these days by ${by}</a> `)}`
    : '';
  const isOfFeature = finding.moved.some(({ dimension }) => dimension === 'feature');
  const features =
    isOfFeature && view.hasPage(FEATURES_PATH)
      ? html`<a href="${FEATURES_PATH}?${daysOf(finding)}">Features in these days</a>`
      : '';
  return html`<p class="links">${customer} ${features} ${recordLink(finding, view)}</p>`;
}

/** Where one user moved: a cache or a cap that was made for it. */
function recordLink({ moved }: Finding, view: ConsoleView): Html | string {
  const named = (dimension: string) => moved.find((part) => part.dimension === dimension)?.value;
  const subject = named('user');
  if (subject === undefined || !view.hasPage(FEATURES_PATH) || !hasScope(view.caller, ['finance'])) return '';
  const href = recordHref({ kind: 'cache', feature: named('feature') ?? '', subject });
  return html`<a href="${href}">Record a cache or a cap that was made for it</a>`;
}

function usageHref(finding: Finding, more: Readonly<Record<string, string>>): string {
  const query = daysOf(finding);
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  return `/console/customers/${encodeURIComponent(finding.customerId)}?${query}`;
}

function daysOf({ firstHour, lastHour }: Finding): URLSearchParams {
  const day = (instant: Date) => instant.toISOString().slice(0, 10);
  return new URLSearchParams({ period: 'from-to', from: day(firstHour), to: day(lastHour) });
}
