import Stripe from 'stripe';

export type StripeEventKind = 'snapshot' | 'thin';

/** What we take from an event. The object it tells of is read again from Stripe: order is not promised. */
export interface VerifiedStripeEvent {
  id: string;
  type: string;
  relatedObjectId: string | null;
  /** What kind of object that is, as snapshots name it: `subscription`, `billing.meter`. */
  objectType: string | null;
  /** Whose event it is, where Stripe says so: as it does to whoever acts for several accounts. */
  account: string | null;
  occurredAt: Date | null;
  /** Small enough to keep, and without the names and addresses that snapshots carry. */
  summary: Record<string, unknown>;
}

/** The body was signed by who knows the secret, and is still no event that we can use. */
export class UnusableEventError extends Error {
  override readonly name = 'UnusableEventError';
}

export type StripeVerifier = (
  kind: StripeEventKind,
  rawBody: string,
  signature: string,
  secret: string,
) => Promise<VerifiedStripeEvent>;

/**
 * Makes the function that verifies a raw body against its `Stripe-Signature` (at most 300 seconds old by the
 * real clock, since the sender signs by it) and reads the event. It rejects with
 * `StripeSignatureVerificationError` when the event is forged, replayed late, or was changed, and with
 * `UnusableEventError` when it is signed and yet no event of this kind.
 */
export function createStripeVerifier(): StripeVerifier {
  // Stripe is not asked anything through this client; its parser for thin events is one of its methods.
  const parser = new Stripe('unused', { telemetry: false });
  return async (kind, rawBody, signature, secret) => {
    try {
      return kind === 'snapshot'
        ? readSnapshot(await Stripe.webhooks.constructEventAsync(rawBody, signature, secret))
        : readThin(await parser.parseEventNotificationAsync(rawBody, signature, secret));
    } catch (error) {
      if (error instanceof Stripe.errors.StripeSignatureVerificationError) throw error;
      if (error instanceof UnusableEventError) throw error;
      throw new UnusableEventError(
        kind === 'snapshot'
          ? 'The body is not a snapshot event; thin events go to /webhooks/stripe/thin.'
          : 'The body is not a thin event; snapshot events go to /webhooks/stripe.',
        { cause: error },
      );
    }
  };
}

function readSnapshot(event: Stripe.Event): VerifiedStripeEvent {
  const object: unknown = event.data?.object;
  return {
    ...readNames(event),
    relatedObjectId: textOf(object, 'id'),
    objectType: textOf(object, 'object'),
    occurredAt: instantOf(event.created),
    summary: {
      kind: 'snapshot',
      created: event.created,
      livemode: event.livemode,
      apiVersion: event.api_version,
      objectType: textOf(object, 'object'),
      objectId: textOf(object, 'id'),
    },
  };
}

function readThin(event: Stripe.V2.Core.EventNotification): VerifiedStripeEvent {
  const relatedObject: unknown = 'related_object' in event ? event.related_object : null;
  return {
    ...readNames(event),
    relatedObjectId: textOf(relatedObject, 'id'),
    objectType: textOf(relatedObject, 'type'),
    occurredAt: instantOf(event.created),
    summary: {
      kind: 'thin',
      created: event.created,
      livemode: event.livemode,
      objectType: textOf(relatedObject, 'type'),
      objectId: textOf(relatedObject, 'id'),
    },
  };
}

function readNames(event: object): Pick<VerifiedStripeEvent, 'id' | 'type' | 'account'> {
  const id = textOf(event, 'id');
  const type = textOf(event, 'type');
  if (id === null || type === null) throw new UnusableEventError('The event has no id or no type.');
  return { id, type, account: accountOf(event) };
}

/** Connect's events name the account, an organization's the path to it. */
function accountOf(event: object): string | null {
  const context = 'context' in event ? event.context : null;
  const account =
    textOf(event, 'account') ??
    String(context ?? '')
      .split('/')
      .at(-1) ??
    '';
  return account.startsWith('acct_') ? account : null;
}

/** Seconds since the epoch in snapshots, ISO text in thin events; null when it is no instant. */
function instantOf(created: unknown): Date | null {
  const instant = new Date(typeof created === 'number' ? created * 1_000 : String(created));
  return Number.isNaN(instant.getTime()) ? null : instant;
}

function textOf(holder: unknown, name: string): string | null {
  if (typeof holder !== 'object' || holder === null) return null;
  const value = (holder as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' && value.length <= 255 ? value : null;
}
