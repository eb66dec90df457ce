import type { Form, FormShape } from '../http/form.ts';
import { refuseUnknown } from '../http/refusal.ts';

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

export function retrieve(path: string, find: (id: string, nowMs: number) => object): Endpoint {
  return {
    method: 'GET',
    path,
    shape: { expand: 'any' },
    mutates: false,
    run: (call) => find(idOf(call), call.nowMs),
  };
}

/** @throws StripeRefusal 404 resource_missing */
export function found<Item>(items: ReadonlyMap<string, Item>, kind: string, id: string): Item {
  const item = items.get(id);
  if (item === undefined) throw refuseUnknown(kind, id);
  return item;
}
