import { setTimeout as delay } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { type Answer, METER_EVENT_PATH, type StripeCore } from '../core.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { USAGE_RECORD_PATH, USAGE_RECORD_VERSION } from '../endpoints/usage-records.ts';
import type { StripeFaultRule, StripeFaults } from '../faults.ts';
import { decodeForm, type Form } from './form.ts';
import { RateGate } from './rate-gate.ts';
import { StripeRefusal } from './refusal.ts';
import { checkAccount, checkRight } from './rights.ts';

export interface HttpOptions {
  core: StripeCore;
  faults: StripeFaults;
  apiKey: string;
  restrictedKeys: Readonly<Record<string, readonly string[]>>;
  /** Real milliseconds each answer takes at least. */
  latencyMs: number;
  callsPerSecond: number;
  otherCallsPerSecond: number;
}

type HttpContext = Context<{ Bindings: HttpBindings }>;

const FAILURE: Answer = {
  status: 500,
  text: JSON.stringify({ error: { type: 'api_error', message: 'An unknown error occurred.' } }),
};

/** The stand-in's HTTP face: key, rate, locks, latency and faults around what the core does. */
export class StripeHttp {
  readonly app: Hono;
  readonly #options: HttpOptions;
  readonly #meterEventGate: RateGate;
  readonly #otherGate: RateGate;
  /** (customer, event name) of calls at work: Stripe lets one in at a time. */
  readonly #locked = new Set<string>();
  readonly #hanging = new Set<() => void>();
  #requestCount = 0;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#meterEventGate = new RateGate(options.callsPerSecond);
    this.#otherGate = new RateGate(options.otherCallsPerSecond);
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.post(METER_EVENT_PATH, (c) => this.#answer(c, null));
    for (const endpoint of options.core.endpoints.values()) {
      app.on(endpoint.method, endpoint.path, (c) => this.#answer(c, endpoint));
    }
    app.notFound((c) =>
      this.#respond(
        c,
        toAnswer(
          new StripeRefusal(404, {
            message: `Unrecognized request URL (${c.req.method}: ${c.req.path}).`,
          }),
        ),
      ),
    );
    this.app = app as unknown as Hono;
  }

  /** Lets go of calls that hang. */
  close(): void {
    for (const release of this.#hanging) release();
  }

  async #answer(c: HttpContext, endpoint: Endpoint | null): Promise<Response> {
    const startedMs = performance.now();
    const { core, faults, latencyMs } = this.#options;
    let lock: string | null = null;
    let answer: Answer & { headers?: Record<string, string> };
    let fault: StripeFaultRule | null = null;
    /** Set once the endpoint is at work: what it refuses from then on is kept. */
    let keep: ((refused: Answer) => void) | null = null;
    try {
      this.#authenticate(c);
      this.#admit(endpoint);
      // The SDK puts the parameters of a DELETE into the query too.
      const body = c.req.method === 'POST' ? await c.req.text() : (c.req.url.split('?')[1] ?? '');
      const key = c.req.method === 'GET' ? null : (c.req.header('idempotency-key') ?? null);
      fault = faults.take(c.req.path);
      if (endpoint !== null) checkVersion(c, endpoint);
      if (key !== null) keep = (kept) => core.keepFailure(fingerprintOf(c, endpoint, body), key, kept);
      const before = fault === null ? null : await this.#failBefore(c, fault);
      if (before !== null) return before;
      const form = readForm(body);
      if (fault?.kind === 'fail') answer = FAILURE;
      else if (endpoint === null) {
        lock = this.#lock(form);
        answer = core.sendMeterEvent(form, body, key, () => faults.drawLoss());
      } else {
        answer = core.call(`${endpoint.method} ${endpoint.path}`, c.req.param(), form, body, key);
      }
      if (fault?.kind === 'fail_after') answer = FAILURE;
      if (answer === FAILURE) keep?.(answer);
    } catch (error) {
      if (!(error instanceof StripeRefusal)) throw error;
      answer = toAnswer(error);
      if (error.isKept) keep?.(answer);
    }
    const leftMs = latencyMs - (performance.now() - startedMs);
    if (leftMs > 0) await delay(leftMs);
    if (lock !== null) this.#locked.delete(lock);
    if (fault?.kind === 'reset_after') return hangUp(c);
    if (fault?.kind === 'truncate') return truncate(c, answer);
    return this.#respond(c, answer);
  }

