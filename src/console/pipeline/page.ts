import { html } from 'hono/html';
import { addressWith } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords, countCell, instantCell } from '../../pages/numbers.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { PIPELINE_ACTS } from './acts.ts';
import { COVERAGE_DAYS, gatherPipeline, LISTED, type PipelineMaterial } from './gather.ts';
import { quarantineCsv, quarantineTable } from './quarantine-table.ts';
import { cureOf, inWords } from './reason-words.ts';
import { DRIFT_TABLE, stepTable } from './tables.ts';

function show(material: PipelineMaterial, view: ConsoleView) {
  const { report, entries, hasMore, drifts } = material;
  const steps = stepTable(view.now);
  const cut = (isCut: boolean, what: string) =>
    isCut ? html`<p class="notice warn">${what} than the ${LISTED} that are listed here.</p>` : '';
  return {
    body: html`<div id="pulse" data-refresh="30"><p class="lead">${answer(material, view.now)}</p>
${figures(material, view.now)}</div>
${whereTokensStand(material)}
<h2 id="quarantine">Quarantine</h2>
<p class="muted">Usage that cannot go on, kept whole with its reason. Nothing of it is billed, and nothing is dropped.</p>
${waitingByReason(material, view)}
${cut(hasMore, 'More waits, which the CSV has,')}
${dataTable(quarantineTable(material, view), entries, view.address)}
<h2 id="drift">Drift</h2>
<p class="muted">Where the ledger and an outside system say different sums of one hour. Repairs run by themselves; what is unexplained needs a person.</p>
${cut(drifts.length === LISTED, 'There may be more')}
${dataTable(DRIFT_TABLE, drifts, view.address)}
${coverage(material)}
${dataTable(steps, report.steps, view.address)}`,
    csv: {
      drifts: () => csvOfTable(DRIFT_TABLE, drifts, view.address.query),
      steps: () => csvOfTable(steps, report.steps, view.address.query),
    },
  };
}

/** What needs a person, by its cause: how much, since when, and what lets it go on. */
function waitingByReason(
  { report, alarming }: PipelineMaterial,
  { now, address }: ConsoleView,
): Html | string {
  if (report.quarantine.length === 0) return '';
  return html`<ul class="todo">${report.quarantine.map((summary) => {
    const { reason, metricName, rowCount, tokenCount, oldestAt } = summary;
    const age = ageInWords(now.getTime() - oldestAt.getTime());
    const href = `${addressWith(address, { reason, 'waiting-page': null })}#waiting`;
    return html`<li><span><a href="${href}">${inWords(reason)}</a>${metricName === null ? '' : html` (${nameCell(metricName)})`}<br><span class="muted">${cureOf(reason)}</span></span>
<span>${countCell(tokenCount)} tokens in ${countCell(rowCount)} ${plural(rowCount, 'entry', 'entries')} <span class="tag${alarming.includes(summary) ? ' warn' : ''}">${age}</span></span></li>`;
  })}</ul>`;
}

const plural = (count: bigint, one: string, many: string) => (count === 1n ? one : many);

/** The answer in a sentence: what needs somebody, or that nothing does. */
function answer({ report, alarming }: PipelineMaterial, now: Date): string {
  const { watermarks, totals, openMeterSink, quarantine, openDriftCount: driftCount } = report;
  if (watermarks.length === 0) return 'Nothing has been collected yet.';
  const longest = Math.max(0, ...alarming.map(({ oldestAt }) => now.getTime() - oldestAt.getTime()));
  const troubles = [
    totals.differenceTokenCount === 0n ? '' : 'the ledger’s own sums contradict each other',
    openMeterSink.outage === null ? '' : 'OpenMeter takes events and shows none',
    driftCount === 0n
      ? ''
      : `${driftCount} ${plural(driftCount, 'sum differs', 'sums differ')} from the ledger’s`,
    alarming.length === 0 ? '' : `usage has waited in quarantine for ${ageInWords(longest)}`,
  ].filter((trouble) => trouble !== '');
  if (troubles.length > 0) return `${troubles.join('; ').replace(/^./, (first) => first.toUpperCase())}.`;
  const waiting = quarantine.reduce((sum, { tokenCount }) => sum + tokenCount, 0n);
  return waiting === 0n
    ? 'Every token is where it should be, or on its way.'
    : `Every token is where it should be, or on its way, but ${groupDigits(String(waiting))} that wait in quarantine.`;
}

function figures({ report }: PipelineMaterial, now: Date): Html {
  const { totals, hours, usageEvents, meterPushes } = report;
  const oldest = hours.oldestOpenHour;
  return html`<dl class="figures">
  ${report.watermarks.map(({ source, position }) => html`<div><dt>Behind at ${source}</dt><dd>${ageInWords(now.getTime() - position.getTime())}<small>up to ${instantCell(position)}</small></dd></div>`)}
  <div><dt>Wait to be metered</dt><dd>${countCell(usageEvents.pending + usageEvents.sent)}<small>events; ${groupDigits(String(usageEvents.confirmed))} are confirmed</small></dd></div>
  <div><dt>Wait to be settled</dt><dd>${countCell(hours.openCount)}<small>hours; ${oldest === null ? 'none is open' : html`the oldest of ${instantCell(oldest)}`}</small></dd></div>
  <div><dt>Wait to be billed</dt><dd>${countCell(meterPushes.pending)}<small>pushes; ${groupDigits(String(meterPushes.delivered))} are delivered, ${groupDigits(String(meterPushes.refused))} refused</small></dd></div>
  <div><dt><a href="#drift">Drift</a></dt><dd>${countCell(report.openDriftCount)}<small>sums that differ from OpenMeter’s</small></dd></div>
  <div><dt><a href="#quarantine">In quarantine</a></dt><dd>${countCell(totals.quarantinedTokenCount)}<small>of ${groupDigits(String(totals.collectedTokenCount))} tokens collected</small></dd></div>
