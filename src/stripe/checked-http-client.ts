import Stripe from 'stripe';

type Interface = Pick<Stripe.HttpClient, 'getClientName' | 'makeRequest'>;

/**
 * The SDK takes every JSON answer without an `error` for a success, whatever its status: a gateway's 500 with
 * `{"message":"Internal Server Error"}` would count as delivered usage (seen in stripe 23, RequestSender).
 * Here an answer is Stripe's own only if it names its `object` or its `error`. Of any other, 429 and 5xx keep
 * their meaning; the rest says nothing about the call, whose outcome is then unknown.
 */
export function checkAnswers(inner: Interface): Stripe.HttpClient {
  const makeRequest: Interface['makeRequest'] = async (...request) => {
    const response = await inner.makeRequest(...request);
    const readJson = response.toJSON.bind(response);
    response.toJSON = async () => checkAnswer(response.getStatusCode(), await readJson().catch(asForeign));
    return response;
  };
  return { getClientName: () => inner.getClientName(), makeRequest } as Stripe.HttpClient;
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
