import { INVOICE_REASONS, TAKEN_UP_REASONS, UNINVOICED_REASONS } from '../../../pricing/closing/fate.ts';
import { type CreditProposal, listCreditProposals } from '../../billing/credits.ts';
import { listSecondPersonRequests, type SecondPersonRequest } from '../../billing/second-person/requests.ts';
import { listUninvoiced } from '../../billing/uninvoiced/desk.ts';
import type { UninvoicedGroup } from '../../billing/uninvoiced/groups.ts';
import { type InvoiceRow, readInvoices } from '../../closing/invoice-list.ts';
import { readStanding, type StandingRequest } from '../../closing/second-person/decide.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import type { ConsoleView } from '../frame/define-page.ts';

/** Why usage waits for a person's word, of itself and not with the invoice that it was on. */
const WAITING_REASONS = UNINVOICED_REASONS.filter(
  (reason) => !TAKEN_UP_REASONS.includes(reason) && !INVOICE_REASONS.includes(reason),
);

/** More than a person decides one by one: beyond it the page says that there is more. */
export const MOST_LISTED = 1_000;

export interface InvoicesMaterial {
  /** Open ones of every period. */
  open: InvoiceRow[];
  /** All of the chosen period. */
  ofPeriod: InvoiceRow[];
  proposed: CreditProposal[];
  /** Usage that waits for a person's word, and was on no invoice. */
  undecided: UninvoicedGroup[];
  /** Acts that wait for a second person, with how they stand. */
  asked: StandingRequest[];
}

/** Acts that wait for a second person. */
export async function listWaiting(
  snapshot: LedgerSnapshot,
  { now }: ConsoleView,
): Promise<SecondPersonRequest[]> {
  const query = { states: ['waiting'] as const, now };
  return await listSecondPersonRequests(snapshot, query, { afterId: 0n, limit: MOST_LISTED });
}

async function readAsked(snapshot: LedgerSnapshot, view: ConsoleView): Promise<StandingRequest[]> {
  const asked: StandingRequest[] = [];
  for (const request of await listWaiting(snapshot, view)) asked.push(await readStanding(snapshot, request));
  return asked;
}

export async function gatherInvoices(snapshot: LedgerSnapshot, view: ConsoleView): Promise<InvoicesMaterial> {
  const { currency, period } = view;
  const isChosen = (row: { currency: string }) => currency === null || row.currency === currency;
  const open = await readInvoices(snapshot, { isOpen: true });
  const ofPeriod = await readInvoices(snapshot, { periodEnds: period.window });
  const proposed = await listCreditProposals(snapshot, {
    states: ['proposed'],
    afterId: 0n,
    limit: MOST_LISTED,
  });
  const undecided = await listUninvoiced(
    snapshot,
    { states: ['open'], reasons: WAITING_REASONS },
    { afterId: 0n, limit: MOST_LISTED },
  );
  return {
    open: open.filter(isChosen),
    ofPeriod: ofPeriod.filter(isChosen),
    proposed: proposed.filter(isChosen),
    undecided,
    asked: await readAsked(snapshot, view),
  };
}
