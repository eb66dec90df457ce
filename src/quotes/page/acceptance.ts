import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { nameCell } from '../../pages/texts.ts';
import { dayInWords } from '../../pages/words.ts';

/** Whoever types more is told, and nothing is cut. */
export const MOST_NAME_CHARACTERS = 200;

/** What the form to accept with carries, and what was typed before. */
interface AcceptanceForm {
  /** The page's own address with its signature, to which the form is sent. */
  action: string;
  token: string;
  offerHash: string;
  name: string;
}

/** How a quote stands: accepted, to be accepted, or as one sees it who cannot. */
export type Standing =
  | { kind: 'accepted'; acceptance: { acceptedBy: string; acceptedAt: Date; offerHash: string } }
  | { kind: 'open'; form: AcceptanceForm }
  | { kind: 'seen' };

/** The last part of a quote: who accepted it, or how to. On paper there is room to sign instead. */
export function acceptanceSection(standing: Standing, hasPrice: boolean, isExpired: boolean): Html {
  return html`<section class="accept" id="accept" aria-label="Acceptance"><h2>Acceptance</h2>${body()}</section>`;

  function body(): Html {
    if (standing.kind === 'accepted') {
      const { acceptedBy, acceptedAt, offerHash } = standing.acceptance;
      return html`<p class="accepted">Accepted by <strong>${nameCell(acceptedBy, MOST_NAME_CHARACTERS)}</strong> on ${dayInWords(acceptedAt.toISOString())} at ${acceptedAt.toISOString().slice(11, 16)} UTC.</p>
<p class="detail">Reference of what was accepted: ${offerHash.slice(0, 16)}</p>`;
    }
    if (isExpired) return html`<p>This quote has expired and can no longer be accepted.</p>`;
    if (!hasPrice) return html`<p>It can be accepted once all of it has a price.</p>`;
    const paper = html`<dl class="sign"><dt>Name</dt><dd></dd><dt>Date</dt><dd></dd><dt>Signature</dt><dd></dd></dl>`;
    if (standing.kind === 'seen') {
      return html`<p class="detail screen">The customer accepts it here, with a name; the date is recorded.</p>${paper}`;
    }
    const { action, token, offerHash, name } = standing.form;
    return html`<form method="post" action="${action}">
  <input type="hidden" name="token" value="${token}"><input type="hidden" name="offer" value="${offerHash}">
  <label><span>Your full name</span><input name="name" value="${name}" required maxlength="${MOST_NAME_CHARACTERS}" autocomplete="name"></label>
  <label class="agree"><input type="checkbox" name="agreed" value="yes" required> I accept this quote and what it says, for those it was prepared for.</label>
  <button>Accept this quote</button>
</form>${paper}`;
  }
}
