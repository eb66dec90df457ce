import type { Hono } from 'hono';

/** One request and what it was answered, as they went over the wire. */
export interface Exchange {
  method: string;
  path: string;
  /** Every parameter of the address, in the order in which it was given. */
  query: [string, string][];
  requestType: string;
  /** The parsed body, or the text where it is not JSON; null: none. */
  requestBody: unknown;
  status: number;
  answerType: string;
  answerBody: unknown;
}

export interface Recorder {
  /** The same handler, whose exchanges are kept. */
  around(handler: Hono['fetch']): Hono['fetch'];
  /** One of each distinct kind: method, path, status and the shapes of what was sent and answered. */
  exchanges(): Exchange[];
}

/** Keeps what a stand-in is asked and answers. What a fault of the network cuts off is not kept. */
export function createRecorder(): Recorder {
  const kept = new Map<string, Exchange>();
  return {
    around: (handler) => async (request, bindings, context) => {
      const asked = request.clone();
      const answer = await handler(request, bindings, context);
      const read = await readExchange(asked, answer.clone()).catch(() => null);
      if (read !== null) kept.set(kindOf(read), read);
      return answer;
    },
    exchanges: () => [...kept.values()],
  };
}

async function readExchange(request: Request, answer: Response): Promise<Exchange> {
  const { pathname, searchParams } = new URL(request.url);
  return {
    method: request.method,
    path: pathname,
    query: [...searchParams],
    requestType: request.headers.get('content-type') ?? '',
    requestBody: parse(await request.text()),
    status: answer.status,
    answerType: answer.headers.get('content-type') ?? '',
    answerBody: parse(await answer.text()),
  };
}

function parse(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function kindOf(exchange: Exchange): string {
  const { method, path, query, requestType, requestBody, status, answerBody } = exchange;
  const names = [...new Set(query.map(([name]) => name))].sort();
  return [method, path, names.join(), requestType, shapeOf(requestBody), status, shapeOf(answerBody)].join(
    ' ',
  );
}

/** What a value is made of, whatever it says: two lists of customers have one shape. */
function shapeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${[...new Set(value.map(shapeOf))].sort().join('|')}]`;
  if (typeof value !== 'object') return typeof value;
  const fields = Object.entries(value).map(([name, field]) => `${name}:${shapeOf(field)}`);
  return `{${fields.sort().join()}}`;
}
