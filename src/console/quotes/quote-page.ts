import { html } from 'hono/html';
import { readLinkKeys } from '../../identity/links/keys.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { nameCell } from '../../pages/texts.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { TallystickError } from '../../platform/errors.ts';
import { DEFAULT_API_SETTINGS } from '../../platform/http/dependencies.ts';
import { type Acceptance, readAcceptance, standingOf } from '../../quotes/acceptance.ts';
import { ensureQuoteLink, findQuoteLink, makeQuoteLink, quoteAddress } from '../../quotes/links.ts';
import { getQuote, QUOTE_ID } from '../../quotes/quotes.ts';
import { gatherAgain, type RecomputeFacts, recompute } from '../../quotes/recompute.ts';
import type { StoredQuoteBody } from '../../quotes/schemas.ts';
import { type ConsoleView, definePage, type PageContent } from '../frame/define-page.ts';
import { changedLines, changesOf } from './changes.ts';
import { customerPart, insideOf, linesTable, quoteFigures } from './figures.ts';
import { NEW_QUOTE_PATH } from './form/draw.ts';

interface Material {
  quote: StoredQuoteBody;
  again: RecomputeFacts;
  /** Null: it was withdrawn. */
  address: string | null;
  acceptance: Acceptance | null;
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const { quoteId = '' } = view.params;
  if (!QUOTE_ID.test(quoteId)) {
    throw new TallystickError('No quote has this id.', { code: 'NOT_FOUND', retry: false });
  }
  const { resultText } = await getQuote(snapshot, quoteId);
  const link = await findQuoteLink(snapshot, quoteId);
  return {
    quote: JSON.parse(resultText) as StoredQuoteBody,
    again: await gatherAgain(snapshot, quoteId, view.now),
    acceptance: await readAcceptance(snapshot, quoteId),
    // Made already by `prepare`, which may write.
    address: link === null ? null : quoteAddress(await readLinkKeys(view.dependencies), link, view.origin),
  };
}

function show({ quote, again, address, acceptance }: Material, view: ConsoleView): PageContent {
  const validUntil = new Date(quote.validUntil);
  const isOpen = validUntil > view.now;
  const recomputed = recompute(again);
  const { seller } = view.dependencies.settings ?? DEFAULT_API_SETTINGS;
  return {
    title: quote.title ?? 'Quote for AI usage',
    body: html`<p class="lead">${quote.preparedFor === null ? '' : html`For ${nameCell(quote.preparedFor)}. `}Made ${instantCell(new Date(quote.createdAt))} by ${nameCell(quote.createdBy)}; ${isOpen ? html`open until ${instantCell(validUntil)}` : html`<span class="unknown">expired ${instantCell(validUntil)}</span>`}.</p>
${acceptance === null ? '' : html`<p class="notice"><strong>Accepted</strong> by ${nameCell(acceptance.acceptedBy)}, ${instantCell(acceptance.acceptedAt)}. <a href="/console/audit?target=${quote.quoteId}">In the audit log</a></p>`}
${linkPart(isOpen)}
${quoteFigures(quote)}
<div class="pair beside">
  <section aria-label="What the customer sees"><h2>What the customer sees</h2><div id="customer-page">${customerPart(quote, { now: view.now, ...standingOf(seller, acceptance) })}</div></section>
  <section aria-label="For our own eyes"><h2>For our own eyes</h2>${insideOf(quote, view)}</section>
</div>
${changesOf(recomputed, quote, view)}`,
    csv: {
      lines: () => csvOfTable(linesTable(quote), quote.lines, view.address.query),
      changes: () => csvOfTable(changedLines(quote), recomputed.changed.lines, view.address.query),
    },
  };

  function linkPart(isLive: boolean): Html {
    return html`<div class="panel link">${
      !isLive
        ? html`<p>The link has expired with the quote.</p>`
        : address === null
          ? html`<p>The link was withdrawn: what was sent opens no more. ${view.formButton('link', 'Make a new one')}</p>`
          : html`<label><span>Link for the customer</span><input readonly value="${address}" data-copied></label>
<p class="muted">Whoever has it can read the customer’s page until ${instantCell(validUntil)}. <a href="${address}">Open it</a></p>`
    }
<p><a class="button" href="${NEW_QUOTE_PATH}?from=${quote.quoteId}">Start from this</a></p></div>`;
  }
}

/** The link is made at its first telling, which writes. @throws TallystickError NOT_FOUND */
async function prepare({ dependencies, params, caller }: ConsoleView): Promise<void> {
  const { quoteId = '' } = params;
  if (!QUOTE_ID.test(quoteId)) return;
  const quote = await getQuote(dependencies.database, quoteId);
  await ensureQuoteLink(dependencies, quote, { madeBy: caller.actor });
}

export const quotePage = definePage<Material>({
  path: '/console/quotes/:quoteId',
  title: 'Quote',
  scopes: ['sales', 'finance'],
  prepare,
  gather,
  show,
  acts: {
    link: {
      scopes: ['sales', 'finance'],
      makes: true,
      run: async (_form, { dependencies, params, caller }) => {
        await makeQuoteLink(dependencies, params.quoteId ?? '', caller.actor);
        return { notice: 'There is a new link.' };
      },
    },
  },
});
