import type Stripe from 'stripe';
import { UpstreamError } from '../platform/errors.ts';
import { type RetryPolicy, withRetry } from './retry.ts';

/** A right that the key lacks, and what for it is needed. */
export interface MissingRight {
  /** As the dashboard says it. */
  right: string;
  neededFor: string;
}

interface Probe extends MissingRight {
  /** A write that cannot succeed, so that it changes nothing: without what it requires, or of an object that is none. */
  ask: (stripe: Stripe) => Promise<unknown>;
}

const NO_OBJECT = 'tallystick_doctor';

const PROBES: readonly Probe[] = [
  {
    right: 'write on Billing meter events',
    neededFor: 'usage',
    ask: (stripe) => stripe.rawRequest('POST', '/v1/billing/meter_events', {}),
  },
  {
    right: 'write on Invoices',
    neededFor: 'closing periods',
    ask: (stripe) => stripe.invoices.update(`in_${NO_OBJECT}`, {}),
  },
  {
    right: 'write on Invoices (invoice items)',
    neededFor: 'late usage and minimums',
    ask: (stripe) => stripe.rawRequest('POST', '/v1/invoiceitems', {}),
  },
  {
    right: 'write on Credit notes',
    neededFor: 'credits',
    ask: (stripe) => stripe.rawRequest('POST', '/v1/credit_notes', {}),
  },
  {
    right: 'read on Events',
    neededFor: 'changes that no webhook brought',
    ask: (stripe) => stripe.events.list({ limit: 1 }),
  },
];

/**
 * Rights that the key lacks. Stripe looks at them before it looks at what is asked: a write that cannot succeed is refused
 * with 403 where the right is missing, and otherwise for what is wrong with it.
 * @throws UpstreamError when Stripe does not answer
 */
export async function findMissingRights(
  stripe: Stripe,
  policy: RetryPolicy,
  signal?: AbortSignal,
): Promise<MissingRight[]> {
  const missing: MissingRight[] = [];
  for (const { right, neededFor, ask } of PROBES) {
    const call = { action: `find out whether the key has ${right}`, writes: false };
    try {
      await withRetry(policy, call, () => ask(stripe), signal);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      if (error.statusCode === 403) missing.push({ right, neededFor });
      else if (error.code !== 'UPSTREAM_REJECTED') throw error;
    }
  }
  return missing;
}
