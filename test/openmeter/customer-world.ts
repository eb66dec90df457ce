import type { WireCustomer } from '../../sandbox/openmeter/resources.ts';
import { customerKeyOf } from '../../src/openmeter/customer-shape.ts';
import type { MeteringCustomer } from '../../src/openmeter/port.ts';
import { type Harness, readJson } from './harness.ts';

/** A customer, a page of them, or a problem. */
type CustomerAnswer = WireCustomer & { totalCount: number; items: WireCustomer[]; detail: string };

/** Calls of somebody else to the stand-in's customers. */
export async function send(h: Harness, method: string, path: string, body?: unknown) {
  const answer = await fetch(`${h.url}/api/v1/customers${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const isEmpty = answer.status === 204;
  return {
    status: answer.status,
    body: isEmpty ? ({} as CustomerAnswer) : await readJson<CustomerAnswer>(answer),
  };
}

/** The path of one of our customers. */
export const pathOf = (customerId: string) => `/${encodeURIComponent(customerKeyOf(customerId))}`;

export async function subjectKeysAt(h: Harness, customerId: string): Promise<string[] | undefined> {
  return (await send(h, 'GET', pathOf(customerId))).body.usageAttribution?.subjectKeys;
}

export function customer(
  customerId: string,
  subjectKeys: string[],
  more: Partial<MeteringCustomer> = {},
): MeteringCustomer {
  return {
    customerId,
    name: `Customer ${customerId}`,
    stripeCustomerId: `cus_${customerId}`,
    subjectKeys,
    ...more,
  };
}

/** User ids of nine characters. */
export function users(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `u${String(from + index).padStart(8, '0')}`);
}

/** Requests that changed a customer, as they came. */
export function writesOf(h: Harness) {
  return h.requests.filter(({ call }) => call.includes('/customers') && !call.startsWith('GET'));
}

/** How many subject keys each of them named. */
export function keyCountsOf(h: Harness): number[] {
  return writesOf(h).map(
    ({ body }) => (JSON.parse(body) as WireCustomer).usageAttribution?.subjectKeys.length ?? 0,
  );
}
