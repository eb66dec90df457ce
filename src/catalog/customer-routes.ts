import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { readTextCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { ATTRIBUTION_CHOICES } from './attribution.ts';
import { ATTRIBUTION_REASONS } from './attributions.ts';
import { type Customer, getCustomer, listCustomers, putCustomer } from './customers.ts';
import { releaseQuarantine } from './release-held-usage.ts';
import { SubjectListSchema, showSubject } from './subject-routes.ts';
import { listSubjects } from './subjects.ts';

export const CustomerParams = z.object({ customerId: IdentifierSchema.openapi({ example: 'northwind' }) });
const PageQuery = z.strictObject(PAGE_FIELDS);

const CustomerSchema = z
  .object({
    customerId: z.string(),
    name: z.string(),
    tenantKey: z.string().nullable().openapi({
      description: 'Value of the tenant dimension whose users belong to this customer.',
    }),
    stripeCustomerId: z.string().nullable(),
    currency: z.string().nullable(),
    subjectCount: z.int(),
    attribution: z
      .object({
        choice: z.enum(ATTRIBUTION_CHOICES),
        by: z.enum(['openmeter', 'ledger']).openapi({
          description:
            'openmeter: its customer has all subjects as subject keys, too. Billing goes by the ledger.',
        }),
        reason: z.enum(ATTRIBUTION_REASONS).nullable(),
        detail: z.string().nullable(),
        since: InstantSchema.nullable(),
      })
      .openapi({ description: 'Whether OpenMeter attributes usage to this customer.' }),
    deletedAt: InstantSchema.nullable(),
    syncedAt: InstantSchema,
  })
  .openapi('Customer');

const CustomerListSchema = z
  .object({ customers: z.array(CustomerSchema), nextCursor: z.string().nullable() })
  .openapi('CustomerList');

const CustomerChangeSchema = z
  .strictObject({
    name: textSchema(256).trim().min(1, { error: 'must not be empty' }),
    tenantKey: IdentifierSchema.nullable(),
    stripeCustomerId: z
      .string()
      .regex(/^cus_[A-Za-z0-9_]{1,200}$/, { error: 'must be a Stripe customer id such as cus_123' })
      .nullable(),
    attribution: z.enum(ATTRIBUTION_CHOICES).optional().openapi({
      description:
        'automatic: OpenMeter gets the subjects while they are few enough. ledger: never. Absent: as it is.',
    }),
  })
  .openapi('CustomerChange');

/** Adds the routes under `/v1/customers` that read and change customers. */
export function addCustomerRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = { tags: ['Customers'], ...openTo(dependencies, 'sales', 'finance') };

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/customers',
    summary: 'List customers',
    request: { query: PageQuery },
    responses: { 200: jsonContent(CustomerListSchema, 'A page.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit } = context.req.valid('query');
    const afterCustomerId = readTextCursor(cursor);
    const customers = await listCustomers(database, { afterCustomerId, limit: limit + 1 });
    const { page, nextCursor } = takePage(customers, limit, (last) => [last.customerId]);
    return context.json({ customers: page.map(showCustomer), nextCursor }, 200);
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/customers/{customerId}',
    summary: 'One customer',
    request: { params: CustomerParams },
    responses: { 200: jsonContent(CustomerSchema, 'The customer.'), ...problems(404) },
  });
  api.openapi(getRoute, async (context) => {
    const customer = await getCustomer(database, context.req.valid('param').customerId);
    return context.json(showCustomer(customer), 200);
  });

  const putRoute = createRoute({
    ...common,
    method: 'put',
    path: '/v1/customers/{customerId}',
    summary: 'Create a customer, or replace its name, tenant key and Stripe customer',
    ...openTo(dependencies),
    request: {
      params: CustomerParams,
      body: jsonBody(CustomerChangeSchema),
    },
    responses: {
      200: jsonContent(CustomerSchema, 'Replaced.'),
      201: jsonContent(CustomerSchema, 'Created.'),
      ...problems(409, 413),
    },
  });
  api.openapi(putRoute, async (context) => {
    const { customerId } = context.req.valid('param');
    const change = { customerId, ...context.req.valid('json'), actor: actorOf(context), now: clock.now() };
    const outcome = await putCustomer(database, change);
    await releaseQuarantine(database, { actor: actorOf(context), now: clock.now() });
    const customer = showCustomer(await getCustomer(database, customerId));
    return outcome === 'created' ? context.json(customer, 201) : context.json(customer, 200);
  });

  const subjectsRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/customers/{customerId}/subjects',
    summary: 'Subjects that belong to a customer',
    request: { params: CustomerParams, query: PageQuery },
    responses: { 200: jsonContent(SubjectListSchema, 'A page.'), ...problems(404) },
  });
  api.openapi(subjectsRoute, async (context) => {
    const { customerId } = context.req.valid('param');
    const { cursor, limit } = context.req.valid('query');
    const afterSubject = readTextCursor(cursor);
    const subjects = await readSnapshot(database, async (snapshot) => {
      await getCustomer(snapshot, customerId);
      return await listSubjects(snapshot, { customerId, afterSubject, limit: limit + 1 });
    });
    const { page, nextCursor } = takePage(subjects, limit, (last) => [last.subject]);
    return context.json({ subjects: page.map(showSubject), nextCursor }, 200);
  });
}

function showCustomer(customer: Customer) {
  return {
    customerId: customer.customerId,
    name: customer.name,
    tenantKey: customer.tenantKey,
    stripeCustomerId: customer.stripeCustomerId,
    currency: customer.currency,
    subjectCount: Number(customer.subjectCount),
    attribution: {
      choice: customer.attribution,
      by: customer.attributionReason === null ? ('openmeter' as const) : ('ledger' as const),
      reason: customer.attributionReason,
      detail: customer.attributionDetail,
      since: customer.attributionSince?.toISOString() ?? null,
    },
    deletedAt: customer.deletedAt?.toISOString() ?? null,
    syncedAt: customer.syncedAt.toISOString(),
  };
}
