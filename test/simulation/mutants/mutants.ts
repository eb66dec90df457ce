import { sql } from 'kysely';
import { isOwnItem } from '../../../jobs/close/build-comparison.ts';
import type { JobDependencies } from '../../../jobs/dependencies.ts';
import { BUILT_IN_PROVIDERS } from '../../../pricing/usage/providers.ts';
import { FIGURE_NAMES, FIGURES, type MeterSlug } from '../../../pricing/usage/shape.ts';
import type { MeterHour } from '../../../src/openmeter/port.ts';
import { addMs, MINUTE_MS } from '../../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import type { ClosingInvoice } from '../../../src/stripe/closing/port.ts';
import { sumSentEvents } from '../../../src/usage/hours/settlements.ts';
import { type Mutant, runTask } from '../simulate.ts';

/**
 * One deliberately broken copy of each boundary. Each takes away one promise and leaves the rest alone; a
 * simulation that does not catch them would prove nothing about the real ones.
 */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'skips the outbox: every send carries fresh ids',
    alterDeps: (deps, world) => ({
      ...deps,
      metering: {
        ...deps.metering,
        ingestEvents: (bodies, signal) =>
          deps.metering.ingestEvents(
            bodies.map((body) => {
              world.freshIdCount += 1;
              return JSON.stringify({ ...JSON.parse(body), id: `fresh_${world.freshIdCount}` });
            }),
            signal,
          ),
      },
    }),
  },
  {
    name: 'uses an identifier again for the next revision',
    alterDeps: (deps) => ({
      ...deps,
      billing: {
        ...deps.billing,
        sendMeterEvent: (event, signal) => {
          const identifier = `${event.stripeCustomerId}_${event.eventName}_${event.timestamp.getTime()}`;
          return deps.billing.sendMeterEvent({ ...event, identifier }, signal);
        },
      },
    }),
  },
  {
    name: 'drops the safety lag',
    alterDeps: (deps) => ({ ...deps, settings: { ...deps.settings, collectLagMs: 0 } }),
  },
  {
    name: 'moves the watermark beyond what was asked for',
    alterDeps: (deps) => ({
      ...deps,
      source: {
        ...deps.source,
        queryRows: (query, signal) => {
          const end = addMs(query.window.end, -MINUTE_MS);
          const asked = end > query.window.start ? { ...query.window, end } : query.window;
          return deps.source.queryRows({ ...query, window: asked }, signal);
        },
      },
    }),
  },
  {
    name: 'pushes before it commits',
    factorOf: { 'push-usage': 10 },
    runTask: (deps, task) =>
      task === 'push-usage'
        ? deps.database
            .transaction()
            .execute((transaction) => runTask({ ...deps, database: transaction as LedgerDatabase }, task))
        : runTask(deps, task),
  },
  {
    name: 'uses a key again that Stripe has refused',
    alterStripe: (transport) => async (input, init) => {
      const request = new Request(input, init);
      const key = request.headers.get('idempotency-key');
      // The number of spent keys is its last part.
      if (key !== null) request.headers.set('idempotency-key', key.replace(/\.\d+$/, ''));
      return await transport(request);
    },
  },
  {
    name: 'counts what was delivered as billed',
    runTask: async (deps, task) => {
      const result = await runTask(deps, task);
      if (task === 'push-usage')
        await sql`update meter_pushes set fate = 'invoiced' where status = 'delivered' and fate is null`.execute(
          deps.database,
        );
      return result;
    },
  },
  {
    name: 'forgets the invoice items that Stripe makes when a price changes',
    // A price of which there is usage changes in this world.
    firstSeed: 22,
    alterDeps: (deps) => {
      const forget = (invoice: ClosingInvoice): ClosingInvoice => ({
        ...invoice,
        lines: invoice.lines.filter((line) => line.invoiceItemId === null || isOwnItem(line)),
      });
      return alterInvoices(deps, { read: forget, finalized: forget });
    },
  },
  {
    name: 'believes the draft: certifies what it showed before it was final',
    alterDeps: (deps) => {
      const drafts = new Map<string, ClosingInvoice>();
      const remember = (invoice: ClosingInvoice): ClosingInvoice => {
        const { invoiceId, status, finalizedAt } = invoice;
        if (status === 'draft') drafts.set(invoiceId, invoice);
        return { ...(drafts.get(invoiceId) ?? invoice), status, finalizedAt };
      };
      return alterInvoices(deps, { read: remember, finalized: remember });
    },
  },
  {
    name: 'trusts 204: settles without reading back',
    alterDeps: (deps) => ({
      ...deps,
      metering: { ...deps.metering, queryHourly: (meter, window) => answerFromLedger(deps, meter, window) },
    }),
  },
  {
    name: 'sends again before anything later is visible',
    runTask: async (deps, task) => {
      if (task === 'repair-usage')
        await sql`insert into sink_canaries (subject, passed_at) select distinct subject, ${deps.clock.now()}::timestamptz
                  from usage_events on conflict (subject) do update set passed_at = excluded.passed_at`.execute(
          deps.database,
        );
      return await runTask(deps, task);
    },
  },
  {
    name: 'bills minutes that contradict themselves as they are told',
    runTask: async (deps, task) => {
      if (task === 'sync-catalog')
        await sql`update source_items set accepted_at = ${deps.clock.now()}, retry_requested_at = ${deps.clock.now()}
                  where quarantine_reason = 'counts_disagree' and written_off_at is null`.execute(
          deps.database,
        );
      return await runTask(deps, task);
    },
  },
  {
    name: 'counts every model as if one maker had made them all',
    alterDeps: (deps) => {
      const rule = BUILT_IN_PROVIDERS.ruleOf('gpt-4o');
      return { ...deps, settings: { ...deps.settings, providers: { ruleOf: () => rule } } };
    },
  },
];

/** Invoices as they are read, and as finalizing answers them, seen through other eyes. */
function alterInvoices(
  deps: JobDependencies,
  see: Record<'read' | 'finalized', (invoice: ClosingInvoice) => ClosingInvoice>,
): JobDependencies {
  const { invoicing } = deps;
  return {
    ...deps,
    invoicing: {
      ...invoicing,
      readInvoice: async (invoiceId, signal) => {
        const invoice = await invoicing.readInvoice(invoiceId, signal);
        return invoice === null ? null : see.read(invoice);
      },
      finalizeInvoice: async (invoiceId, options, signal) => {
        const outcome = await invoicing.finalizeInvoice(invoiceId, options, signal);
        if (typeof outcome === 'string' || outcome.invoice === null) return outcome;
        return { invoice: see.finalized(outcome.invoice) };
      },
    },
  };
}

async function answerFromLedger(
  deps: JobDependencies,
  meter: MeterSlug,
  window: { start: Date; end: Date },
): Promise<MeterHour[]> {
  const hours: Date[] = [];
  for (let hour = window.start; hour < window.end; hour = addMs(hour, 60 * MINUTE_MS)) hours.push(hour);
  const figure = FIGURE_NAMES.find((name) => FIGURES[name].meterSlug === meter) ?? 'total';
  const sums = await sumSentEvents(deps.database, hours);
  return sums.map(({ figures, ...key }) => ({ ...key, value: figures[figure] }));
}
