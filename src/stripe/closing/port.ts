import type { TimeWindow } from '../../platform/clock.ts';
import type { BillingInvoice, BillingInvoiceLine } from '../port.ts';

/**
 * What ends a period at Stripe, and what comes after. All calls throw UpstreamError. A call that writes takes an
 * idempotency key: the same for the same intent, however often a job is run again, and another one for another.
 */
export interface InvoiceSystem {
  /** An invoice with all of its lines, as it is now; null: there is none (a draft may be deleted by a person). */
  readInvoice(invoiceId: string, signal?: AbortSignal): Promise<ClosingInvoice | null>;
  /**
   * Holds a draft: it will be finalized by Stripe at `finalizeNoLaterThan` (whole seconds) even if we never come back,
   * and not before. Says whose it is in `metadata.tallystick_close`, which gets the idempotency key.
   * @throws UpstreamError UPSTREAM_REJECTED when the deadline has passed
   */
  claimInvoice(
    invoiceId: string,
    claim: { finalizeNoLaterThan: Date; idempotencyKey: string },
    signal?: AbortSignal,
  ): Promise<'claimed' | ClosedDraft>;
  /**
   * Writes what the customer reads, on a draft. Sets, so it may be repeated; what is not given stays.
   * @throws ValidationError naming the field, before any call, when Stripe's limits are exceeded
   */
  annotateInvoice(
    invoiceId: string,
    annotation: InvoiceAnnotation,
    signal?: AbortSignal,
  ): Promise<'annotated' | ClosedDraft>;
  /**
   * Finalizes a draft now. Whoever did it before, the answer is then `already_final`. `invoice`: as it is final; null where
   * the answer does not hold all of its lines.
   * @throws UpstreamError UPSTREAM_REJECTED, see `refusals.ts`, while it stays a draft
   */
  finalizeInvoice(
    invoiceId: string,
    options: { idempotencyKey: string },
    signal?: AbortSignal,
  ): Promise<{ invoice: ClosingInvoice | null } | ClosedDraft>;
  /**
   * Adds an item to a draft, or to the next invoice of the subscription, or to the customer's next one. Made once for
   * an idempotency key however old that is: Stripe is asked first whether the customer has an item of it.
   * @throws ValidationError; UpstreamError UPSTREAM_REJECTED when the invoice is no draft any more, or is full
   */
  createInvoiceItem(item: NewInvoiceItem, signal?: AbortSignal): Promise<{ invoiceItemId: string }>;
  /**
   * Gives an item of a draft another amount; one that comes to nothing is taken away. Sets, so it may be repeated.
   * @throws UpstreamError UPSTREAM_REJECTED when the invoice is no draft any more
   */
  changeInvoiceItem(
    invoiceItemId: string,
    change: { amountMinor: bigint; idempotencyKey: string },
    signal?: AbortSignal,
  ): Promise<void>;
  /** All items of a customer that were not made by a subscription, billed ones too, oldest first. */
  listInvoiceItems(stripeCustomerId: string, signal?: AbortSignal): Promise<BillingInvoiceItem[]>;
  /**
   * Credits a finalized invoice, with the tax and the discounts that are on what is credited, as Stripe's own preview has
   * them. An open one is then owed less; of what was paid `paidPart` says where it goes. Made once for an idempotency key,
   * however old that is. Nothing is made where less is left than is to be credited.
   * @throws ValidationError; UpstreamError UPSTREAM_REJECTED when the invoice is neither open nor paid
   */
  createCreditNote(note: NewCreditNote, signal?: AbortSignal): Promise<CreditNoteOutcome>;
  /** From which amount of unbilled usage on, in minor units, Stripe invoices a subscription within its period; null: it does not. */
  readBillingThreshold(subscriptionId: string, signal?: AbortSignal): Promise<bigint | null>;
  /**
   * Sets that amount, the period going on; null takes it away. Stripe looks at it when usage comes. Sets, so it may be repeated.
   * @throws UpstreamError UPSTREAM_REJECTED where the subscription allows none
   */
  setBillingThreshold(
    subscriptionId: string,
    threshold: { amountGteMinor: bigint | null; idempotencyKey: string },
    signal?: AbortSignal,
  ): Promise<void>;
  /**
   * What happened in the account since an instant, that instant included, oldest first. Stripe keeps thirty days and
   * leaves older ones away without a word. Thin events are not in the list. Each 100 events cost a rationed read.
   */
  listEvents(
    query: { since: Date; types?: readonly string[] },
    signal?: AbortSignal,
  ): Promise<BillingEvent[]>;
}

/** It is too late to change the draft: it is final, or was deleted. */
export type ClosedDraft = 'already_final' | 'deleted';

