/** A half-open stretch of time. */
export interface Span {
  start: Date;
  end: Date;
}

/** Why delivered usage is on no invoice, and on none that is to come by itself. */
export const UNINVOICED_REASONS = [
  'subscription_cancelled',
  'customer_deleted',
  'price_swapped',
  'item_removed',
  'no_invoice',
  'missing_on_invoice',
  'in_trial',
  'draft_deleted',
  'invoice_voided',
  'invoice_credited',
  'invoice_uncollectible',
] as const;
export type UninvoicedReason = (typeof UNINVOICED_REASONS)[number];

/** The invoice was there, and a person, or Stripe at a person's word, took it back: only a person can say what follows. */
export const INVOICE_REASONS: readonly UninvoicedReason[] = [
  'invoice_voided',
  'invoice_credited',
  'invoice_uncollectible',
];

/**
 * Of these the next invoice of the customer takes up what is left: nobody meant it to be free. Of the others somebody may
 * have, so that a person says it first.
 */
export const TAKEN_UP_REASONS: readonly UninvoicedReason[] = [
  'subscription_cancelled',
  'customer_deleted',
  'price_swapped',
  'item_removed',
  'no_invoice',
  'missing_on_invoice',
];

/** What became of an invoice, as far as its usage goes. `unread`: final, and its lines are not known yet. */
export type InvoiceStanding =
  | 'draft'
  | 'unread'
  | 'final'
  | 'voided'
  | 'deleted'
  | 'credited'
  | 'uncollectible';

export interface FateInvoice {
  invoiceId: string;
  subscriptionId: string | null;
  standing: InvoiceStanding;
  period: Span;
  /** Where it has a line of the meter. */
  lines: readonly Span[];
}

/** A subscription that has, or had, an item of the meter. */
export interface FateSubscription {
  subscriptionId: string;
  /** Any item of it is active: it goes on. */
  isAlive: boolean;
  /** When it ended, or what is known of it was read without it; null while it is alive. */
  endedAt: Date | null;
  /** Since when its running period runs, whose invoice may have what an item was used for that is gone; null: it ended. */
  runningSince: Date | null;
  /** The items of the meter that it has, or had. */
  items: readonly {
    startedAt: Date;
    endsAt: Date | null;
    periodStart: Date;
    trialEndsAt: Date | null;
  }[];
}

/** All that the fate of usage that a customer's meter was told is decided from. */
export interface FateFacts {
  isCustomerDeleted: boolean;
  subscriptions: readonly FateSubscription[];
  invoices: readonly FateInvoice[];
  now: Date;
}

export type Fate =
  /** An invoice that is to come will have it, or may. */
  | { kind: 'awaiting' }
  /** This invoice must be read to tell. */
  | { kind: 'unread'; invoiceId: string }
  | { kind: 'invoiced'; invoiceId: string }
  | {
      kind: 'uninvoiced';
      reason: UninvoicedReason;
      subscriptionId: string | null;
      /** The invoice that would have had it. */
      invoiceId: string | null;
    };

const AWAITING: Fate = { kind: 'awaiting' };
const HOUR_MS = 3_600_000;
/** Stripe makes the last invoice with the cancellation; what it tells of both may be read a little apart. */
const LAST_INVOICE_WITHIN_MS = HOUR_MS;
/** Stripe makes a period's draft within the hour of its end; so long it may take us to hear of it. */
const DRAFT_WITHIN_MS = 24 * HOUR_MS;

const covers = ({ start, end }: Span, at: Date) => at >= start && at < end;

/**
 * What becomes of what was used, and delivered, at an instant. A line that has it is the last word; there is hope while a
 * draft, a running period or an unread invoice may still bring one; then the reason is the first that the facts name.
 */
