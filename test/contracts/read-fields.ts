import Stripe from 'stripe';
import { vi } from 'vitest';

/** A field of an answer that the product's own code looked at. */
export interface SeenRead {
  method: string;
  path: string;
  /** As `data[].lines.data[].amount`; `metadata.*` for any name. */
  field: string;
}

const PRODUCT = /\/(src|jobs|webhooks)\//;
/** What looks whether an answer is Stripe's at all, and reads no field of its own. */
const CHECK = '/stripe/checked-http-client';
/** What promises and the SDK add. */
const NOT_ANSWERED = new Set(['then', 'lastResponse']);
/** Where names are the account's own. */
const MAPS = /(^|\.)(metadata|currency_options|payload)$/;

export interface ReadWatch {
  /** Each once, sorted. */
  reads(): SeenRead[];
  stop(): void;
}

/**
 * Watches what is read of Stripe's answers, by clients made from now on, and by whom: what the SDK, a test or the sandbox
 * looks at does not count.
 */
export function watchReads(): ReadWatch {
  const seen = new Map<string, SeenRead>();
  const create = Stripe.createNodeHttpClient;
  const spy = vi.spyOn(Stripe, 'createNodeHttpClient').mockImplementation((...given) => {
    const client = create.call(Stripe, ...given);
    const makeRequest = client.makeRequest.bind(client);
    client.makeRequest = async (...request) => {
      const response = await makeRequest(...request);
      const [, , address, method] = request;
      const [path = ''] = address.split('?');
      const toJson = response.toJSON.bind(response);
      const place = path.replaceAll(/\/[^/]*[0-9A-Z][^/]*(?=\/|$)/g, (part) =>
        part === '/v1' || part === '/v2' ? part : '/*',
      );
      const note = (field: string) => {
        const key = `${method} ${place} ${field}`;
        if (!seen.has(key) && isProductCalling()) seen.set(key, { method, path, field });
      };
      // What a refusal says is read from the SDK's own error.
      response.toJSON = async () => {
        const answer = await toJson();
        return response.getStatusCode() < 300 ? watched(answer, '', note) : answer;
      };
      return response;
    };
    return client;
  });
  return {
    reads: () => [...seen.keys()].sort().flatMap((key) => seen.get(key) ?? []),
    stop: () => spy.mockRestore(),
  };
}

function watched(value: unknown, at: string, note: (field: string) => void): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get(target, name) {
      const inner: unknown = Reflect.get(target, name, target);
      if (typeof name === 'symbol' || (Array.isArray(target) && !/^\d+$/.test(name))) return inner;
      const place = Array.isArray(target) ? `${at}[]` : `${at}${at === '' ? '' : '.'}${nameIn(at, name)}`;
      if (typeof inner === 'function') return inner;
      if (!Array.isArray(target) && !NOT_ANSWERED.has(name)) note(place);
      // A proxy must show what cannot be changed as it is.
      if (Object.getOwnPropertyDescriptor(target, name)?.configurable === false) return inner;
      return watched(inner, place, note);
    },
  });
}

const nameIn = (at: string, name: string) => (MAPS.test(at) ? '*' : name);

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
  if (caller === undefined || caller.includes('node_modules') || caller.includes(CHECK)) return false;
  return PRODUCT.test(caller);
}
