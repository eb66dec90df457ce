import { setTimeout as delay } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Hono } from 'hono';
import { createRandom, deriveSeed, type Random } from './random.ts';

/**
 * What a network, a gateway or an overloaded host does to a call, whichever system it was meant for. `*-before`: the
 * call never took effect. `*-after`: it did, and the caller cannot know.
 */
export const NETWORK_FAULTS = [
  /** The connection is cut. */
  'reset-before',
  'reset-after',
  /** No answer, and the connection stays open until the caller leaves. */
  'hang-before',
  'hang-after',
  /** 429, with and without `Retry-After`. */
  'throttle',
  'throttle-bare',
  /** 500. */
  'fail-before',
  'fail-after',
  /** The whole length is announced, half of it arrives. */
  'truncate',
  /** The answer comes byte by byte. */
  'drip',
] as const;

export type NetworkFault = (typeof NETWORK_FAULTS)[number];

export interface NetworkFaultSettings {
  /** Nobody listens: connections are refused. */
  down: boolean;
  /** Played once each, one for every call, in this order; null lets one call pass. */
  next: (NetworkFault | null)[];
  /** Chance in percent of each fault for a call that nothing above spoils, drawn from the seed. */
  percent: Partial<Record<NetworkFault, number>>;
  /** Which calls can go wrong; a query is a read, whatever its method. */
  appliesTo: 'all' | 'reads' | 'writes';
  /** What a throttled answer asks for. */
  retryAfterSeconds: number;
  /** Real milliseconds between two bytes of a dripping answer. */
  dripMs: number;
}

export const NO_NETWORK_FAULTS: NetworkFaultSettings = {
  down: false,
  next: [],
  percent: {},
  appliesTo: 'all',
  retryAfterSeconds: 1,
  dripMs: 100,
};

/** The network in front of one system. */
export class NetworkFaults {
  readonly #random: Random;
  settings: NetworkFaultSettings = { ...NO_NETWORK_FAULTS };

  constructor(seed: number, system: string) {
    this.#random = createRandom(deriveSeed(seed, 'network', system));
  }

  /** Replaces the settings given; the others stay. */
  set(changed: Partial<NetworkFaultSettings>): void {
    this.settings = { ...this.settings, ...changed };
    this.settings.next = [...this.settings.next];
  }

  draw(isRead: boolean): NetworkFault | null {
    const { appliesTo, next, percent } = this.settings;
    if (appliesTo !== 'all' && (appliesTo === 'reads') !== isRead) return null;
    const planned = next.shift();
    if (planned !== undefined) return planned;
    for (const fault of NETWORK_FAULTS) {
      const chance = percent[fault] ?? 0;
      if (chance > 0 && this.#random() * 100 < chance) return fault;
    }
    return null;
  }
}

/** The handler behind its network. It needs real connections. */
export function withNetworkFaults(fetch: Hono['fetch'], faults: NetworkFaults): Hono['fetch'] {
  return async (request, environment, context) => {
    const { pathname } = new URL(request.url);
    const fault = faults.draw(request.method === 'GET' || pathname.endsWith('/query'));
    if (fault === null) return await fetch(request, environment, context);
    const connection = environment as HttpBindings;
    const { retryAfterSeconds, dripMs } = faults.settings;
    switch (fault) {
      case 'reset-before':
        return cut(connection);
      case 'hang-before':
        return await hang(connection);
      case 'throttle':
        return new Response('{}', { status: 429, headers: { 'retry-after': String(retryAfterSeconds) } });
      case 'throttle-bare':
        return new Response('{}', { status: 429 });
      case 'fail-before':
        return new Response('{}', { status: 500 });
    }
    const answer = await fetch(request, environment, context);
    switch (fault) {
      case 'reset-after':
        return cut(connection);
      case 'hang-after':
        return await hang(connection);
      case 'fail-after':
        return new Response('{}', { status: 500 });
      case 'truncate':
        return await truncate(connection, answer);
      case 'drip':
        return await drip(connection, answer, dripMs);
    }
  };
}

function cut({ incoming }: HttpBindings): Response {
  incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

async function hang({ incoming }: HttpBindings): Promise<Response> {
  const { socket } = incoming;
  await new Promise<void>((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
  return RESPONSE_ALREADY_SENT;
}

async function truncate({ incoming, outgoing }: HttpBindings, answer: Response): Promise<Response> {
  const whole = await writeHead(outgoing, answer);
  await new Promise<void>((resolve) => outgoing.write(whole.subarray(0, whole.length >> 1), () => resolve()));
  incoming.socket.destroySoon();
  return RESPONSE_ALREADY_SENT;
}

async function drip({ outgoing }: HttpBindings, answer: Response, dripMs: number): Promise<Response> {
  const whole = await writeHead(outgoing, answer);
  for (let index = 0; index < whole.length && !outgoing.destroyed; index += 1) {
    outgoing.write(whole.subarray(index, index + 1));
    await delay(dripMs);
  }
  outgoing.end();
  return RESPONSE_ALREADY_SENT;
}

/** Sends the head with the length of the whole body. */
async function writeHead(outgoing: HttpBindings['outgoing'], answer: Response): Promise<Uint8Array> {
  const whole = new Uint8Array(await answer.arrayBuffer());
  outgoing.writeHead(answer.status, {
    ...Object.fromEntries(answer.headers),
    ...(whole.length === 0 ? {} : { 'content-length': String(whole.length) }),
  });
  outgoing.flushHeaders();
  return whole;
}
