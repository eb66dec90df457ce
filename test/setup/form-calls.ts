type Parameter = string | bigint | number | boolean | null | undefined | object;

/** Calls of the Stripe stand-in's own HTTP face, without a socket: fast enough for tens of thousands. */
export class FormCalls {
  readonly #apiKey: string;
  readonly #send: (request: Request) => Response | Promise<Response>;

  constructor(apiKey: string, send: (request: Request) => Response | Promise<Response>) {
    this.#apiKey = apiKey;
    this.#send = send;
  }

  /** @throws Error with Stripe's words when it is refused */
  async post<Answer>(path: string, parameters: Record<string, Parameter>): Promise<Answer> {
    return await this.#call<Answer>(path, { method: 'POST', body: encode(parameters) });
  }

  async get<Answer>(path: string): Promise<Answer> {
    return await this.#call<Answer>(path, { method: 'GET' });
  }

  async delete<Answer>(path: string): Promise<Answer> {
    return await this.#call<Answer>(path, { method: 'DELETE' });
  }

  /** Every page of a list. `path` ends in `?` or `&`. */
  async listAll<Item extends { id: string }>(path: string): Promise<Item[]> {
    const items: Item[] = [];
    for (let after = ''; ; after = `&starting_after=${items.at(-1)?.id}`) {
      const page = await this.get<{ data: Item[]; has_more: boolean }>(`${path}limit=100${after}`);
      items.push(...page.data);
      if (!page.has_more) return items;
    }
  }

  async #call<Answer>(path: string, init: RequestInit): Promise<Answer> {
    const request = new Request(`http://stripe.test${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${this.#apiKey}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
    });
    const response = await this.#send(request);
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