export function decideFate(facts: FateFacts, at: Date): Fate {
  const { subscriptions, now } = facts;
  const ownIds = new Set(subscriptions.map(({ subscriptionId }) => subscriptionId));
  const invoices = facts.invoices.filter(
    ({ subscriptionId, lines }) =>
      lines.some((line) => covers(line, at)) || (subscriptionId !== null && ownIds.has(subscriptionId)),
  );
  const onLine = (standing: InvoiceStanding) =>
    invoices.find(
      (invoice) => invoice.standing === standing && invoice.lines.some((line) => covers(line, at)),
    );
  const inPeriod = (standing: InvoiceStanding) =>
    onLine(standing) ??
    invoices.find((invoice) => invoice.standing === standing && covers(invoice.period, at));
  const final = onLine('final');
  if (final !== undefined) return { kind: 'invoiced', invoiceId: final.invoiceId };
  const unread = inPeriod('unread');
  if (unread !== undefined) return { kind: 'unread', invoiceId: unread.invoiceId };
  if (inPeriod('draft') !== undefined) return AWAITING;
  for (const [standing, reason] of TAKEN_BACK) {
    const invoice = onLine(standing);
    if (invoice !== undefined) return lost(reason, invoice.subscriptionId, invoice.invoiceId);
  }
  if (subscriptions.some(({ runningSince }) => runningSince !== null && at >= runningSince)) return AWAITING;

  const concerned = subscriptions.filter(({ items }) =>
    items.some(({ startedAt, endsAt }) => at >= startedAt && (endsAt === null || at < endsAt)),
  );
  const subscription = concerned[0] ?? subscriptions[0];
  if (subscription === undefined) return lost(nobodys(facts), null, null);
  const { subscriptionId, endedAt } = subscription;
  if (subscription.items.some(({ trialEndsAt }) => trialEndsAt !== null && at < trialEndsAt))
    return lost('in_trial', subscriptionId, null);
  // A draft that was made for it, and is no more.
  const own = (standing: InvoiceStanding) =>
    invoices.find(
      (invoice) =>
        invoice.standing === standing &&
        invoice.subscriptionId === subscriptionId &&
        covers(invoice.period, at),
    );
  const deleted = own('deleted');
  if (deleted !== undefined) return lost('draft_deleted', subscriptionId, deleted.invoiceId);
  const voided = own('voided');
  if (voided !== undefined) return lost('invoice_voided', subscriptionId, voided.invoiceId);
  const ended = own('final') ?? own('credited') ?? own('uncollectible');
  if (ended !== undefined) return lost(whyNoLine(subscription, at), subscriptionId, ended.invoiceId);
  if (endedAt !== null) {
    if (now.getTime() < endedAt.getTime() + LAST_INVOICE_WITHIN_MS) return AWAITING;
    return lost(nobodys(facts), subscriptionId, null);
  }
  // Its period is over, and nobody has heard of an invoice.
  const { runningSince } = subscription;
  if (runningSince === null || now.getTime() < runningSince.getTime() + DRAFT_WITHIN_MS) return AWAITING;
  return lost('no_invoice', subscriptionId, null);
}

const TAKEN_BACK = [
  ['voided', 'invoice_voided'],
  ['credited', 'invoice_credited'],
  ['uncollectible', 'invoice_uncollectible'],
] as const;

function lost(reason: UninvoicedReason, subscriptionId: string | null, invoiceId: string | null): Fate {
  return { kind: 'uninvoiced', reason, subscriptionId, invoiceId };
}

function nobodys({ isCustomerDeleted }: FateFacts): UninvoicedReason {
  return isCustomerDeleted ? 'customer_deleted' : 'subscription_cancelled';
}

/** The invoice of its period is final, and has no line for it. */
function whyNoLine({ items, isAlive }: FateSubscription, at: Date): UninvoicedReason {
  if (items.some(({ startedAt, endsAt }) => endsAt === null && at >= startedAt)) return 'price_swapped';
  return isAlive ? 'item_removed' : 'subscription_cancelled';
}

/**
 * The fates of a span, in stretches that the facts cut: within one all instants share theirs. The first begins where the
 * facts cut last before the span.
 */
export function decideFates(
  facts: FateFacts,
  { start: since, end: until }: Span,
): { span: Span; fate: Fate }[] {
  const cuts = [
    ...facts.invoices.flatMap(({ period, lines }) =>
      [period, ...lines].flatMap(({ start, end }) => [start, end]),
    ),
    ...facts.subscriptions.flatMap(({ runningSince, items }) => [
      runningSince,
      ...items.flatMap(({ startedAt, endsAt, periodStart, trialEndsAt }) => [
        startedAt,
        endsAt,
        periodStart,
        trialEndsAt,
      ]),
    ]),
  ].flatMap((cut) => (cut !== null && cut < until ? cut.getTime() : []));
  const first = cuts.reduce((last, cut) => (cut <= since.getTime() && cut > last ? cut : last), 0);
  const starts = [
    first === 0 ? since.getTime() : first,
    ...new Set(cuts.filter((cut) => cut > since.getTime())),
  ].sort((one, other) => one - other);
  return starts.map((start, index) => {
    const span = { start: new Date(start), end: new Date(starts[index + 1] ?? until.getTime()) };
    return { span, fate: decideFate(facts, span.start) };
  });
}
