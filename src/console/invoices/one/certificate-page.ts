import { html } from 'hono/html';
import type {
  CloseComparison,
  CloseDifference,
  CloseOutcome,
} from '../../../../pricing/closing/certificate.ts';
import { speakPeriod } from '../../../../pricing/closing/words.ts';
import { type InvoiceChoice, readInvoiceChoice } from '../../../billing/uninvoiced/choices.ts';
import { type CloseCertificate, getCertificate, isCertificateSound } from '../../../closing/certificates.ts';
import type { InvoiceRow } from '../../../closing/invoice-list.ts';
import type { Html } from '../../../pages/html.ts';
import { countCell, instantCell } from '../../../pages/numbers.ts';
import { nameCell } from '../../../pages/texts.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { definePage, type PageContent } from '../../frame/define-page.ts';
import { differenceInWords, minorCell, minorInMoney, nameOf } from '../words.ts';
import { CHOICE_WORDS } from './acts.ts';
import { comparisonCsv, drawComparison, drawGround } from './comparison.ts';
import { getInvoice } from './gather.ts';

interface Material {
  row: InvoiceRow;
  certificate: CloseCertificate;
  choice: InvoiceChoice | null;
}

/** What the text of a certificate holds. */
interface Certified extends CloseComparison, CloseOutcome {
  format: string;
  differences: readonly CloseDifference[];
  drift: { tokens: string; amountMinor: string };
}

function show({ row, certificate, choice }: Material, view: ConsoleView): PageContent {
  const { address } = view;
  const isSound = isCertificateSound(certificate);
  const certified = JSON.parse(certificate.content) as Certified;
  const { differences, period, currency } = certified;
  return {
    title: `Close certificate of ${nameOf(row)}`,
    body: html`<p class="lead">${nameCell(row.customerName, 200)}, ${speakPeriod(period.start, period.end)}, ${minorInMoney(BigInt(certified.totalMinor), currency)}</p>
${verdict(certified, isSound)}
${sums(certified)}
${drawComparison(certified, differences, address)}
<h2>What it rests on</h2>
${drawGround(certified)}
<h2>How it is verified</h2>
<dl class="facts">
  <dt>Written</dt><dd>${instantCell(certificate.createdAt)}, never changed since</dd>
  <dt>Form</dt><dd>${certified.format}</dd>
  <dt>SHA-256 of its text</dt><dd><code>${certificate.sha256}</code></dd>
  <dt>Computed again now</dt><dd>${isSound ? html`<span class="good">the same</span>` : html`<strong class="bad">another: the stored text is not what was written</strong>`}</dd>
  <dt>With the windows of the source</dt><dd><code>tallystick closes verify ${row.invoiceId}</code></dd>
</dl>
${choice === null ? '' : html`<p class="notice">Said since of its usage: ${CHOICE_WORDS[choice.choice]}. By ${nameCell(choice.decidedBy, 80)}: ${nameCell(choice.decidedReason, 1_000)}</p>`}
<details class="panel"><summary>The text that was hashed</summary><p class="content"><code>${certificate.content}</code></p></details>
<p class="links"><a href="/console/invoices/${encodeURIComponent(row.invoiceId)}">To the invoice</a></p>`,
    csv: comparisonCsv(certified, differences, address),
  };
}

function verdict({ differences, outcome, release, currency }: Certified, isSound: boolean): Html {
  const how = outcome === 'finalized' ? '' : ' Stripe finalized it before it was compared.';
  if (!isSound)
    return html`<p class="notice danger" role="alert">This is not the text that was certified: its hash is another.</p>`;
  if (differences.length === 0)
    return html`<p class="notice">The halves match: what the source told is what was metered, delivered and invoiced, token for token, and the invoice charges what its prices say.${how}</p>`;
  return html`<div class="notice warn"><p>What differs, and was let go${release === null ? '' : html` by ${nameCell(release.by, 80)}: ${nameCell(release.reason, 1_000)}`}.${how}</p>
<ul class="reasons">${differences.map((difference) => html`<li>${differenceInWords(difference, currency)}</li>`)}</ul></div>`;
}

function sums({ tokenTypes, meters, drift, currency }: Certified): Html {
  const sum = (counts: readonly string[]) =>
    countCell(counts.reduce((total, count) => total + BigInt(count), 0n));
  return html`<dl class="figures">
  <div><dt>The source told</dt><dd>${sum(tokenTypes.map((row) => row.sourceTokens))}<small>tokens, in ${sum(tokenTypes.map((row) => row.sourceRows))} rows</small></dd></div>
  <div><dt>Metered</dt><dd>${sum(tokenTypes.map((row) => row.meteredTokens))}<small>confirmed by the hour</small></dd></div>
  <div><dt>Delivered to Stripe</dt><dd>${sum(meters.map((meter) => meter.pushedTokens))}<small>in ${sum(meters.map((meter) => meter.pushCount))} pushes</small></dd></div>
  <div><dt>On the invoice</dt><dd>${sum(meters.map((meter) => meter.invoiceQuantity))}<small>tokens on its lines</small></dd></div>
  <div><dt>Difference</dt><dd>${countCell(BigInt(drift.tokens))}<small>tokens; ${minorCell(BigInt(drift.amountMinor), currency)}</small></dd></div>
</dl>`;
}

export const certificatePage = definePage<Material>({
  path: '/console/invoices/:invoiceId/certificate',
  title: 'Close certificate',
  scopes: ['finance'],
  gather: async (snapshot, view) => {
    const row = await getInvoice(snapshot, view.params.invoiceId ?? '');
    return {
      row,
      certificate: await getCertificate(snapshot, row.invoiceId),
      choice: await readInvoiceChoice(snapshot, row.invoiceId),
    };
  },
  show,
});
