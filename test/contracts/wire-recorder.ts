import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import Stripe from 'stripe';
import { decodeForm } from '../../sandbox/stripe/http/form.ts';
import type { Exchange } from './exchange.ts';

const STARTED = 'http.server.request.start';

/** Parts of an address that are an object's id. */
const ID = /^(?=.*[0-9A-Z])(?!v\d$)/;
/** A value that is one of a few: a status, a mode. Any other text is a text. */
const WORD = /^[a-z_]{1,30}$/;

export interface WireRecorder {
  stop(): void;
}

/**
 * Keeps what servers of this process are asked in Stripe's way and what they answer, at the HTTP face itself: each
 * exchange that shows a request, or an object in an answer, of a kind not seen before. What a fault of the network cuts
 * off is not kept.
 */
export function recordStripe(keep: (exchange: Exchange) => void): WireRecorder {
  const seen = new Set<string>();
  const listen = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
    const version = request.headers['stripe-version'];
    if (version === undefined) return;
    // What tests ask of an earlier version on purpose is not of this description; the product asks for usage records.
    if (version !== Stripe.API_VERSION && !request.url?.includes('/usage_record')) return;
    const asked = bytesPassing(request, ['push']);
    const told = bytesPassing(response, ['write', 'end']);
    const headers = headersPassing(response);
    response.once('finish', () => {
      // What other servers of tests answer in Stripe's place is wrong on purpose.
      if (!headers.get('request-id')?.startsWith('req_')) return;
      const exchange = readExchange(request, asked(), {
        status: response.statusCode,
        type: headers.get('content-type') ?? '',
        text: told(),
      });
      if (exchange === null) return;
      let isNew = false;
      for (const kind of kindsOf(exchange)) {
        isNew ||= !seen.has(kind);
        seen.add(kind);
      }
      if (isNew) keep(exchange);
    });
  };
  subscribe(STARTED, listen);
  return { stop: () => void unsubscribe(STARTED, listen) };
}

/** Keeps a copy of what goes through a stream's methods. */
function bytesPassing<Stream extends object>(stream: Stream, methods: readonly string[]): () => string {
  const chunks: Buffer[] = [];
  const target = stream as Record<string, (...values: unknown[]) => unknown>;
  let depth = 0;
  for (const method of methods) {
    const original = target[method]?.bind(stream);
    target[method] = (...values) => {
      const [chunk] = values;
      // `end` may call `write` itself.
      if (depth === 0 && (typeof chunk === 'string' || chunk instanceof Uint8Array)) {
        chunks.push(Buffer.from(chunk as string));
      }
      depth += 1;
      try {
        return original?.(...values);
      } finally {
        depth -= 1;
      }
    };
  }
  return () => Buffer.concat(chunks).toString();
}

/** Those that are handed over with the status: a response does not tell of them any more. */
function headersPassing(response: ServerResponse): Headers {
  const headers = new Headers();
  const writeHead = response.writeHead.bind(response) as (...values: unknown[]) => ServerResponse;
  response.writeHead = (...values: unknown[]) => {
    const given = values.at(-1);
    if (typeof given === 'object' && given !== null) {
      for (const [name, value] of new Headers(given as Record<string, string>)) headers.set(name, value);
    }
    return writeHead(...values);
  };
  return headers;
}

function readExchange(
  request: IncomingMessage,
  asked: string,
  told: { status: number; type: string; text: string },
): Exchange | null {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  try {
    return {
      method: request.method ?? '',
      path: pathname,
      query: [...searchParams],
      requestType: request.headers['content-type'] ?? '',
      requestBody: asked === '' ? null : decodeForm(asked),
      status: told.status,
      answerType: told.type,
      answerBody: JSON.parse(told.text),
    };
  } catch {
    return null;
  }
}

/** An address without the ids in it. */
export function placeOf(path: string): string {
  return path
    .split('/')
    .map((part) => (ID.test(part) ? '*' : part))
    .join('/');
}

/** What an exchange shows: its request as a whole, and each object of its answer by itself. */
export function kindsOf({ method, path, query, requestBody, status, answerBody }: Exchange): string[] {
  const names = [...new Set(query.map(([name]) => name))].sort();
  const call = `${method} ${placeOf(path)} ${status}`;
  return [`${call} ${names} ${requestKind(requestBody)}`, ...answerKinds(answerBody, call)];
}

function requestKind(value: unknown): string {
  if (typeof value !== 'object' || value === null) return kindOfValue(value);
  if (Array.isArray(value)) return `[${[...new Set(value.map(requestKind))].sort()}]`;
  return `{${Object.entries(value)
    .map(([name, inner]) => `${nameOf(name)}:${requestKind(inner)}`)
    .sort()}}`;
}

function answerKinds(value: unknown, at: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return [...new Set(value.flatMap((inner) => answerKinds(inner, `${at}[]`)))];
  const fields = Object.entries(value);
  const own = fields.map(([name, inner]) => `${nameOf(name)}:${kindOfValue(inner)}`).sort();
  return [`${at}{${own}}`, ...fields.flatMap(([name, inner]) => answerKinds(inner, `${at}.${nameOf(name)}`))];
}

const nameOf = (name: string) => (WORD.test(name) ? name : '*');

function kindOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'empty' : 'list';
  if (typeof value !== 'string') return typeof value;
  return WORD.test(value) ? value : 'text';
}
