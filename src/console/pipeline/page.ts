import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { ageInWords, countCell, instantCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { groupDigits } from '../../pages/words.ts';
import type { StepRun } from '../../status/step-runs.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { PIPELINE_ACTS } from './acts.ts';
import { gatherPipeline, type PipelineMaterial } from './gather.ts';
import { quarantineTable } from './quarantine-table.ts';

function show(material: PipelineMaterial, view: ConsoleView) {
  const { report, entries, hasMore } = material;
  const waiting = quarantineTable(material, view);
  const steps = stepTable(view.now);
  return {
    body: html`<p class="lead">${answer(material, view.now)}</p>
${figures(material, view.now)}
${coverage(material)}
<h2 id="quarantine">Quarantine</h2>
<p class="muted">Usage that cannot go on, kept whole with its reason. Nothing of it is billed, and nothing is dropped.</p>
${hasMore ? html`<p class="notice warn">More waits than is listed here; the CSV has all of it.</p>` : ''}
${dataTable(waiting, entries, view.address)}
<h2>Steps</h2>
${dataTable(steps, report.steps, view.address)}`,
    csv: {
      waiting: () => csvOfTable(waiting, entries, view.address.query),
      steps: () => csvOfTable(steps, report.steps, view.address.query),
    },
  };
}

/** The answer in one sentence: what needs somebody, or that nothing does. */
function answer({ report, alarmAfterMs }: PipelineMaterial, now: Date): string {
  if (report.watermarks.length === 0) return 'Nothing has been collected yet.';
  const troubles = [
    report.openDriftCount > 0n
      ? `${report.openDriftCount} ${plural(report.openDriftCount, 'hour drifts', 'hours drift')}`
      : '',
    report.totals.differenceTokenCount === 0n ? '' : 'the ledger’s sums contradict each other',
    report.openMeterSink.outage === null ? '' : 'OpenMeter takes events and shows none',
    report.quarantine.some(({ oldestAt }) => now.getTime() - oldestAt.getTime() > alarmAfterMs)
      ? `usage waits in quarantine for ${ageInWords(Math.max(...report.quarantine.map(({ oldestAt }) => now.getTime() - oldestAt.getTime())))}`
      : '',
  ].filter((trouble) => trouble !== '');
  if (troubles.length === 0) return 'Every token is where it should be, or on its way.';
  const sentence = troubles.join('; ');
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}

const plural = (count: bigint, one: string, many: string) => (count === 1n ? one : many);

function figures({ report }: PipelineMaterial, now: Date): Html {
  const { totals, hours, usageEvents, meterPushes } = report;
  const oldest = hours.oldestOpenHour;
  return html`<dl class="figures">
  ${report.watermarks.map(({ source, position }) => html`<div><dt>Collected (${source})</dt><dd>${ageInWords(now.getTime() - position.getTime())} behind<small>up to ${instantCell(position)}</small></dd></div>`)}
  <div><dt>To be metered</dt><dd>${countCell(usageEvents.pending + usageEvents.sent)} events<small>${groupDigits(String(usageEvents.confirmed))} confirmed</small></dd></div>
  <div><dt>To be settled</dt><dd>${countCell(hours.openCount)} hours<small>${oldest === null ? 'none is open' : html`oldest ${instantCell(oldest)}`}</small></dd></div>
  <div><dt>To be billed</dt><dd>${countCell(meterPushes.pending)} pushes<small>${groupDigits(String(meterPushes.delivered))} delivered, ${groupDigits(String(meterPushes.refused))} refused</small></dd></div>
  <div><dt>Drift</dt><dd>${countCell(report.openDriftCount)}<small>differences that nobody has explained</small></dd></div>
  <div><dt>In quarantine</dt><dd>${countCell(totals.quarantinedTokenCount)} tokens<small>of ${groupDigits(String(totals.collectedTokenCount))} collected</small></dd></div>
</dl>
<details class="panel"><summary>Where every token stands</summary><dl class="facts">
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

function coverage({ coverage: found, coverageDays }: PipelineMaterial): Html {
  if (found === null || found.control === null) {
    return html`<h2>Coverage</h2><p class="muted">Only one source is collected, so nothing can be compared. CONTROL_SOURCE names a second one.</p>`;
  }
  const { billing, control, differences } = found;
  return html`<h2>Coverage of the last ${coverageDays} days</h2>
<dl class="facts">
  <dt>The source that bills saw</dt><dd>${countCell(billing.tokenCount)} tokens in ${countCell(billing.requestCount)} requests</dd>
  <dt>The control saw</dt><dd>${countCell(control.tokenCount)} tokens in ${countCell(control.requestCount)} requests</dd>
  ${differences.map(({ reason, requestCount, tokenCount }) => html`<dt>${reason.replaceAll('_', ' ')}</dt><dd>${requestCount === null ? '' : html`${countCell(requestCount)} requests, `}${countCell(tokenCount)} tokens</dd>`)}
</dl>`;
}

function stepTable(now: Date): TableDefinition<StepRun> {
  const ago = (instant: Date | null) =>
    instant === null
      ? html`<span class="muted">never</span>`
      : `${ageInWords(now.getTime() - instant.getTime())} ago`;
  return {
    name: 'steps',
    caption: 'Runs of each step',
    pageSize: 100,
    empty: 'No step has run yet.',
    columns: [
      {
        name: 'step',
        title: 'Step',
        kind: 'text',
        isRowHeader: true,
        cell: ({ step }) => step,
        csv: ({ step }) => step,
        sortBy: ({ step }) => step,
      },
      {
        name: 'succeeded',
        title: 'Succeeded',
        kind: 'text',
        cell: ({ lastSucceededAt }) => ago(lastSucceededAt),
        csv: ({ lastSucceededAt }) => lastSucceededAt?.toISOString() ?? null,
        sortBy: ({ lastSucceededAt }) => lastSucceededAt?.getTime() ?? null,
      },
      {
        name: 'failed',
        title: 'Failed',
        kind: 'text',
        cell: ({ lastFailedAt, lastError }) =>
          lastFailedAt === null
            ? ago(null)
            : html`${ago(lastFailedAt)} ${lastError === null ? '' : html`<span class="tag warn">${lastError}</span>`}`,
        csv: ({ lastFailedAt }) => lastFailedAt?.toISOString() ?? null,
        sortBy: ({ lastFailedAt }) => lastFailedAt?.getTime() ?? null,
      },
      {
        name: 'runs',
        title: 'Runs',
        kind: 'number',
        cell: ({ runCount }) => countCell(runCount),
        csv: ({ runCount }) => String(runCount),
        sortBy: ({ runCount }) => runCount,
      },
      {
        name: 'failures',
        title: 'Failures',
        kind: 'number',
        cell: ({ failedCount }) => countCell(failedCount),
        csv: ({ failedCount }) => String(failedCount),
        sortBy: ({ failedCount }) => failedCount,
      },
    ],
  };
}

export const pipelinePage = definePage<PipelineMaterial>({
  path: '/console/pipeline',
  title: 'The way of a token',
  scopes: ['finance'],
  rail: { title: 'Pipeline', key: 'p' },
  gather: gatherPipeline,
  show,
  acts: PIPELINE_ACTS,
});
