import type { Context } from 'hono';
import { html } from 'hono/html';
import { addressWith } from '../../pages/address.ts';
import { hiddenFields, optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords, instantCell } from '../../pages/numbers.ts';
import { SCRIPT_PATH, STYLE_PATH } from './assets.ts';
import type { ConsolePage, ConsoleView } from './define-page.ts';
import type { FrameFacts } from './facts.ts';
import { PERIOD_CHOICES } from './period.ts';

/** Everything from here, nothing inline, and no other page may put one of these into a frame of its own. */
export const CONSOLE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  // With no referrer at all, browsers would hide the origin of forms, too.
  'Referrer-Policy': 'same-origin',
  'X-Robots-Tag': 'noindex',
  'Cache-Control': 'no-store',
};

/** For what is no page, and has them all the same. */
export function setConsoleHeaders(context: Context): void {
  for (const [name, value] of Object.entries(CONSOLE_HEADERS)) context.header(name, value);
}

/** A whole document without the frame: of signing in, and of what went wrong before anyone did. */
export function bareDocument(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Tallystick</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${STYLE_PATH}">
<script src="${SCRIPT_PATH}" defer></script>
</head>
<body>${body}</body>
</html>`;
}

export interface FramedPage {
  title: string;
  page: ConsolePage;
  /** All that there are; the rail has those that the reader may see. */
  pages: readonly ConsolePage[];
  view: ConsoleView;
  /** Left out where nothing was read. */
  facts?: FrameFacts;
  /** What the last act said. */
  notice?: string | null;
  /** What is wrong with what was sent. */
  problem?: { message: string; fix?: string | undefined } | null;
  body: Html;
}

/** A page in the frame: rail, search, choices, how old the data is, who is signed in. */
export function framedDocument(framed: FramedPage): Html {
  const { title, page, pages, view, facts, notice = null, problem = null, body } = framed;
  return bareDocument(
    title,
    html`<a class="skip" href="#main">To the content</a>
<div class="frame">
  ${rail(pages, page, view)}
  <header class="top">
    <form class="search" role="search" method="get" action="/console/search">
      <input type="search" name="q" aria-label="Search customers, features, invoices, quotes" placeholder="Search  /" maxlength="200" data-search>
    </form>
    ${page.choices === undefined || facts === undefined ? '' : choices(page.choices, view, facts)}
    ${facts === undefined ? '' : html`<p class="as-of">${asOf(facts, view.now)}</p>`}
    <form class="who" method="post" action="/console/sign-out">${view.formField}<a href="${OWN_KEY_PATH}" title="${view.caller.scopes.join(', ')}">${view.caller.name}</a> <button class="quiet">Sign out</button></form>
  </header>
  <main id="main" tabindex="-1">
    ${notice === null ? '' : html`<p class="notice" role="status">${notice}</p>`}
    ${problem === null ? '' : html`<div class="notice danger" role="alert"><p>${problem.message}</p>${problem.fix === undefined ? '' : html`<p>${problem.fix}</p>`}</div>`}
    <h1>${title}</h1>
    ${body}
  </main>
</div>`,
  );
}

/** Choices of the top go along from page to page. */
/** Where whoever is signed in sees their own key. */
export const OWN_KEY_PATH = '/console/own-key';

const KEPT_CHOICES = ['period', 'from', 'to', 'currency'];

function rail(pages: readonly ConsolePage[], current: ConsolePage, view: ConsoleView): Html {
  const kept = new URLSearchParams([...view.address.query].filter(([name]) => KEPT_CHOICES.includes(name)));
  return html`<nav class="rail" aria-label="Pages">
    <a class="brand" href="/console">Tallystick</a>
    <ul>${pages.map(({ rail: entry, path }) => {
      if (entry === undefined || !view.hasPage(path)) return '';
      const isCurrent = path === current.path || (current.path.startsWith(`${path}/`) && path !== '/console');
      const mark = isCurrent ? html` aria-current="page"` : '';
      return html`<li><a href="${addressWith({ path, query: kept }, {})}" data-key="${entry.key}"${mark}>${entry.title}</a></li>`;
    })}</ul>
  </nav>`;
}

function choices(
  offered: NonNullable<ConsolePage['choices']>,
  view: ConsoleView,
  { currencies }: FrameFacts,
): Html {
  const { address, period } = view;
  const own = new Set([
    ...(offered.includes('period') ? ['period', 'from', 'to'] : []),
    ...(offered.includes('currency') ? ['currency'] : []),
  ]);
  const kept = [...address.query].filter(([name]) => !own.has(name));
  const [start, last] = [period.window.start, new Date(period.window.end.getTime() - 1)].map((instant) =>
    instant.toISOString().slice(0, 10),
  );
  const named = PERIOD_CHOICES.some(({ value }) => value === period.name);
  return html`<form class="choices" method="get" action="${address.path}" data-submits-itself>
    ${hiddenFields(kept)}
    ${
      offered.includes('period')
        ? html`<label><span>Period</span><select name="period">${named ? '' : optionField(period.name, period.words, true)}${PERIOD_CHOICES.map(({ value, title }) => optionField(value, title, value === period.name))}</select></label>
    <span class="span${period.name === 'from-to' ? ' shown' : ''}"><label><span>From</span><input type="date" name="from" value="${start}"></label><label><span>To</span><input type="date" name="to" value="${last}"></label></span>`
        : ''
    }
    ${
      offered.includes('currency') && currencies.length > 1
        ? html`<label><span>Currency</span><select name="currency">${optionField('', 'all', view.currency === null)}${currencies.map((currency) => optionField(currency, currency.toUpperCase(), currency === view.currency))}</select></label>`
        : ''
    }
    <button class="quiet">Show</button>
  </form>`;
}

function asOf({ dataAsOf }: FrameFacts, now: Date): Html {
  if (dataAsOf === null) return html`no data yet`;
  return html`data as of ${instantCell(dataAsOf)} <span class="muted">(${ageInWords(now.getTime() - dataAsOf.getTime())} old)</span>`;
}