  #authenticate(c: HttpContext): void {
    const header = c.req.header('authorization') ?? '';
    const key = header.slice('Bearer '.length);
    const rights = this.#options.restrictedKeys[key];
    if (key === this.#options.apiKey || rights !== undefined) {
      checkAccount(key, c.req.header('stripe-account'));
      if (rights !== undefined) checkRight(key, rights, { method: c.req.method, path: c.req.path });
      return;
    }
    throw new StripeRefusal(401, {
      message:
        header === ''
          ? 'You did not provide an API key.'
          : `Invalid API Key provided: ${header.slice('Bearer '.length, 'Bearer '.length + 8)}****`,
    });
  }

  #admit(endpoint: Endpoint | null): void {
    const gate = endpoint === null ? this.#meterEventGate : this.#otherGate;
    if (gate.admit()) return;
    throw new StripeRefusal(
      429,
      { code: 'rate_limit', message: 'Request rate limit exceeded.' },
      { 'stripe-rate-limited-reason': 'global-rate' },
    );
  }

  #lock(form: Form): string | null {
    const payload = form.payload;
    if (typeof payload !== 'object' || Array.isArray(payload)) return null;
    const key = `${String(payload.stripe_customer_id)}|${String(form.event_name)}`;
    if (this.#locked.has(key)) {
      throw new StripeRefusal(429, {
        code: 'lock_timeout',
        message: 'This object cannot be accessed right now because another API request is accessing it.',
      });
    }
    this.#locked.add(key);
    return key;
  }

  /** Faults that strike before the call takes effect; null lets it go on. */
  async #failBefore(c: HttpContext, fault: StripeFaultRule): Promise<Response | null> {
    switch (fault.kind) {
      case 'refuse':
        throw new StripeRefusal(403, { message: 'This key does not have the required permissions.' });
      case 'reject':
        throw new StripeRefusal(400, {
          code: fault.code ?? 'invalid_state',
          message: `Not as things are now (${fault.code ?? 'invalid_state'}).`,
        });
      case 'throttle':
        throw new StripeRefusal(
          429,
          { code: 'rate_limit', message: 'Request rate limit exceeded.' },
          fault.retryAfterSeconds === undefined ? {} : { 'retry-after': String(fault.retryAfterSeconds) },
        );
      case 'reset_before':
        return hangUp(c);
      case 'hang':
        await new Promise<void>((resolve) => {
          this.#hanging.add(resolve);
          c.env.outgoing.once('close', resolve);
        });
        return hangUp(c);
      default:
        return null;
    }
  }

  #respond(c: HttpContext, answer: Answer & { headers?: Record<string, string> }): Response {
    this.#requestCount += 1;
    return c.body(answer.text, answer.status as 200, {
      'content-type': 'application/json',
      'request-id': `req_${this.#requestCount.toString(36).padStart(14, '0')}`,
      ...(answer.replayed === undefined ? {} : { 'idempotent-replayed': 'true' }),
      ...answer.headers,
    });
  }
}

/** What a version of the API does not have, it answers as any unknown address. */
function checkVersion(c: HttpContext, endpoint: Endpoint): void {
  if (!USAGE_RECORD_PATH.test(endpoint.path.replace(':id', 'id'))) return;
  if (c.req.header('stripe-version') === USAGE_RECORD_VERSION) return;
  throw new StripeRefusal(404, { message: `Unrecognized request URL (${c.req.method}: ${c.req.path}).` });
}

function readForm(body: string): Form {
  try {
    return decodeForm(body);
  } catch {
    throw new StripeRefusal(400, { message: 'The request body is not valid form text.' });
  }
}

function fingerprintOf(c: HttpContext, endpoint: Endpoint | null, body: string): string {
  if (endpoint === null) return `POST ${METER_EVENT_PATH} ${body}`;
  return `${endpoint.method} ${endpoint.path} ${JSON.stringify(c.req.param())} ${body}`;
}

function toAnswer(refusal: StripeRefusal): Answer & { headers: Record<string, string> } {
  return { status: refusal.status, text: JSON.stringify(refusal.body), headers: refusal.headers };
}

/** Ends the connection without an answer. */
function hangUp(c: HttpContext): Response {
  c.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

/** Promises the whole body, and ends the connection after half of it. */
function truncate(c: HttpContext, answer: Answer): Response {
  const bytes = Buffer.from(answer.text);
  const { outgoing } = c.env;
  outgoing.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': String(bytes.length),
  });
  outgoing.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => outgoing.socket?.destroy());
  return RESPONSE_ALREADY_SENT;
}
