import type { StripeState } from './state.ts';

/** What the happenings of an account are played with. */
export interface BillingAccount {
  state: StripeState;
  /** How long a draft waits before it finalizes itself. */
  gracePeriodHours: number;
  /** Invoices see a meter event so long after it was received. */
  aggregationDelayMs: number;
  draftQuantities: DraftQuantities;
  /** Records an event and sends it to the webhooks. */
  emit: Emit;
}

export type DraftQuantities = 'follow' | 'stand_still';

type Emit = (type: string, object: object, atMs: number) => void;
