import { type AccrualTotals, sumAccruals } from '../../../../pricing/accruals/row.ts';
import { readSettledThrough } from '../../../accruals/gather.ts';
import { type CustomerAccruals, readAccruals } from '../../../accruals/report.ts';
import { readAccrualWindow } from '../../../accruals/window.ts';
import { type Finding, listFindings } from '../../../anomalies/findings.ts';
import { listCreditProposals } from '../../../billing/credits.ts';
import { listBudgets } from '../../../budgets/budgets.ts';
import { readStandings, type StandingBudget } from '../../../budgets/standings.ts';
import { type Customer, getCustomer } from '../../../catalog/customers.ts';
import { type InvoiceRow, readInvoices } from '../../../closing/invoice-list.ts';
import type { RollupFigures, RollupMoney } from '../../../costs/rollups/query.ts';
import { readRollupScope } from '../../../costs/rollups/scope.ts';
import { type DailyCell, readDailySeries } from '../../../costs/rollups/series.ts';
import { readRollupMoney, readRollupTotals } from '../../../costs/rollups/totals.ts';
import { hasScope } from '../../../identity/require-scope.ts';
import { type CustomerPlans, readCustomerPlans } from '../../../plans/customer-plans.ts';
import { DAY_MS, type TimeWindow } from '../../../platform/clock.ts';
import { type AuditRecord, listAudit } from '../../../platform/database/audit-log.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import { refreshPreviewSums } from '../../../previews/gather.ts';
import type { SubscriptionPreviewBody } from '../../../previews/schemas.ts';
import { readUpcomingPreviews } from '../../../previews/upcoming.ts';
import { type EarlierQuote, listEarlierQuotes } from '../../../quotes/earlier.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import { lastDays, passedEnd } from '../../rollups/decide.ts';
import { gatherBasis, type RollupBasis } from '../../rollups/gather.ts';
import { gatherUsage, type UsagePage } from './usage.ts';

const DRAWN_DAYS = 90;
/** More than a person reads on a page about something else; the pages of quotes and of the audit log have all. */
export const MOST_LISTED = 200;

/** What is still to be invoiced, and of which time. */
export interface Accrued {
  window: TimeWindow;
  totals: AccrualTotals[];
  rows: CustomerAccruals['rows'];
}

export interface CustomerMaterial {
  customer: Customer;
  plans: CustomerPlans;
  /** Of this customer, in the chosen period. */
  basis: RollupBasis<RollupFigures>;
  /** Of all customers and of nobody. */
  whole: RollupMoney;
  drawn: TimeWindow;
  days: DailyCell[];
  usage: UsagePage;
  previews: SubscriptionPreviewBody[];
  /** Usage that stood out, the newest. */
  findings: Finding[];
  budgets: StandingBudget[];
  quotes: EarlierQuote[];
  /** Null: they are not the reader's. */
  invoices: InvoiceRow[] | null;
  accrued: Accrued | null;
  acts: AuditRecord[] | null;
}

const idOf = ({ params }: ConsoleView) => params.customerId ?? '';

/** Brings the kept sums that the preview reads up to date; Stripe is not asked. */
export async function prepareCustomer(view: ConsoleView): Promise<void> {
  await refreshPreviewSums(view.dependencies, idOf(view));
}

/** @throws TallystickError UNKNOWN_CUSTOMER */
export async function gatherCustomer(snapshot: LedgerSnapshot, view: ConsoleView): Promise<CustomerMaterial> {
  const { now, period, caller } = view;
  const customerId = idOf(view);
  const customer = await getCustomer(snapshot, customerId);
  const basis = await gatherBasis(snapshot, view, { customerId }, readRollupTotals);
  const drawn = drawnWindow(period.window, now);
  const scope = await readRollupScope(snapshot, { window: drawn, filter: { customerId }, now });
  const [series] = await readDailySeries(snapshot, { ...scope, by: 'customer', top: 1 });
  const invoices = hasScope(caller, ['finance']) ? await readInvoices(snapshot, { customerId }) : null;
  const filter = { customerId, now };
  const firstPage = { order: 'created', isDescending: true, limit: MOST_LISTED, offset: 0 } as const;
  const quotes = await listEarlierQuotes(snapshot, filter, firstPage);
  return {
    customer,
    plans: await readCustomerPlans(snapshot, customerId),
    basis,
    whole: await readRollupMoney(snapshot, { ...basis.scope, filter: {} }),
    drawn,
    days: series?.days ?? [],
    usage: await gatherUsage(snapshot, view, basis),
    previews: await readUpcomingPreviews(snapshot, customerId, now),
    findings: await listFindings(snapshot, { customerId }, { beforeId: null, limit: MOST_LISTED, now }),
    budgets: await readStandings(snapshot, await listBudgets(snapshot, { customerId }), now),
    quotes,
    invoices,
    accrued: invoices === null ? null : await readAccrued(snapshot, customerId, now),
    acts: hasScope(caller, []) ? await readActs(snapshot, { customerId, invoices, quotes }) : null,
  };
}

/** The period, or as many days as show a trend where it is shorter. */
function drawnWindow(window: TimeWindow, now: Date): TimeWindow {
  const trend = lastDays(window, now, DRAWN_DAYS);
  const start = new Date(Math.min(trend.start.getTime(), window.start.getTime()));
  const end = passedEnd(window, now);
  return { start, end: end > start ? end : new Date(start.getTime() + DAY_MS) };
}

async function readAccrued(snapshot: LedgerSnapshot, customerId: string, now: Date): Promise<Accrued> {
  const window = readAccrualWindow({}, { settledThrough: await readSettledThrough(snapshot), now });
  const rows: CustomerAccruals['rows'] = [];
  for await (const customers of readAccruals(snapshot, { window, customerId, after: null })) {
    rows.push(...customers.flatMap((customer) => customer.rows));
  }
  return { window, totals: sumAccruals(rows), rows: rows.filter(({ place }) => place !== 'invoiced') };
}

/** What was done to the customer, to its invoices, credits and quotes: the newest. */
async function readActs(
  snapshot: LedgerSnapshot,
  of: { customerId: string; invoices: InvoiceRow[] | null; quotes: readonly EarlierQuote[] },
): Promise<AuditRecord[]> {
  const { customerId, invoices, quotes } = of;
  const credits = await listCreditProposals(snapshot, { customerId, afterId: 0n, limit: MOST_LISTED });
  const targets = [
    customerId,
    ...(invoices ?? []).map(({ invoiceId }) => invoiceId),
    ...credits.map(({ creditProposalId }) => `credit-${creditProposalId}`),
    ...quotes.map(({ quoteId }) => quoteId),
  ];
  return await listAudit(snapshot, { targets }, { limit: MOST_LISTED });
}
