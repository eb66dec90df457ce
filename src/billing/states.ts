import type { LedgerRow } from '../platform/database/schema/schema.ts';

/**
 * How far the close of an invoice is: the last step that is done. `issued`: finalized by us, its final lines not compared
 * yet; `held`: a difference that a person may release; `overtaken`: it became final without us and is only to be examined. The last five are ends.
 */
export const CLOSE_STATES = [
  'found',
  'claimed',
  'collected',
  'rescanned',
  'settled',
  'pushed',
  'compared',
  'annotated',
  'issued',
  'held',
  'released',
  'overtaken',
  'finalized',
  'finalized_without_us',
  'deleted',
  'voided',
  'left_alone',
] as const satisfies readonly LedgerRow<'closes'>['state'][];
export type CloseState = (typeof CLOSE_STATES)[number];

/** Nothing follows these. */
export const CLOSE_ENDS: readonly CloseState[] = [
  'finalized',
  'finalized_without_us',
  'deleted',
  'voided',
  'left_alone',
];

export type LateItemState = LedgerRow<'late_items'>['state'];
export const CREDIT_STATES = [
  'proposed',
  'approved',
  'created',
  'rejected',
] as const satisfies readonly LedgerRow<'credit_proposals'>['state'][];
export type CreditState = (typeof CREDIT_STATES)[number];
export type CreditCause = LedgerRow<'credit_proposals'>['cause'];

/** Older drafts than that are nobody's month end. */
export const DRAFTS_BACK = '70 days';
