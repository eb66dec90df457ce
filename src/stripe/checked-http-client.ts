import Stripe from 'stripe';

/** Place of the timeout among the arguments of `makeRequest`. */
const TIMEOUT_ARGUMENT = 7;

type Interface = Pick<Stripe.HttpClient, 'getClientName' | 'makeRequest'>;

/**
 * The SDK takes every JSON answer without an `error` for a success, whatever its status: a gateway's 500 with
 * `{"message":"Internal Server Error"}` would count as delivered usage (seen in stripe 23, RequestSender).
 * Here an answer is Stripe's own only if it names its `object` or its `error`. Of any other, 429 and 5xx keep
 * their meaning; the rest says nothing about the call, whose outcome is then unknown.
 *
 * And the timeout holds for the whole answer: over Node's sockets the SDK's own begins anew with every byte, so that
 * an answer that drips would never end (seen in stripe 23, NodeHttpClient).
 */
export function checkAnswers(inner: Interface): Stripe.HttpClient {
  const makeRequest: Interface['makeRequest'] = async (...request) => {
    const startedMs = performance.now();
    const timeoutMs = request[TIMEOUT_ARGUMENT];
    const response = await inner.makeRequest(...request);
    const readJson = response.toJSON.bind(response);
    response.toJSON = async () => {
      const leftMs = timeoutMs - (performance.now() - startedMs);
      const answer = await within(leftMs, readJson(), () => cutOff(response));
      return checkAnswer(response.getStatusCode(), answer);
    };
    return response;
  };
  return { getClientName: () => inner.getClientName(), makeRequest } as Stripe.HttpClient;
}

/** Resolves with the JSON, null when it is none, in the time that is left; else the connection is given up. */
async function within(leftMs: number, json: Promise<unknown>, giveUp: () => void): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        reject(Stripe.HttpClient.makeResponseBodyError(new Error('The answer did not come whole in time')));
        giveUp();
      },
      Math.max(0, leftMs),
    );
  });
  try {
    return await Promise.race([json.catch(asForeign), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Frees the socket of an answer that nobody waits for any more. */
function cutOff(response: Awaited<ReturnType<Interface['makeRequest']>>): void {
  const raw: unknown = response.getRawResponse();
  if (typeof raw === 'object' && raw !== null && 'destroy' in raw && typeof raw.destroy === 'function') {
    raw.destroy();
  }
}

/** Text that is not JSON came whole, and is no answer of Stripe's; a body cut short stays the error it is. */
function asForeign(error: unknown): null {
  if (error instanceof SyntaxError) return null;
  throw error;
}

function checkAnswer(status: number, answer: unknown): unknown {
  const fields = (typeof answer === 'object' ? answer : null) as { error?: unknown; object?: unknown } | null;
  if (status >= 200 && status < 300 && typeof fields?.object === 'string') return answer;
  if (status >= 300 && typeof fields?.error === 'object' && fields.error !== null) return answer;
  const message = `An answer with status ${status} came that is not Stripe's`;
  if (status === 429 || status >= 500) return { error: { type: 'api_error', message } };
  throw Stripe.HttpClient.makeResponseBodyError(new Error(message));
}
