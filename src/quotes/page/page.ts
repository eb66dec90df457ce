import { html } from 'hono/html';
import { pageDocument } from '../../pages/document.ts';
import type { Seller } from '../../platform/seller.ts';
import type { StoredQuoteBody } from '../schemas.ts';
import type { Standing } from './acceptance.ts';
import { internalSection } from './internal.ts';
import { quoteSheet } from './sheet.ts';

/** Where the page's own sheet is; the page loads nothing else. */
export const QUOTE_STYLE_PATH = '/quotes/style.css';

/** The page a salesperson sends; with cost and margin where `internal` is asked for. */
export function quotePage(
  quote: StoredQuoteBody,
  options: {
    internal: boolean;
    now: Date;
    seller: Seller;
    standing: Standing;
    /** What became of what was sent. */
    notice?: string | undefined;
  },
) {
  const { internal, notice, ...shown } = options;
  return pageDocument(
    { title: quote.title ?? 'Quote for AI usage', stylePath: QUOTE_STYLE_PATH, isForm: true },
    html`<main>
      ${notice === undefined ? '' : html`<p class="notice" role="alert">${notice}</p>`}
      ${quoteSheet(quote, { ...shown, isPart: false })}
      ${internal ? internalSection(quote) : ''}
      <footer>Reference ${quote.quoteId}</footer>
    </main>`,
  );
}

/** For links that are wrong, altered or expired: all look alike. */
export function missingQuotePage() {
  return pageDocument(
    { title: 'Quote not found', stylePath: QUOTE_STYLE_PATH },
    html`<main>
      <header>
        <div>
          <p class="kicker">Quote</p>
          <h1>This quote cannot be shown</h1>
        </div>
      </header>
      <p>The link is incomplete, was changed, or has expired. Please ask for a new one.</p>
    </main>`,
  );
}

/** For `?view=internal` without a key. */
export function lockedQuotePage() {
  return pageDocument(
    { title: 'An API key is needed', stylePath: QUOTE_STYLE_PATH },
    html`<main>
      <header>
        <div>
          <p class="kicker">Quote</p>
          <h1>This view needs an API key</h1>
        </div>
      </header>
      <p>Cost and margin are shown to keys with the scope sales, finance or admin alone.</p>
    </main>`,
  );
}

/** For what was sent and cannot be taken, without the quote. */
export function refusedQuotePage(sentence: string) {
  return pageDocument(
    { title: 'Nothing was accepted', stylePath: QUOTE_STYLE_PATH },
    html`<main>
      <header>
        <div>
          <p class="kicker">Quote</p>
          <h1>Nothing was accepted</h1>
        </div>
      </header>
      <p>${sentence}</p>
    </main>`,
  );
}
