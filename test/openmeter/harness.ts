import { type ServerType, serve } from '@hono/node-server';
import type { Hono } from 'hono';
import {
  createOpenMeterStandIn,
  type OpenMeterStandIn,
  type OpenMeterStandInOptions,
} from '../../sandbox/openmeter/stand-in.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { createOpenMeter, type OpenMeterCallOptions } from '../../src/openmeter/client.ts';
import { type MeteringSystem, USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';

export const START_MS = Date.UTC(2026, 10, 1);
export const HOUR_MS = 3_600_000;

export interface Harness {
  clock: VirtualClock;
  standIn: OpenMeterStandIn;
  openMeter: MeteringSystem;
  url: string;
  /** Requests that reached the server, as `METHOD path`, with the content type and body of each. */
  requests: { call: string; contentType: string; body: string }[];
  /** A further adapter on the same server. */
  connect(options?: OpenMeterCallOptions, apiKey?: string): MeteringSystem;
  close(): Promise<void>;
}

/** The adapter, with quick retries, against the stand-in over real HTTP. */
export async function startHarness(
  options: OpenMeterStandInOptions & {
    stateDirectory?: string;
    startMs?: number;
    /** Put around what the stand-in answers; to record it. */
    around?: (handler: Hono['fetch']) => Hono['fetch'];
  } = {},
): Promise<Harness> {
  const clock = new VirtualClock(options.startMs ?? START_MS);
  const standIn = createOpenMeterStandIn(
    { clock, seed: 7, stateDirectory: options.stateDirectory ?? null, latencyMs: 0 },
    options,
  );
  clock.onAdvance((nowMs) => standIn.advance(nowMs));
  const requests: Harness['requests'] = [];
  const answer = options.around?.(standIn.app.fetch) ?? standIn.app.fetch;
  const server = await new Promise<ServerType>((resolve) => {
    const started = serve(
      {
        hostname: '127.0.0.1',
        port: 0,
        fetch: async (request, bindings) => {
          const copy = request.clone();
          requests.push({
            call: `${request.method} ${new URL(request.url).pathname}`,
            contentType: request.headers.get('content-type') ?? '',
            body: request.method === 'GET' ? '' : await copy.text(),
          });
          return await answer(request, bindings);
        },
      },
      () => resolve(started),
    );
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `http://127.0.0.1:${address.port}`;
  const connect = (callOptions: OpenMeterCallOptions = {}, apiKey?: string) =>
    createOpenMeter(
      { OPENMETER_URL: url, OPENMETER_API_KEY: apiKey },
      { baseDelayMs: 1, timeoutMs: 60_000, ...callOptions },
    );
  return {
    clock,
    standIn,
    openMeter: connect(),
    url,
    requests,
    connect,
    close: async () => {
      standIn.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface EventFields {
  id: string;
  subject?: string;
  time?: string;
  model?: string;
  source?: string;
  data?: Record<string, unknown>;
}

/** A stored event body, in the form the ledger keeps. */
export function usageEventBody(fields: EventFields): string {
  return JSON.stringify({
    specversion: '1.0',
    id: fields.id,
    source: fields.source ?? USAGE_EVENT_SOURCE,
    type: USAGE_EVENT_TYPE,
    subject: fields.subject ?? 'user-1',
    time: fields.time ?? '2026-11-01T00:30:00Z',
    data: {
      model: fields.model ?? 'gpt-4o',
      feature: 'chat',
      deployment: 'gpt-4o-global',
      prompt_tokens: '100',
      cached_prompt_tokens: '40',
      completion_tokens: '20',
      reasoning_tokens: '5',
      total_tokens: '120',
      requests: '1',
      ...fields.data,
    },
  });
}

/** The hours `[first, last)` of the test day, counted from `START_MS`. */
export function hours(first: number, last: number) {
  return { start: new Date(START_MS + first * HOUR_MS), end: new Date(START_MS + last * HOUR_MS) };
}

/** A JSON answer, taken at its word for the shape the test then asserts on. */
export async function readJson<Shape>(answer: Response): Promise<Shape> {
  return (await answer.json()) as Shape;
}
