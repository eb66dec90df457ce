import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import type { Seller } from '../../platform/seller.ts';
import type { ReaderLocale } from '../words/reader.ts';

/** What every page of the portal is drawn with, whoever reads it. */
export interface PortalFrame {
  seller: Seller;
  locale: ReaderLocale;
  stylePath: string;
  scriptPath: string;
}

/** Where a reader can go, and where they are. */
export interface PortalWays {
  links: readonly { href: string; title: string; isHere: boolean }[];
}

/** A whole page: the seller's head, one column, and how old the data is. */
export function portalDocument(
  { seller, locale, stylePath, scriptPath }: PortalFrame,
  page: { title: string; ways?: PortalWays; body: Html; foot?: readonly string[] },
): Html {
  const { frame, language } = locale.words;
  const { title, ways, body, foot = [] } = page;
  const contact = seller.contact === null ? [] : [frame.contact(seller.contact)];
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}${seller.name === null ? '' : ` · ${seller.name}`}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${stylePath}">
<script src="${scriptPath}" defer></script>
</head>
<body>
<a class="skip" href="#main">${frame.skip}</a>
<div class="portal">
  <header class="masthead">
    ${seller.logo === null ? '' : html`<img src="${seller.logo}" alt="${seller.name ?? ''}">`}
    ${seller.logo !== null || seller.name === null ? '' : html`<span class="seller"><bdi>${seller.name}</bdi></span>`}
    ${
      ways === undefined || ways.links.length < 2
        ? ''
        : html`<nav aria-label="${frame.pages}"><ul>${ways.links.map(
            ({ href, title: words, isHere }) =>
              html`<li><a href="${href}"${isHere ? html` aria-current="page"` : ''}>${words}</a></li>`,
          )}</ul></nav>`
    }
  </header>
  <main id="main" tabindex="-1">
    <h1>${title}</h1>
    ${body}
  </main>
  ${foot.length + contact.length === 0 ? '' : html`<footer>${[...foot, ...contact].map((line) => html`<p>${line}</p>`)}</footer>`}
</div>
</body>
</html>`;
}
