import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import type { Seller } from '../../platform/seller.ts';

/** Who sells, above all else. */
export function letterhead({ name, address, contact, logo }: Seller): Html | string {
  if (name === null && address.length === 0 && contact === null && logo === null) return '';
  return html`<div class="seller">
  ${logo === null ? '' : html`<img src="${logo}" alt="${name ?? 'Logo'}">`}
  <address>${name === null ? '' : html`<strong>${name}</strong>`}${address.map((line) => html`<span>${line}</span>`)}${contact === null ? '' : html`<span>${contact}</span>`}</address>
</div>`;
}

/** What is agreed beside the price. */
export function termsSection({ terms }: Seller, contractMonths: number | null): Html | string {
  const runs =
    contractMonths === null
      ? ''
      : html`<p>The contract runs for ${contractInWords(contractMonths)} from its acceptance.</p>`;
  if (terms.length === 0) return runs === '' ? '' : html`<h2>Terms</h2><div class="terms">${runs}</div>`;
  return html`<h2>Terms</h2><div class="terms">${runs}${terms.map((paragraph) => html`<p>${paragraph}</p>`)}</div>`;
}

export function contractInWords(months: number): string {
  if (months % 12 === 0) return months === 12 ? '12 months' : `${months / 12} years`;
  return months === 1 ? '1 month' : `${months} months`;
}
