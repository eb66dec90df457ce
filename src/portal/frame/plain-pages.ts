import { html } from 'hono/html';
import { type PortalFrame, portalDocument } from './document.ts';

/** For what is not there and what is not the reader's: they look alike. @param first where their pages begin */
export function missingPage(frame: PortalFrame, first: string) {
  const { title, text, back } = frame.locale.words.missing;
  return portalDocument(frame, {
    title,
    body: html`<p class="lead">${text}</p><p><a href="${first}">${back}</a></p>`,
  });
}

/** For whoever has no visit, whatever the reason. */
export function endedPage(frame: PortalFrame) {
  const { title, text, again, ask } = frame.locale.words.ended;
  const { contact } = frame.seller;
  return portalDocument(
    { ...frame, seller: { ...frame.seller, contact: null } },
    {
      title,
      body: html`<p class="lead">${text}</p><p>${again}</p>${contact === null ? '' : html`<p>${ask(contact)}</p>`}`,
    },
  );
}

/** While an invoice cannot be read. */
export function waitingPage(frame: PortalFrame) {
  const { title, text } = frame.locale.words.waiting;
  return portalDocument(frame, { title, body: html`<p class="lead">${text}</p>` });
}

export function failedPage(frame: PortalFrame, requestId: string) {
  const { title, text, reference } = frame.locale.words.failed;
  return portalDocument(frame, {
    title,
    body: html`<p class="lead">${text}</p><p>${reference(requestId)}</p>`,
  });
}
