import { createHash, createHmac } from 'node:crypto';
import type { VirtualClock } from '../virtual-clock.ts';
import { TokenLimit } from './token-limit.ts';

/** What the named values of `deploy/apim/tallystick-enforcement.xml` say. */
export interface GatewaySettings {
  tallystickUrl: string;
  /** Of the scope `gateway`. */
  apiKey: string;
  /** Base64. */
  secret: string;
  /** For how long an answer is taken without asking again. */
  enforcementSeconds: number;
  fail: 'open' | 'closed';
  /** `gpt-4o-global=gpt-4o;...` */
  deploymentModels: string;
}

export interface GatewayCall {
  tenantKey: string;
  subject: string;
  feature: string;
  deployment: string;
  promptTokens: number;
  completionTokens: number;
}

export interface GatewayAnswer {
  status: number;
  headers: Record<string, string>;
  /** Of a call that was stopped. */
  body: Record<string, unknown> | null;
  /** What answered, and what the metric names; null: nothing did. */
  deployment: string | null;
  model: string | null;
}

type Ask = (url: string, init: { headers: Record<string, string> }) => Promise<Response>;

/** Kept as text, as the policy keeps it. */
interface Kept {
  tried: number;
  fetched: number;
  state: State | null;
}
interface Ruling {
  action: string;
  status?: number | null;
  tokensPerMinute?: number | null;
  counterKey?: string | null;
  deployment?: string | null;
  budget?: unknown;
  contact?: string | null;
  until?: string | null;
  untilSeconds?: number | null;
  message?: string | null;
}
type State = Ruling & { tenantKey: string; subject: string; features: Record<string, Ruling> };

/** As the policy's own: an answer is signed for five minutes, and holds for fifteen where no newer one comes. */
const SIGNED_SECONDS = 300;
const HOLDS_SECONDS = 900;
const CACHED_SECONDS = 1_200;
const NOTHING_KEPT = JSON.stringify({ tried: 0, fetched: 0, state: null });
const CLOSED: Ruling = {
  action: 'stop',
  status: 503,
  message: 'It is not known whether this call is allowed, so it is stopped. Try again in a minute.',
};

/**
 * API Management with the fragments of `deploy/apim`, as far as they decide about a call: the same steps in the same order. What
 * answers is a model that always does.
 */
export class GatewayStandIn {
  readonly #cache = new Map<string, { text: string; untilSeconds: number }>();
  readonly #limit = new TokenLimit();
  /** Counted, because the policy promises at most one look-up a call. */
  lookUpCount = 0;
  requestCount = 0;

  readonly settings: GatewaySettings;
  readonly clock: Pick<VirtualClock, 'nowMs'>;
  readonly #ask: Ask;

  /** @param ask `fetch`; throws, or answers late, as networks do */
  constructor(settings: GatewaySettings, clock: Pick<VirtualClock, 'nowMs'>, ask: Ask = fetch) {
    this.settings = settings;
    this.clock = clock;
    this.#ask = ask;
  }

  async call(call: GatewayCall): Promise<GatewayAnswer> {
    const now = Math.floor(this.clock.nowMs() / 1_000);
    const kept = await this.#read(call, now);
    const age = now - kept.fetched;
    const mode = age <= HOLDS_SECONDS ? `state; age=${age}` : this.settings.fail;
    const headers: Record<string, string> = { 'Tallystick-Enforcement': mode };
    const ruling = this.#rulingOf(kept, mode, call, now);
    if (ruling.action === 'stop') return refuse(ruling, headers, now);
    if (ruling.tokensPerMinute != null) {
      const waitSeconds = this.#limit.take(String(ruling.counterKey), ruling.tokensPerMinute, call, now);
      if (waitSeconds !== null) {
        const body = {
          statusCode: 429,
          message: `Token limit is exceeded. Try again in ${waitSeconds} seconds.`,
        };
        return {
          status: 429,
          headers: { ...headers, 'Retry-After': String(waitSeconds) },
          body,
          deployment: null,
          model: null,
        };
      }
    }
    const deployment = ruling.deployment ?? call.deployment;
    return { status: 200, headers, body: null, deployment, model: this.#modelOf(deployment) };
  }

  async #read({ tenantKey, subject }: GatewayCall, now: number): Promise<Kept> {
    const key = `tallystick-enforcement|${tenantKey}|${subject}`;
    this.lookUpCount += 1;
    const found = this.#cache.get(key);
    const kept = JSON.parse(
      found !== undefined && found.untilSeconds > now ? found.text : NOTHING_KEPT,
    ) as Kept;
    if (now - kept.tried < this.settings.enforcementSeconds) return kept;
    kept.tried = now;
    const state = await this.#fetch(tenantKey, subject, now).catch(() => null);
    if (state !== null) Object.assign(kept, { fetched: now, state });
    this.#cache.set(key, { text: JSON.stringify(kept), untilSeconds: now + CACHED_SECONDS });
    return kept;
  }

  async #fetch(tenantKey: string, subject: string, now: number): Promise<State | null> {
    const { tallystickUrl, apiKey, secret } = this.settings;
    const query = `tenantKey=${encodeURIComponent(tenantKey)}&subject=${encodeURIComponent(subject)}`;
    this.requestCount += 1;
    const answer = await this.#ask(`${tallystickUrl}/v1/enforcement/caller?${query}`, {
      headers: { Authorization: `Bearer ${apiKey}` },
    });
    if (answer.status !== 200) return null;
    const text = await answer.text();
    const signature = (answer.headers.get('Tallystick-Signature') ?? '').split(',');
    const seconds = (signature[0] ?? '').trim().slice(2);
    const digest = createHash('sha256').update(text).digest('hex');
    const hmac = createHmac('sha256', Buffer.from(secret, 'base64'));
    const ours = `v1=${hmac.update(`${seconds}.${digest}`).digest('hex')}`;
    const state = JSON.parse(text) as State;
    const isSigned = signature.some((part) => part.trim() === ours);
    const isFresh = Math.abs(now - Number(seconds)) <= SIGNED_SECONDS;
    const isTheirs = state.tenantKey === tenantKey && state.subject === subject;
    return isSigned && isFresh && isTheirs ? state : null;
  }

  #rulingOf({ state }: Kept, mode: string, { feature }: GatewayCall, now: number): Ruling {
    if (mode === 'closed') return CLOSED;
    if (mode === 'open' || state === null) return { action: 'allow' };
    const ruling = state.features[feature] ?? state;
    return ruling.untilSeconds != null && ruling.untilSeconds <= now ? { action: 'allow' } : ruling;
  }

  #modelOf(deployment: string): string {
    const pairs = this.settings.deploymentModels.split(';').map((pair) => pair.split('='));
    const found = pairs.find((parts) => parts.length === 2 && parts[0]?.trim() === deployment);
    return found?.[1]?.trim() ?? deployment;
  }
}

function refuse(ruling: Ruling, headers: Record<string, string>, now: number): GatewayAnswer {
  const {
    status = 403,
    budget = null,
    contact = null,
    until = null,
    untilSeconds = null,
    message = null,
  } = ruling;
  const code =
    status === 503 ? 'enforcement_unknown' : budget === null ? 'unknown_caller' : 'budget_exceeded';
  const waitSeconds = untilSeconds === null ? 60 : Math.max(1, untilSeconds - now);
  return {
    status: status ?? 403,
    headers: {
      ...headers,
      'Content-Type': 'application/json',
      ...(status === 403 ? {} : { 'Retry-After': String(waitSeconds) }),
    },
    body: { error: { code, message, budget, contact, until } },
    deployment: null,
    model: null,
  };
}
