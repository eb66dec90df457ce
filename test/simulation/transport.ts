import type { Draws } from './draws.ts';
import type { Scheduler, SimulatedProcess } from './scheduler.ts';

export type SystemName = 'azure' | 'openmeter' | 'stripe';

/** The transport's own faults; what a system does wrong inside is its stand-in's business. */
const TRANSPORT_FAULTS = [
  'refused',
  'reset_before',
  'reset_after',
  'throttled',
  'throttled_for_long',
  'throttled_bare',
  'failed_before',
  'failed_after',
  'bad_gateway',
  'truncated',
  'hung_before',
  'hung_after',
] as const;
type TransportFault = (typeof TRANSPORT_FAULTS)[number];

/** Longer than any call is waited for. */
const HANG_MS = 31_000;
const DURATION_MS = [3, 60] as const;

export interface SimulatedSystem {
  name: SystemName;
  /** The stand-in itself. */
  answer: (request: Request) => Promise<Response>;
  /** Whether it answers nobody at present. */
  isDown: () => boolean;
  faultChance: () => number;
  /** Faults of its own that the stand-in can be told to play for its next call. */
  playOwnFault?: (draws: Draws, request: Request) => string | null;
  /** Looks at each call and what the stand-in made of it, whether or not the caller hears of it. */
  observe: (request: Request, body: string, response: Response) => Promise<void> | void;
}

export interface TransportParts {
  process: SimulatedProcess;
  scheduler: Scheduler;
  draws: Draws;
  advance: (milliseconds: number) => void;
}

/** `fetch` from one process to one system: an effect, with everything that a network does to it. */
export function createTransport(parts: TransportParts, system: SimulatedSystem): typeof fetch {
  const { process, scheduler, draws } = parts;
  return (async (input: string | URL | Request, init?: RequestInit) => {
    const { signal, ...rest } = init ?? {};
    const request = new Request(input, rest);
    const body = await request.clone().text();
    const { pathname } = new URL(request.url);
    const isRead = request.method === 'GET' || pathname.endsWith('/query');
    const effect = {
      label: `${system.name} ${request.method} ${pathname.replace(/^\/v1\/workspaces\/[^/]+/, '')}`,
      weight: isRead ? 1 : 6,
      durationMs: DURATION_MS,
    };
    const call = scheduler.effect(process, effect, async () => {
      const fault = drawFault(draws, system, request);
      const response = await play(parts, system, { request, body, fault });
      return { result: response.clone(), outcome: `${fault ?? ''} ${response.status}`.trim() };
    });
    return await (signal === undefined || signal === null
      ? call
      : Promise.race([call, rejectOnAbort(signal)]));
  }) as typeof fetch;
}

function drawFault(draws: Draws, system: SimulatedSystem, request: Request): TransportFault | string | null {
  if (system.isDown()) return draws.pick(['refused', 'refused', 'hung_before', 'bad_gateway']);
  if (!draws.chance(system.faultChance())) return null;
  if (system.playOwnFault !== undefined && draws.chance(0.4)) {
    const own = system.playOwnFault(draws, request);
    if (own !== null) return own;
  }
  return draws.pick(TRANSPORT_FAULTS as unknown as [TransportFault, ...TransportFault[]]);
}

async function play(
  parts: TransportParts,
  system: SimulatedSystem,
  call: { request: Request; body: string; fault: string | null },
): Promise<Response> {
  const { request, body, fault } = call;
  switch (fault) {
    case 'refused':
      throw networkError('ECONNREFUSED');
    case 'reset_before':
      throw networkError('ECONNRESET');
    case 'throttled':
      return new Response('{}', { status: 429, headers: { 'retry-after': '2' } });
    case 'throttled_for_long':
      return new Response('{}', { status: 429, headers: { 'retry-after': '600' } });
    case 'throttled_bare':
      return new Response('{}', { status: 429 });
    case 'failed_before':
      return new Response('{}', { status: 500 });
    case 'bad_gateway':
      return new Response('<html>Bad gateway</html>', {
        status: 502,
        headers: { 'content-type': 'text/html' },
      });
    case 'hung_before':
      parts.advance(HANG_MS);
      throw networkError('ETIMEDOUT');
  }
  const response = await system.answer(request);
  await system.observe(request, body, response.clone());
  switch (fault) {
    case 'reset_after':
      throw networkError('ECONNRESET');
    case 'failed_after':
      return new Response('{}', { status: 500 });
    case 'hung_after':
      parts.advance(HANG_MS);
      throw networkError('ETIMEDOUT');
    case 'truncated': {
      const text = await response.text();
      if (text.length < 2) throw networkError('ECONNRESET');
      return new Response(text.slice(0, text.length >> 1), {
        status: response.status,
        headers: response.headers,
      });
    }
    default:
      return response;
  }
}

function networkError(code: string): Error {
  return Object.assign(new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }), {
    code,
  });
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