export interface ClosingInvoice extends BillingInvoice {
  lines: ClosingInvoiceLine[];
  autoAdvance: boolean;
  /** When Stripe will finalize the draft by itself; null: never, or it did. */
  automaticallyFinalizesAt: Date | null;
  finalizedAt: Date | null;
  /** The customer's own page of it; null for a draft. */
  hostedUrl: string | null;
  metadata: Record<string, string>;
  memo: string | null;
  footer: string | null;
  customFields: InvoiceCustomField[];
  /** Minor units; an invoice to be collected by transfer is owed like any other. */
  amountDueMinor: bigint;
  amountPaidMinor: bigint;
  customerHasPaymentMethod: boolean;
  /**
   * What the subscription does with its invoices now, in Stripe's word (`keep_as_draft`, `void`, …); null: it collects.
   * Claiming or finalizing a draft that is kept would bill a customer who was told that he is not billed.
   */
  collectionPause: string | null;
}

/** In the metadata of every invoice item of ours, and so of its line. */
export const KEY_METADATA_KEY = 'tallystick_key';

export interface ClosingInvoiceLine extends BillingInvoiceLine {
  /** Set for a line that an invoice item made. */
  invoiceItemId: string | null;
  metadata: Record<string, string>;
}

interface InvoiceCustomField {
  /** At most 40 characters. */
  name: string;
  /** At most 140 characters. */
  value: string;
}

export interface InvoiceAnnotation {
  /** Shown above the lines; at most 1,500 characters. */
  memo?: string;
  /** At most 5,000 characters. */
  footer?: string;
  /** At most four; replaces those the invoice has. */
  customFields?: readonly InvoiceCustomField[];
  metadata?: Readonly<Record<string, string>>;
  /** At most 500 characters each. */
  lines?: readonly { lineId: string; description: string; metadata?: Readonly<Record<string, string>> }[];
  idempotencyKey: string;
}

export type NewInvoiceItem = InvoiceItemTarget &
  /** The amount as a whole in minor units (negative: a credit), or a quantity at a price in minor units. */
  ({ amountMinor: bigint } | { quantity: bigint; unitAmountDecimal: string });

interface InvoiceItemTarget {
  stripeCustomerId: string;
  /** Only on this subscription's next invoice. */
  subscriptionId?: string;
  /** Onto this draft. */
  invoiceId?: string;
  currency: string;
  /** What the customer reads; at most 500 characters. */
  description: string;
  /** In what time the usage was. Half-open; Stripe prints it on the line. */
  period: TimeWindow;
  /** Whose tax it has; absent: none of its own. */
  taxedAs?: TaxedAs;
  metadata?: Readonly<Record<string, string>>;
  idempotencyKey: string;
}

/** What an item beside the lines is taxed like. */
export interface TaxedAs {
  subscriptionItemId: string;
  /** Null: the price that the item has. */
  priceId: string | null;
}

export interface BillingInvoiceItem {
  invoiceItemId: string;
  stripeCustomerId: string;
  subscriptionId: string | null;
  /** Null: pending, waiting for the next invoice. */
  invoiceId: string | null;
  description: string;
  currency: string;
  amountMinor: bigint;
  quantity: bigint;
  period: TimeWindow;
  metadata: Record<string, string>;
  /** The key it was made under by us; null: made by somebody else. */
  idempotencyKey: string | null;
}

export interface NewCreditNote {
  invoiceId: string;
  /** Minor units above 0. Of lines at their price: before discounts, with inclusive tax and without exclusive tax. */
  amountMinor: bigint;
  /** Lines that it is taken off, the first the first; without any it comes off the whole, tax included. */
  lineIds?: readonly string[];
  reason: 'duplicate' | 'fraudulent' | 'order_change' | 'product_unsatisfactory';
  /** What the customer reads; at most 5,000 characters. */
  memo: string;
  metadata?: Readonly<Record<string, string>>;
  /** Absent: `customer_balance`. A refund of what the customer's balance paid goes to that. */
  paidPart?: PaidPart;
  idempotencyKey: string;
}

/** Where what was paid goes: to the customer's balance, which the next invoices use up; back; or it is paid elsewhere. */
export const PAID_PARTS = ['customer_balance', 'refund', 'outside_stripe'] as const;
export type PaidPart = (typeof PAID_PARTS)[number];

/** The note with its total, tax included; or what is left. */
export type CreditNoteOutcome = { creditNoteId: string; totalMinor: bigint } | CreditBeyond;

export interface CreditBeyond {
  /** So much can be credited at most, in the measure of the amount that was asked for. */
  creditableMinor: bigint;
  /** Other notes have taken it; or nothing of it was charged in money: discounts and billing credits paid for it. */
  reason: 'credited_before' | 'not_charged';
}

/** What happened, without the object as it then was: objects are read again. */
export interface BillingEvent {
  eventId: string;
  type: string;
  createdAt: Date;
  livemode: boolean;
  apiVersion: string | null;
  objectType: string | null;
  objectId: string | null;
  stripeCustomerId: string | null;
}
