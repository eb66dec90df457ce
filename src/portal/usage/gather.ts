import { listStoredInvoices, type StoredInvoice } from '../../billing/invoice-lines.ts';
import { type DisplayNames, readDisplayNames } from '../../catalog/display-names.ts';
import { type CustomerPlan, readCustomerPlans } from '../../plans/customer-plans.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { CUSTOMER_PATIENCE } from '../../previews/dependencies.ts';
import { type AskedPreviews, askForPreviews } from '../../previews/gather.ts';
import { decideStatementsSoFar, type Statement } from '../../statements/decide.ts';
import { readStatementSoFar, type SoFarMaterial } from '../../statements/gather.ts';
import { type DaySpan, periodsOfGroups, readSpanUsers } from '../../statements/spans.ts';
import type { StatementUsageRows } from '../../statements/usage.ts';
import { readCollectedThrough } from '../../usage/hours/queries.ts';
import type { PortalView } from '../frame/define-page.ts';
import { readSpan } from '../statement/span.ts';

/** All that the first page rests on, as of one instant. */
export interface PeriodMaterial {
  soFar: SoFarMaterial;
  /** One for each subscription, in the order of the material. */
  statements: readonly Statement[];
  names: DisplayNames;
  invoices: readonly StoredInvoice[];
  plans: readonly CustomerPlan[];
  dataAsOf: Date | null;
  /** The days that the address picks, and their users, by subscription. */
  asked: { span: DaySpan; users: readonly StatementUsageRows['users'][] } | null;
}

/** @param wanted what of kept sums is to be up to date */
export async function askPeriod(
  { dependencies, reader }: PortalView,
  wanted: { users: boolean; history: boolean },
): Promise<AskedPreviews> {
  const patient = { ...dependencies, stripePatience: CUSTOMER_PATIENCE };
  return await askForPreviews(patient, reader.customerId, wanted);
}

/** As the previews know it; read where there is none. */
export async function dataAsOf(
  snapshot: LedgerSnapshot,
  { subscriptions: [first] }: Pick<SoFarMaterial, 'subscriptions'>,
): Promise<Date | null> {
  return first === undefined ? await readCollectedThrough(snapshot) : first.preview.hours.collectedThrough;
}

export async function gatherPeriod(
  snapshot: LedgerSnapshot,
  { reader: { customerId }, now, address }: PortalView,
  asked: AskedPreviews,
): Promise<PeriodMaterial> {
  const soFar = await readStatementSoFar(snapshot, customerId, { asked, now, history: true });
  const statements = decideStatementsSoFar(soFar);
  const span = readSpan(address.query);
  const users: StatementUsageRows['users'][] = [];
  if (span !== null) {
    for (const statement of statements) {
      const periods = periodsOfGroups(statement);
      users.push(await readSpanUsers(snapshot, { customerId, periods, span, isOpen: true }));
    }
  }
  return {
    soFar,
    statements,
    names: await readDisplayNames(snapshot, customerId),
    invoices: await listStoredInvoices(snapshot, customerId),
    plans: (await readCustomerPlans(snapshot, customerId)).plans,
    dataAsOf: await dataAsOf(snapshot, soFar),
    asked: span === null ? null : { span, users },
  };
}
