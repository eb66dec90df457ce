import Stripe from 'stripe';
import { TallystickError } from '../platform/errors.ts';
import { checkAnswers } from './checked-http-client.ts';

/** Fixed, so that an SDK update cannot change what the fields mean without a change here. */
export const STRIPE_API_VERSION = '2026-10-28.endive';

const LOOPBACK_HOSTS = new Set(['127.0.0.1', 'localhost', '[::1]']);
/** The pusher keeps about 100 calls in flight; the rest is room for reads. */
const SOCKET_COUNT = 160;

export interface StripeSdkOptions {
  apiKey: string;
  apiBase: string;
  /** The account that is acted for, where the key belongs to another one: sent as `Stripe-Account`. */
  account?: string | undefined;
  timeoutMs: number;
  /** What really sends; the runtime's own sockets by default. */
  fetch?: typeof fetch;
}

/**
 * The SDK with its retries and telemetry off and a keep-alive connection pool of its own.
 * @throws TallystickError CONFIG when the address is plain http and not loopback
 */
export function createStripeSdk(options: StripeSdkOptions): Stripe {
  const base = new URL(options.apiBase);
  const plain = base.protocol === 'http:';
  if (plain && !LOOPBACK_HOSTS.has(base.hostname)) {
    throw new TallystickError('STRIPE_API_BASE must be https: plain http is accepted for loopback only.', {
      code: 'CONFIG',
      retry: false,
      fix: 'Set STRIPE_API_BASE to an https address.',
    });
  }
  return new Stripe(options.apiKey, {
    apiVersion: STRIPE_API_VERSION,
    ...(options.account === undefined ? {} : { stripeAccount: options.account }),
    host: base.hostname.replace(/^\[|\]$/g, ''),
    ...(base.port === '' ? {} : { port: base.port }),
    protocol: plain ? 'http' : 'https',
    maxNetworkRetries: 0,
    timeout: options.timeoutMs,
    telemetry: false,
    httpClient: checkAnswers(
      options.fetch === undefined ? createHttpClient(plain) : Stripe.createFetchHttpClient(options.fetch),
    ),
  });
}

/** Node's own client with enough sockets; in a Worker, where the SDK has none, `fetch`. */
function createHttpClient(plain: boolean): Stripe.HttpClient {
  const inWorker = globalThis.navigator?.userAgent === 'Cloudflare-Workers';
  if (inWorker) return Stripe.createFetchHttpClient();
  // Not imported at the top: the module must load in a runtime without these.
  const { Agent } = process.getBuiltinModule(plain ? 'node:http' : 'node:https');
  return Stripe.createNodeHttpClient(
    new Agent({
      keepAlive: true,
      maxSockets: SOCKET_COUNT,
      maxFreeSockets: SOCKET_COUNT,
      scheduling: 'lifo',
    }),
  );
}
