import type { StripeStandIn } from '../../../sandbox/stripe/stand-in.ts';

type Parameter = string | bigint | number | boolean | null | undefined | object;

/** Calls of the stand-in's own HTTP face, without a socket: fast enough for tens of thousands. */
export class FormCalls {
  readonly #standIn: StripeStandIn;

  constructor(standIn: StripeStandIn) {
    this.#standIn = standIn;
  }

  /** @throws Error with Stripe's words when it is refused */
  async post<Answer>(path: string, parameters: Record<string, Parameter>): Promise<Answer> {
    return await this.#call<Answer>(path, { method: 'POST', body: encode(parameters) });
  }

  async get<Answer>(path: string): Promise<Answer> {
    return await this.#call<Answer>(path, { method: 'GET' });
  }

  async #call<Answer>(path: string, init: RequestInit): Promise<Answer> {
    const request = new Request(`http://stripe.test${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${this.#standIn.apiKey}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
    });
    const response = await this.#standIn.app.fetch(request);
    const text = await response.text();
    if (!response.ok) throw new Error(`${init.method} ${path} ${init.body ?? ''}: ${text}`);
    return JSON.parse(text) as Answer;
  }
}

/** Nested parameters by brackets, as Stripe's SDK writes them. */
function encode(parameters: Record<string, Parameter>, prefix = ''): string {
  return Object.entries(parameters)
    .flatMap(([name, value]) => {
      if (value === undefined || value === null) return [];
      const key = prefix === '' ? name : `${prefix}[${name}]`;
      const isLeaf = typeof value !== 'object' || 'toFixed' in value;
      if (!isLeaf) return [encode(value as Record<string, Parameter>, key)];
      return [`${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`];
    })
    .filter((part) => part !== '')
    .join('&');
}
