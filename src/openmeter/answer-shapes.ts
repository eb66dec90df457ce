import { z } from 'zod';

const meterAnswer = z.object({
  slug: z.string(),
  aggregation: z.string(),
  eventType: z.string(),
  eventFrom: z.string().nullish(),
  valueProperty: z.string().nullish(),
  groupBy: z.record(z.string(), z.string()).nullish(),
});
export type MeterAnswer = z.output<typeof meterAnswer>;

const queryAnswer = z.object({
  data: z.array(
    z.object({
      value: z.number(),
      windowStart: z.string(),
      subject: z.string().nullish(),
      groupBy: z.record(z.string(), z.string().nullable()).nullish(),
    }),
  ),
});
export type MeterQueryRow = z.output<typeof queryAnswer>['data'][number];

const eventPage = z.object({
  items: z.array(z.object({ event: z.object({ id: z.string() }) })),
  nextCursor: z.string().nullish(),
});

/** What we own of a customer is typed; what others own is kept as it came. */
const customerAnswer = z.object({
  id: z.string(),
  name: z.string(),
  key: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  usageAttribution: z.object({ subjectKeys: z.array(z.string()).nullish() }).nullish(),
  /** While it is there, the subject keys are frozen. */
  currentSubscriptionId: z.string().nullish(),
  deletedAt: z.string().nullish(),
  description: z.unknown().optional(),
  primaryEmail: z.unknown().optional(),
  currency: z.unknown().optional(),
  billingAddress: z.unknown().optional(),
});
export type CustomerAnswer = z.output<typeof customerAnswer>;

/**
 * Every answer that is read, by its call, with every field that is read of it: what is not named here is not seen. The
 * fields are held against the SDK's own description of OpenMeter (test/contracts).
 */
export const ANSWER_SHAPES = {
  'GET /api/v2/events': eventPage,
  'GET /api/v1/meters': z.array(meterAnswer),
  'POST /api/v1/meters': meterAnswer,
  'GET /api/v1/meters/{meterIdOrSlug}': meterAnswer,
  'POST /api/v1/meters/{meterIdOrSlug}/query': queryAnswer,
  'GET /api/v1/customers': z.object({ totalCount: z.number(), items: z.array(customerAnswer) }),
  'POST /api/v1/customers': customerAnswer,
  'GET /api/v1/customers/{customerIdOrKey}': customerAnswer,
  'PUT /api/v1/customers/{customerIdOrKey}': customerAnswer,
} as const;

export type AnsweredCall = keyof typeof ANSWER_SHAPES;
