import type { CustomerPaginatedResponse } from '@openmeter/sdk';
import { CreateCustomerBody, ListCustomersQueryParams, UpdateCustomerBody } from '@openmeter/sdk/zod';
import type { Context, Hono } from 'hono';
import { breakOnSize, refuseFrozenKeys } from './customer-limits.ts';
import { type CustomerStore, subjectKeysOf } from './customer-store.ts';
import type { WireCustomer, WireCustomerCreate } from './resources.ts';
import { Problem, parseOrRefuse, readJson, type Wire } from './wire.ts';

export interface CustomerDependencies {
  customers: CustomerStore;
  nowMs(): number;
  /** Real milliseconds that each subject key of a written customer costs; 0: none. */
  msPerSubjectKey: number;
  /** Journals, then puts. */
  saveCustomer(customer: WireCustomer): void;
}

/** List, get, create, replace and delete under /api/v1/customers. */
export function addCustomerRoutes(app: Hono, dependencies: CustomerDependencies): void {
  const { customers, nowMs, saveCustomer } = dependencies;
  const takeTime = async (body: WireCustomerCreate) => {
    const milliseconds = subjectKeysOf(body).length * dependencies.msPerSubjectKey;
    if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
  };

  app.get('/api/v1/customers', (context) => {
    const query = parseOrRefuse(ListCustomersQueryParams, {
      ...context.req.query(),
      expand: context.req.queries('expand') ?? [],
      includeDeleted: context.req.query('includeDeleted') === 'true',
    });
    const contains = (text: string | undefined, part: string | undefined) =>
      part === undefined || (text ?? '').toLowerCase().includes(part.toLowerCase());
    const found = customers
      .list(query.includeDeleted)
      .filter(
        (customer) =>
          contains(customer.key, query.key) &&
          contains(customer.name, query.name) &&
          (query.subject === undefined ||
            (customer.usageAttribution?.subjectKeys ?? []).some((key) => contains(key, query.subject))),
      );
    if (query.orderBy === 'name') found.sort((left, right) => (left.name < right.name ? -1 : 1));
    if (query.order === 'DESC') found.reverse();
    const start = (query.page - 1) * query.pageSize;
    const page: Wire<CustomerPaginatedResponse> = {
      totalCount: found.length,
      page: query.page,
      pageSize: query.pageSize,
      items: found.slice(start, start + query.pageSize),
    };
    return context.json(page);
  });

  app.post('/api/v1/customers', async (context) => {
    const body = await readCustomer(context, CreateCustomerBody);
    await takeTime(body);
    breakOnSize(body, null);
    const customer = customers.make(body, nowMs());
    saveCustomer(customer);
    return context.json(customer, 201);
  });

  app.get('/api/v1/customers/:idOrKey', (context) =>
    context.json(customers.get(context.req.param('idOrKey'))),
  );

  app.put('/api/v1/customers/:idOrKey', async (context) => {
    const body = await readCustomer(context, UpdateCustomerBody);
    await takeTime(body);
    const current = living(customers.get(context.req.param('idOrKey')));
    refuseFrozenKeys(body, current);
    breakOnSize(body, current);
    const updated = customers.replace(current, body, nowMs());
    saveCustomer(updated);
    return context.json(updated);
  });

  app.delete('/api/v1/customers/:idOrKey', (context) => {
    const current = living(customers.get(context.req.param('idOrKey')));
    if (current.currentSubscriptionId !== undefined) {
      throw new Problem(400, `customer ${current.id} still have active subscriptions`);
    }
    saveCustomer({ ...current, deletedAt: new Date(nowMs()).toISOString() });
    return context.body(null, 204);
  });
}

function living(customer: WireCustomer): WireCustomer {
  if (customer.deletedAt) throw new Problem(412, `customer is deleted [customer.id=${customer.id}]`);
  return customer;
}

async function readCustomer(
  context: Context,
  schema: typeof CreateCustomerBody | typeof UpdateCustomerBody,
): Promise<WireCustomerCreate> {
  const body = await readJson(context);
  const parsed = parseOrRefuse(schema, body);
  // The schema coerces, so an absent name would have become the text "undefined".
  if (typeof (body as WireCustomerCreate).name !== 'string') throw new Problem(400, 'name is required');
  if (parsed.key === undefined && (parsed.usageAttribution?.subjectKeys.length ?? 0) === 0) {
    throw new Problem(400, 'either key or usageAttribution.subjectKeys must be provided');
  }
  return JSON.parse(JSON.stringify(parsed)) as WireCustomerCreate;
}
