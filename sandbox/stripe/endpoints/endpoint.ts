import type { Form, FormShape } from '../http/form.ts';

export interface Call {
  form: Form;
  /** Path parameters, e.g. the `id` of `/v1/invoices/:id`. */
  params: Record<string, string>;
  nowMs: number;
}

/** One call that the stand-in answers; those that change something are kept in the journal. */
export interface Endpoint {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  shape: FormShape;
  mutates: boolean;
  /** @throws StripeRefusal */
  run: (call: Call) => object;
}

export function idOf(call: Call): string {
  return call.params.id ?? '';
}
