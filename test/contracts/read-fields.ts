import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Stripe from 'stripe';
import { placeOf } from './wire-recorder.ts';

/** A field of an answer that the product's own code looked at. */
export interface SeenRead {
  method: string;
  path: string;
  /** As `data[].lines.data[].amount`; `metadata.*` for any name. */
  field: string;
}

const ROOT = join(import.meta.dirname, '../..');
const PRODUCT = /^\/(src|jobs|webhooks)\//;
/** What looks whether an answer is Stripe's at all, and reads no field of its own. */
const CHECK = '/src/stripe/checked-http-client';
/** What promises and the SDK add. */
const NOT_ANSWERED = new Set(['then', 'lastResponse']);
/** Where names are the account's own. */
const MAPS = /(^|\.)(metadata|currency_options|payload)$/;

export interface ReadWatch {
  stop(): void;
}

/**
 * Watches what is read of Stripe's answers, by clients made from now on, and by whom: what the SDK, a test or the sandbox
 * looks at does not count. Each read is kept once.
 */
export function watchReads(keep: (read: SeenRead) => void): ReadWatch {
  const seen = new Set<string>();
  const create = Stripe.createNodeHttpClient;
  Stripe.createNodeHttpClient = (...given) => {
    const client = create.call(Stripe, ...given);
    const makeRequest = client.makeRequest.bind(client);
    client.makeRequest = async (...request) => {
      const response = await makeRequest(...request);
      const [, , address, method] = request;
      const [path = ''] = address.split('?');
      const place = placeOf(path);
      const toJson = response.toJSON.bind(response);
      const note = (field: string) => {
        const key = `${method} ${place} ${field}`;
        if (seen.has(key) || !isProductCalling()) return;
        seen.add(key);
        keep({ method, path, field });
      };
      // What a refusal says is read from the SDK's own error.
      response.toJSON = async () => {
        const answer = await toJson();
        return response.getStatusCode() < 300 ? watched(answer, '', note, new WeakMap()) : answer;
      };
      return response;
    };
    return client;
  };
  return {
    stop: () => {
      Stripe.createNodeHttpClient = create;
    },
  };
}

/** An object of an answer, the same one each time that it is asked for, that tells which of its fields are. */
function watched(
  value: unknown,
  at: string,
  note: (field: string) => void,
  known: WeakMap<object, object>,
): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const before = known.get(value);
  if (before !== undefined) return before;
  const proxy = new Proxy(value, {
    get(target, name) {
      const inner: unknown = Reflect.get(target, name, target);
      if (typeof name === 'symbol' || (Array.isArray(target) && !/^\d+$/.test(name))) return inner;
      const place = Array.isArray(target) ? `${at}[]` : fieldAt(at, name);
      if (typeof inner === 'function') return inner;
      if (!Array.isArray(target) && !NOT_ANSWERED.has(name)) note(place);
      // A proxy must show what cannot be changed as it is.
      if (Object.getOwnPropertyDescriptor(target, name)?.configurable === false) return inner;
      return watched(inner, place, note, known);
    },
    has(target, name) {
      if (typeof name === 'string' && !Array.isArray(target)) note(fieldAt(at, name));
      return Reflect.has(target, name);
    },
  });
  known.set(value, proxy);
  return proxy;
}

function fieldAt(at: string, name: string): string {
  return `${at}${at === '' ? '' : '.'}${MAPS.test(at) ? '*' : name}`;
}

/** Whether the nearest file up the stack, beyond this one, is the product's. */
function isProductCalling(): boolean {
  const { prepareStackTrace } = Error;
  const holder: { stack?: unknown } = {};
  // As places, not as text: vitest's own text looks every line up in its source.
  Error.prepareStackTrace = (_, places) => places.map((place) => place.getFileName() ?? '');
  Error.captureStackTrace(holder, isProductCalling);
  const files = holder.stack as string[];
  Error.prepareStackTrace = prepareStackTrace;
  const caller = files.find((file) => file.includes('/') && !file.includes('/contracts/read-fields'));
  if (caller === undefined) return false;
  const path = caller.startsWith('file:') ? fileURLToPath(caller) : caller;
  if (!path.startsWith(ROOT)) return false;
  const ours = path.slice(ROOT.length);
  return PRODUCT.test(ours) && !ours.startsWith(CHECK);
}
