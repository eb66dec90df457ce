import type { Env, Hono } from 'hono';
import { html } from 'hono/html';

/** The page's own sheet, and nothing else: no script, no image, no frame, no other address. */
export const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Robots-Tag': 'noindex',
  'Cache-Control': 'no-store',
};

/** The same for a page with a form of its own; with no referrer at all, browsers would hide where a form comes from. */
export const FORM_PAGE_HEADERS = {
  ...PAGE_HEADERS,
  'Content-Security-Policy': PAGE_HEADERS['Content-Security-Policy'].replace(
    "form-action 'none'",
    "form-action 'self'",
  ),
  'Referrer-Policy': 'same-origin',
};

/** A whole page. @param page its title, where its sheet is, and whether it has a form */
export function pageDocument(
  { title, stylePath, isForm = false }: { title: string; stylePath: string; isForm?: boolean },
  body: ReturnType<typeof html>,
) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="referrer" content="${isForm ? 'same-origin' : 'no-referrer'}" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${stylePath}" />
      </head>
      <body>
        ${body}
      </body>
    </html> `;
}

/** Adds the route of a page's sheet. */
export function addStyle<Environment extends Env>(api: Hono<Environment>, path: string, style: string): void {
  api.get(path, (context) =>
    context.body(style, 200, {
      'Content-Type': 'text/css; charset=utf-8',
      'Cache-Control': 'public, max-age=3600',
    }),
  );
}
