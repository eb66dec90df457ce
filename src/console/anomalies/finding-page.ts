import { html } from 'hono/html';
import { type DrawnHour, readDrawnHours } from '../../anomalies/drawn-hours.ts';
import { type Finding, getFinding } from '../../anomalies/findings.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell, unknownCell } from '../../pages/numbers.ts';
import { actorInWords, nameCell, shortened } from '../../pages/texts.ts';
import { definePage } from '../frame/define-page.ts';
import { dollars } from '../rollups/draw.ts';
import { FINDING_ACTS, readFindingId } from './acts.ts';
import { ANOMALIES_PATH, FINDING_PATH } from './address.ts';
import { csvOfHours, drawHours } from './draw-hours.ts';
import { findingForms } from './forms.ts';
import { movedLinks, usageLinks } from './links.ts';
import { explanationsInWords, shapeInWords } from './words.ts';

interface Material {
  finding: Finding;
  drawn: { hours: DrawnHour[]; isCut: boolean };
}

export const findingPage = definePage<Material>({
  path: FINDING_PATH,
  title: 'Anomaly',
  scopes: ['sales', 'finance'],
  gather: async (snapshot, { params, now }) => {
    const finding = await getFinding(snapshot, readFindingId(params.findingId), now);
    return { finding, drawn: await readDrawnHours(snapshot, finding) };
  },
  show: ({ finding, drawn }, view) => ({
    title: `Anomaly ${finding.findingId}: ${shortened(finding.customerName)}`,
    body: html`<p class="lead">${answer(finding)}</p>
${standing(finding, view.now)}
${figures(finding)}
<dl class="facts">
<dt>What it looks like</dt><dd>${shapeInWords(finding)}</dd>
<dt>What moved</dt><dd>${movedLinks(finding, view)}</dd>
<dt>Reasons that are known</dt><dd>${explanationsInWords(finding) ?? html`<span class="muted">${noReason(finding)}</span>`}</dd>
<dt>From</dt><dd>${instantCell(finding.firstHour)}</dd>
<dt>Last hour of it</dt><dd>${instantCell(finding.lastHour)}${finding.endedAt === null ? ', and it may go on' : ''}</dd>
<dt>Told</dt><dd>${finding.raisedAt === null ? html`<span class="muted">nobody: it is highlighted, and no more</span>` : instantCell(finding.raisedAt)}</dd>
</dl>
${drawHours(finding, drawn)}
${usageLinks(finding, view)}
${hasScope(view.caller, ['finance']) ? findingForms(finding, view) : ''}
<p class="links"><a href="${ANOMALIES_PATH}">All anomalies</a>${view.hasPage('/console/audit') ? html` <a href="/console/audit?target=anomaly-${finding.findingId}">In the audit log</a>` : ''}</p>`,
    csv: { hours: () => csvOfHours(drawn.hours) },
  }),
  acts: FINDING_ACTS,
});

/** What it comes to, in a sentence. */
function answer(finding: Finding): Html {
  const { customerName, costPicoUsd, usualPicoUsd, state } = finding;
  if (state === 'withdrawn') return html`Later data undid it: nothing stands out any more.`;
  return html`${nameCell(customerName, 60)} cost ${dollars(costPicoUsd)} in these hours, where ${dollars(usualPicoUsd)} is usual.`;
}

function figures({ state, excessPicoUsd, dayAheadPicoUsd, score, sigmaScore, isAboveSigma }: Finding): Html {
  const ahead =
    state === 'open'
      ? html`${dollars(dayAheadPicoUsd)}<small>at the rate of its last hour</small>`
      : html`<span class="muted">–</span><small>it goes on no longer</small>`;
  return html`<dl class="figures">
<div class="chief"><dt>Too much so far</dt><dd>${dollars(excessPicoUsd)}<small>beyond the usual</small></dd></div>
<div><dt>In another day of it</dt><dd>${ahead}</dd></div>
<div><dt>Score</dt><dd>${score ?? unknownCell()}<small>robust deviations above the usual of the same weekday and hour</small></dd></div>
<div><dt>Sigmas</dt><dd>${sigmaScore ?? unknownCell()}<small>above the mean of its 30 days before${isAboveSigma ? ': more than two' : ''}</small></dd></div>
</dl>`;
}

/** Only hours above their usual are looked into. */
function noReason({ shape }: Finding): string {
  return shape === null
    ? 'not looked for: no hour of it is above its usual by the robust rule'
    : 'none: no new customer, feature or plan, no change of prices, no late usage';
}

/** What was said of it. */
function standing(finding: Finding, now: Date): Html | string {
  const { decision, decidedBy, decidedAt, decisionReason, snoozedUntil } = finding;
  if (decision !== null) {
    const word = decision === 'acknowledged' ? 'Acknowledged' : 'Dismissed';
    return html`<p class="notice">${word} by ${nameCell(actorInWords(decidedBy ?? ''), 60)}, ${instantCell(decidedAt)}${decisionReason === null ? '' : html`: ${nameCell(decisionReason, 2_000)}`}</p>`;
  }
  if (snoozedUntil === null || snoozedUntil <= now) return '';
  return html`<p class="notice">Snoozed until ${instantCell(snoozedUntil)}.</p>`;
}
