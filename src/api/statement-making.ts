import type { TimeWindow } from '../clock.ts';
import { getCustomer } from '../ledger/customers.ts';
import { isFinalStatus } from '../ledger/invoice-lines.ts';
import { readActiveItems } from '../ledger/preview-items.ts';
import { readStatementFacts, type StatementFacts } from '../ledger/statement-facts.ts';
import { refreshStatementSlices } from '../ledger/statement-slices.ts';
import {
  readStatementUsage,
  readUnpushedStatementUsage,
  type StatementUsageRows,
} from '../ledger/statement-usage.ts';
import type { ApiDependencies, PreviewCache } from './dependencies.ts';
import { previewInvoices } from './invoice-preview.ts';
import { showStatement } from './statement-body.ts';
import { linesOfPreview, readStatedInvoice, type StatementLine } from './statement-lines.ts';
import type { StatementBody, StatementPreviewBody } from './statement-schemas.ts';

/** What a statement says of its invoice as a whole. */
export interface StatementHead {
  invoiceId: string | null;
  number: string | null;
  status: StatementBody['status'];
  customerId: string;
  customerName: string;
  subscriptionId: string | null;
  currency: string;
  period: TimeWindow;
  dataAsOf: Date;
  linesReadAt: Date | null;
  /** Null: the sum of the lines, as far as it is known. */
  totalMinor: bigint | null;
  amountDueMinor: bigint | null;
}

/** Everything a statement shows, before it is put into words. */
export interface StatementMaterial {
  head: StatementHead;
  lines: readonly StatementLine[];
  usage: StatementUsageRows;
  facts: StatementFacts;
}

/**
 * The usage statement of an invoice: its lines as Stripe has them, divided by what the ledger pushed for them.
 * @throws TallystickError NOT_FOUND; UpstreamError when its lines are not known and Stripe does not answer
 */
export async function makeInvoiceStatement(
  dependencies: ApiDependencies,
  invoiceId: string,
): Promise<StatementBody> {
  const { invoice, lines } = await readStatedInvoice(dependencies, invoiceId);
  const { status } = invoice;
  return await makeStatement(dependencies, {
    head: {
      ...invoice,
      status: status === 'void' ? 'void' : isFinalStatus(status) ? 'final' : 'draft',
      dataAsOf: invoice.readAt ?? dependencies.clock.now(),
      linesReadAt: invoice.readAt,
    },
    lines,
  });
}

/**
 * The same form for what a customer's next invoices would be now, one for each subscription.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function makePreviewStatements(
  dependencies: ApiDependencies & { previewCache: PreviewCache },
  customerId: string,
): Promise<StatementPreviewBody> {
  const { database, clock } = dependencies;
  const customer = await getCustomer(database, customerId);
  const preview = await previewInvoices(dependencies, customerId);
  const items = await readActiveItems(database, customerId);
  const statements: StatementBody[] = [];
  for (const subscription of preview.subscriptions) {
    const statement = await makeStatement(dependencies, {
      head: {
        invoiceId: null,
        number: null,
        status: 'so_far',
        customerId,
        customerName: customer.name,
        subscriptionId: subscription.subscriptionId,
        currency: subscription.currency,
        period: { start: new Date(subscription.periodStart), end: new Date(subscription.periodEnd) },
        dataAsOf: clock.now(),
        linesReadAt: subscription.stripe.asOf === null ? null : new Date(subscription.stripe.asOf),
        totalMinor: null,
        amountDueMinor: null,
      },
      lines: linesOfPreview(subscription, items),
    });
    statements.push(statement);
  }
  return { customerId, asOf: clock.now().toISOString(), statements };
}

async function makeStatement(
  { database, clock }: ApiDependencies,
  { head, lines }: Pick<StatementMaterial, 'head' | 'lines'>,
): Promise<StatementBody> {
  const { customerId, invoiceId } = head;
  const metered = lines.filter(isUsageLine);
  const period = metered[0]?.period ?? head.period;
  const periods = [...new Map(metered.map((line) => [line.period.start.getTime(), line.period])).values()];
  await refreshStatementSlices(database, customerId, { periods, now: clock.now(), users: true });
  const meterIds = [...new Set(metered.map((line) => line.stripeMeterId ?? ''))];
  const isOpen = head.status === 'draft' || head.status === 'so_far';
  const [pushed, waiting, facts] = await Promise.all([
    readStatementUsage(database, customerId, periods),
    isOpen
      ? Promise.all(periods.map((one) => readUnpushedStatementUsage(database, customerId, one)))
      : Promise.resolve([]),
    readStatementFacts(database, { customerId, invoiceId, period, meterIds }),
  ]);
  const usage = {
    usage: [...pushed.usage, ...waiting.flatMap((rows) => rows.usage)],
    users: [...pushed.users, ...waiting.flatMap((rows) => rows.users)],
  };
  return showStatement({ head: { ...head, period }, lines, usage, facts });
}

/** Whether the line bills metered usage of its own period. */
export function isUsageLine(line: Pick<StatementLine, 'stripeMeterId' | 'subscriptionItemId'>): boolean {
  return line.stripeMeterId !== null && line.subscriptionItemId !== null;
}
