import type { PriceSegment } from '../../pricing/prices/segments.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';

/** A cost that was worked out outside the database: a share of capacity, or what nobody used of it. */
export interface AllocatedCost {
  kind: 'provisioned' | 'idle';
  customerId: string | null;
  model: string;
  feature: string;
  deployment: string;
  tokenType: TokenType | null;
  tokenCount: bigint;
  costPicoUsd: bigint;
  reference: string;
  notes: string[];
}

/** Hours of a deployment that are paid by capacity, not by the token. */
export interface ProvisionedHours extends TimeWindow {
  deployment: string;
}

/** What a day is rated by. */
export interface RatedDay {
  /** Prices of every kind of usage in the day. */
  segments: readonly PriceSegment[];
  /** Hours that are not priced by the token, being allocated. */
  provisioned: readonly ProvisionedHours[];
  allocated: readonly AllocatedCost[];
  priceBookVersion: string;
  now: Date;
}
