import { afterEach, expect, it } from 'vitest';
import type { z } from 'zod';
import { HOUR_MS } from '../../src/platform/clock.ts';
import type {
  EvidenceEventsSchema,
  EvidenceHoursSchema,
  EvidenceLinesSchema,
  EvidenceSourceSchema,
} from '../../src/statements/evidence/schemas.ts';
import type { StatementBody } from '../../src/statements/schemas.ts';
import { call, callersOf, closeOf, openClosing, runUntil } from '../setup/closing.ts';
import { describeForBothDrafts } from '../setup/drafts.ts';
import type { Pipeline } from '../setup/pipeline.ts';
import { openPipelineReads } from '../setup/pipeline-api.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const sum = (values: readonly string[]) => values.reduce((total, value) => total + BigInt(value), 0n);

describeForBothDrafts('a closed invoice', () => {
  it('the statement of a closed invoice is the invoice, and its evidence leads to the rows of the source', async () => {
    pipeline = await openClosing();
    const [caller] = callersOf(pipeline);
    call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 200_000 });
    await runUntil(pipeline, 0, 18 * 60);
    await runUntil(pipeline, 3, 60);
    call(pipeline, caller, { hour: 7, ingestedAtHour: 40, prompt: 2_000_000, completion: 0 });
    await runUntil(pipeline, 7, 60);
    const first = (await closeOf(pipeline, caller?.customerId)).close;
    pipeline.advanceTo(Date.UTC(2026, 10, 2, 12) - HOUR_MS);
    await pipeline.run();
    for (let hour = 0; hour < 5; hour += 1) await pipeline.tick(1);
    const second = (await closeOf(pipeline, caller?.customerId)).close;
    const ask = await openPipelineReads(pipeline, 'finance');

    const statement = await ask<StatementBody>(`/v1/statements/${first.invoiceId}`);
    const invoice = await pipeline.deps.invoicing.readInvoice(first.invoiceId);
    expect(statement.status).toBe('final');
    expect(sum(statement.lines.map(({ amount }) => (amount ?? '').replace('.', '')))).toBe(
      invoice?.totalMinor,
    );
    expect(statement.totals.amount?.replace('.', '')).toBe(String(invoice?.totalMinor).padStart(3, '0'));
    expect(statement.lines.map(({ text }) => text)).toContain('GPT-4o input tokens, 1,000,000 tokens');
    expect([statement.byDay.rest, statement.byUser.rest]).toEqual([null, null]);
    expect(statement.certificate?.sha256).toMatch(/^[0-9a-f]{64}$/);
    // What came too late for it is on the next one, and both say so.
    expect(statement.missed).toMatchObject([
      { name: 'GPT-4o input tokens', tokenCount: '2000000', billedOnInvoiceId: second.invoiceId },
    ]);
    const next = await ask<StatementBody>(`/v1/statements/${second.invoiceId}`);
    expect(next.lines.filter(({ kind }) => kind === 'late')).toMatchObject([
      { name: 'GPT-4o input tokens', quantity: '2000000', amount: '6.00' },
    ]);
    expect(next.billedLate).toHaveLength(1);

    const { lines } = await ask<z.infer<typeof EvidenceLinesSchema>>(`/v1/invoices/${first.invoiceId}/lines`);
    const used = lines.filter(({ quantity }) => quantity !== null && quantity !== '0');
    expect(used.length).toBeGreaterThan(0);
    const late = await ask<z.infer<typeof EvidenceLinesSchema>>(`/v1/invoices/${second.invoiceId}/lines`);
    for (const line of [...used, ...late.lines.filter(({ kind }) => kind === 'late')]) {
      const evidence = await ask<z.infer<typeof EvidenceHoursSchema>>(`${line.evidence}?limit=1000`);
      expect(evidence.agreement.note).toBeNull();
      expect(sum(evidence.hours.map(({ tokenCount }) => tokenCount))).toBe(BigInt(evidence.lineTokenCount));
      for (const hour of evidence.hours.slice(0, 3)) {
        expect(hour.agreement.agrees).toBe(true);
        const events = await ask<z.infer<typeof EvidenceEventsSchema>>(`${hour.events}?limit=1000`);
        expect(events.agreement.note).toBeNull();
        expect(events.hourTokenCount).toBe(hour.tokenCount);
        const source = await ask<z.infer<typeof EvidenceSourceSchema>>(events.events[0]?.source ?? '');
        expect(source.agreement.note).toBeNull();
        expect(source.queries[0]?.queryText).toContain('AppMetrics');
      }
    }
  });
});