</dl>`;
}

function whereTokensStand({ report: { totals } }: PipelineMaterial): Html {
  return html`<details class="panel"><summary>Where every token stands</summary><dl class="facts sums">
  <dt>Collected</dt><dd>${countCell(totals.collectedTokenCount)}</dd>
  <dt>= on final invoices</dt><dd>${countCell(totals.invoicedTokenCount)}</dd>
  <dt>+ delivered, awaiting its invoice</dt><dd>${countCell(totals.awaitingInvoiceTokenCount)}</dd>
  <dt>+ on its way</dt><dd>${countCell(totals.dueTokenCount)}</dd>
  <dt>+ in quarantine</dt><dd>${countCell(totals.quarantinedTokenCount)}</dd>
  <dt>+ uninvoiced</dt><dd>${countCell(totals.uninvoicedTokenCount)}</dd>
  <dt>+ written off</dt><dd>${countCell(totals.writtenOffTokenCount)}</dd>
  <dt>Difference</dt><dd>${countCell(totals.differenceTokenCount)}</dd>
</dl></details>`;
}

function coverage({ coverage: found }: PipelineMaterial): Html {
  if (found === null || found.control === null) {
    return html`<h2>Coverage</h2><p class="muted">Only one source is collected, so nothing can be compared. <code>CONTROL_SOURCE</code> names a second one.</p>`;
  }
  const { billing, control, differences } = found;
  return html`<h2>Coverage of the last ${COVERAGE_DAYS} days</h2>
<dl class="facts">
  <dt>The source that bills saw</dt><dd>${countCell(billing.tokenCount)} tokens in ${countCell(billing.requestCount)} requests</dd>
  <dt>The control saw</dt><dd>${countCell(control.tokenCount)} tokens in ${countCell(control.requestCount)} requests</dd>
  ${differences.map(({ reason, requestCount, tokenCount }) => html`<dt>${inWords(reason)}</dt><dd>${requestCount === null ? '' : html`${countCell(requestCount)} requests, `}${countCell(tokenCount)} tokens</dd>`)}
</dl>`;
}

export const pipelinePage = definePage<PipelineMaterial>({
  path: '/console/pipeline',
  title: 'The way of a token',
  scopes: ['finance'],
  rail: { title: 'Pipeline', key: 'p' },
  gather: gatherPipeline,
  show,
  wholeCsv: (view) => ({ waiting: quarantineCsv(view) }),
  acts: PIPELINE_ACTS,
});
