import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context, MiddlewareHandler } from 'hono';
import { createRandom, type Random } from '../random.ts';
import { answerProblem } from './wire.ts';

/**
 * Ways a request can go wrong. `refuse`: the connection dies before anything is read. `*-before-commit`:
 * nothing happened. `*-after-commit`: it happened, and the caller cannot know. `hang`: no answer until the
 * caller leaves. `truncate`: it happened, and half of the answer arrives.
 */
export type FaultName =
  | 'refuse'
  | 'reset-before-commit'
  | 'reset-after-commit'
  | 'throttle'
  | 'throttle-without-retry-after'
  | 'error-before-commit'
  | 'error-after-commit'
  | 'hang'
  | 'truncate';

export interface OpenMeterFaults {
  /** Faults of the next requests, one each (null: none for that one), before any chance is drawn. */
  next: (FaultName | null)[];
  /** Chance of each fault per request, between 0 and 1, drawn from the seed. */
  rates: Partial<Record<FaultName, number>>;
  /** Which requests can go wrong. */
  appliesTo: 'all' | 'ingest' | 'reads';
  /** What a throttled answer asks for, in seconds. */
  retryAfterSeconds: number;
  /** Every n-th accepted event is lost after its 204; 0 loses none. */
  dropEvery: number;
  /** Chance that an accepted event is lost after its 204. */
  dropRate: number;
  /** Events with these ids make their whole batch a 400. */
  poisonIds: string[];
  /** Events with these ids make their whole batch a 500. */
  faultyIds: string[];
  /** Queries and lists see only what was stored this many virtual milliseconds ago or earlier. */
  staleReadMs: number;
}

export const NO_FAULTS: OpenMeterFaults = {
  next: [],
  rates: {},
  appliesTo: 'all',
  retryAfterSeconds: 1,
  dropEvery: 0,
  dropRate: 0,
  poisonIds: [],
  faultyIds: [],
  staleReadMs: 0,
};

/** The switchboard: one for each stand-in, changed at run time, random by its seed alone. */
export class FaultPlan {
  current: OpenMeterFaults = { ...NO_FAULTS };
  readonly #random: Random;
  #acceptedCount = 0;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  /** Replaces the given settings; the others stay. */
  set(faults: Partial<OpenMeterFaults>): void {
    this.current = { ...this.current, ...faults };
    this.current.next = [...this.current.next];
  }

  /** The fault of this request, if it is to have one. */
  draw(isIngest: boolean): FaultName | null {
    const { appliesTo, next, rates } = this.current;
    if (appliesTo !== 'all' && (appliesTo === 'ingest') !== isIngest) return null;
    const planned = next.shift();
    if (planned !== undefined) return planned;
    for (const [name, rate] of Object.entries(rates)) {
      if (rate > 0 && this.#random() < rate) return name as FaultName;
    }
    return null;
  }

  /** Whether the next accepted event is lost between its 204 and the table. */
  losesNextEvent(): boolean {
    const { dropEvery, dropRate } = this.current;
    this.#acceptedCount += 1;
    if (dropEvery > 0 && this.#acceptedCount % dropEvery === 0) return true;
    return dropRate > 0 && this.#random() < dropRate;
  }
}

/** Plays the drawn fault around the real handler. Resets need a real socket, so they work over HTTP only. */
export function playFaults(plan: FaultPlan): MiddlewareHandler {
  return async (context, next) => {
    const fault = plan.draw(context.req.method === 'POST' && context.req.path.endsWith('/events'));
    switch (fault) {
      case null:
        return next();
      case 'refuse':
      case 'reset-before-commit':
        return dropConnection(context);
      case 'throttle':
        return answerProblem(context, 429, 'too many requests', {
          'Retry-After': String(plan.current.retryAfterSeconds),
        });
      case 'throttle-without-retry-after':
        return answerProblem(context, 429, 'too many requests');
      case 'error-before-commit':
        return answerProblem(context, 500, 'internal error');
      case 'hang':
        return hang(context);
      default:
        await next();
    }
    const spoiled =
      fault === 'reset-after-commit'
        ? dropConnection(context)
        : fault === 'error-after-commit'
          ? answerProblem(context, 500, 'internal error')
          : await truncate(context);
    // The finished answer must be taken away first: Hono would merge its headers into the new one.
    context.res = undefined;
    context.res = spoiled;
    return undefined;
  };
}

function socketOf(context: Context): HttpBindings['incoming']['socket'] | undefined {
  return (context.env as Partial<HttpBindings> | undefined)?.incoming?.socket;
}

function dropConnection(context: Context): Response {
  const socket = socketOf(context);
  if (socket === undefined) throw new Error('This fault needs a real connection');
  socket.destroy();
  return new Response(null);
}

async function hang(context: Context): Promise<Response> {
  const socket = socketOf(context);
  if (socket === undefined) throw new Error('This fault needs a real connection');
  await new Promise<void>((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once('close', () => resolve());
  });
  return new Response(null);
}

/** Announces the whole length, sends half, and drops the connection. */
async function truncate(context: Context): Promise<Response> {
  const whole = new Uint8Array(await context.res.arrayBuffer());
  if (whole.length < 2) return dropConnection(context);
  const outgoing = (context.env as Partial<HttpBindings>).outgoing;
  const socket = socketOf(context);
  if (outgoing === undefined || socket === undefined) throw new Error('This fault needs a real connection');
  outgoing.writeHead(context.res.status, {
    'Content-Type': context.res.headers.get('content-type') ?? 'application/json',
    'Content-Length': whole.length,
  });
  await new Promise<void>((resolve) => outgoing.write(whole.subarray(0, whole.length >> 1), () => resolve()));
  socket.destroySoon();
  return RESPONSE_ALREADY_SENT;
}
