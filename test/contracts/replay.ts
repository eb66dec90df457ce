import type { Exchange } from './exchange.ts';

/**
 * What Stripe's own stand-in says to requests that ours took, each as `METHOD path asked: what is wrong`. It holds every
 * parameter to Stripe's description by its own code, and answers with fixtures.
 */
export async function replay(url: string, exchanges: readonly Exchange[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { method, path, query, requestBody, status } of exchanges) {
    if (status >= 400) continue;
    const search = new URLSearchParams(query).toString();
    const response = await fetch(`${url}${path}${search === '' ? '' : `?${search}`}`, {
      method,
      headers: {
        authorization: 'Bearer sk_test_123',
        ...(method === 'POST' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(method === 'POST' ? { body: encodeForm(requestBody) } : {}),
    });
    const text = await response.text();
    if (response.status !== 200) problems.push(`${method} ${path} asked: ${messageOf(text)}`);
  }
  return [...new Set(problems)];
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    return text;
  }
}

/** `{ a: { b: ['c'] } }` gives `a[b][0]=c`, as the SDK writes it. */
function encodeForm(value: unknown): string {
  const pairs: [string, string][] = [];
  const add = (name: string, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null) {
      pairs.push([name, String(inner)]);
      return;
    }
    for (const [key, child] of Object.entries(inner)) add(name === '' ? key : `${name}[${key}]`, child);
  };
  if (value !== null) add('', value);
  return new URLSearchParams(pairs).toString();
}
