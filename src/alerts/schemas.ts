import { z } from '@hono/zod-openapi';
import { LOCALES } from '../../pricing/alerts/customer-words.ts';
import { ALERT_KINDS, SEVERITIES } from '../../pricing/alerts/facts.ts';
import { isTimeZone } from '../../pricing/alerts/local-time.ts';
import { unknownWords } from '../../pricing/alerts/template.ts';
import { SECRET_NAME } from '../platform/alert-variables.ts';
import { IdentifierSchema, InstantSchema, textSchema } from '../platform/http/schemas.ts';
import { DELIVERY_STATES, type ListedAlert } from './list.ts';
import { type AlertRoute, CHANNELS, hostOf, type RouteTerms } from './route-store.ts';
import { operatorMessage } from './words.ts';

const template = (length: number) =>
  textSchema(length)
    .min(1)
    .refine((text) => unknownWords(text).length === 0, {
      error: 'names something between braces that nothing is filled in for: see docs/alerts.md',
    });
const minuteOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'must be a time of day such as 22:00' })
  .openapi({ example: '22:00' });

export const RouteBody = z
  .strictObject({
    name: textSchema(100).min(1),
    channel: z.enum(CHANNELS),
    audience: z.enum(['operator', 'customer']).default('operator'),
    customerId: IdentifierSchema.optional(),
    kinds: z.array(z.enum(ALERT_KINDS)).max(ALERT_KINDS.length).default([]),
    leastSeverity: z.enum(SEVERITIES).default('info'),
    emailAddresses: z.array(z.email()).max(20).default([]),
    url: z
      .url({ protocol: /^https?$/ })
      .max(2_000)
      .optional()
      .openapi({ description: 'Of a signed webhook.' }),
    secretName: z
      .string()
      .regex(SECRET_NAME, { error: 'must be the name of a variable that begins with ALERT_SECRET_' })
      .optional()
      .openapi({ example: 'ALERT_SECRET_OPERATIONS' }),
    timeZone: z
      .string()
      .max(64)
      .refine(isTimeZone, { error: 'must be a time zone such as Europe/Berlin' })
      .default('UTC'),
    quietFrom: minuteOfDay.optional(),
    quietUntil: minuteOfDay.optional(),
    urgentPasses: z.boolean().default(true),
    hourlyLimit: z.int().min(1).max(1_000).default(30),
    locale: z.enum(LOCALES).default('en'),
    subjectTemplate: template(200).optional(),
    bodyTemplate: template(4_000).optional(),
    digest: z.enum(['none', 'day', 'week']).default('none'),
    digestAt: minuteOfDay.default('08:00'),
    skipsEmptyDigest: z.boolean().default(false),
  })
  .refine((route) => route.audience === 'operator' || route.customerId !== undefined, {
    error: 'must be named for an audience of a customer',
    path: ['customerId'],
  })
  .refine((route) => route.audience === 'operator' || route.digest === 'none', {
    error: 'is for people of the house',
    path: ['digest'],
  })
  .refine((route) => (route.channel === 'email') === route.emailAddresses.length > 0, {
    error: 'belongs to the channel email, which needs one',
    path: ['emailAddresses'],
  })
  .refine((route) => (route.channel === 'webhook') === (route.url !== undefined), {
    error: 'belongs to the channel webhook, which needs one',
    path: ['url'],
  })
  .refine((route) => (route.channel === 'email') === (route.secretName === undefined), {
    error: 'is needed by every channel but email',
    path: ['secretName'],
  })
  .refine((route) => (route.quietFrom === undefined) === (route.quietUntil === undefined), {
    error: 'needs both an hour from and an hour until',
    path: ['quietUntil'],
  })
  .openapi('NewAlertRoute');

export const RouteSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    channel: z.enum(CHANNELS),
    audience: z.enum(['operator', 'customer']),
    customerId: z.string().nullable(),
    kinds: z.array(z.string()),
    leastSeverity: z.enum(SEVERITIES),
    emailAddresses: z.array(z.string()),
    host: z
      .string()
      .nullable()
      .openapi({ description: 'Of a signed webhook; its whole address is not shown.' }),
    secretName: z.string().nullable(),
    timeZone: z.string(),
    quietFrom: z.string().nullable(),
    quietUntil: z.string().nullable(),
    urgentPasses: z.boolean(),
    hourlyLimit: z.int(),
    locale: z.enum(LOCALES),
    subjectTemplate: z.string().nullable(),
    bodyTemplate: z.string().nullable(),
    digest: z.enum(['none', 'day', 'week']),
    digestAt: z.string(),
    skipsEmptyDigest: z.boolean(),
    nextDigestAt: InstantSchema.nullable(),
    createdAt: InstantSchema,
    endedAt: InstantSchema.nullable(),
  })
  .openapi('AlertRoute');
export type RouteView = z.infer<typeof RouteSchema>;

export const AlertSchema = z
  .object({
    id: z.string(),
    kind: z.enum(ALERT_KINDS),
    customerId: z.string().nullable(),
    audience: z.enum(['operator', 'customer']),
    severity: z.enum(SEVERITIES),
    subject: z.string(),
    paragraphs: z.array(z.string()),
    ending: z.enum(['undone', 'settled']).nullable(),
    withdraws: z.string().nullable().openapi({ description: 'The alert that it takes back.' }),
    raisedAt: InstantSchema,
    endedAt: InstantSchema.nullable(),
    acknowledgedAt: InstantSchema.nullable(),
    acknowledgedBy: z.string().nullable(),
    deliveries: z.array(
      z.object({
        routeId: z.string(),
        routeName: z.string(),
        state: z.enum(DELIVERY_STATES),
        messageId: z.string(),
        attemptCount: z.int(),
        nextAttemptAt: InstantSchema.nullable(),
        sentAt: InstantSchema.nullable(),
        lastError: z.string().nullable(),
      }),
    ),
  })
  .openapi('Alert');
export type AlertView = z.infer<typeof AlertSchema>;

const toMinute = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
const toText = (minute: number) =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

export function readTerms(body: z.output<typeof RouteBody>): RouteTerms {
  const {
    url,
    quietFrom,
    quietUntil,
    digestAt,
    customerId,
    secretName,
    subjectTemplate,
    bodyTemplate,
    ...rest
  } = body;
  return {
    ...rest,
    customerId: customerId ?? null,
    targetUrl: url ?? null,
    secretName: secretName ?? null,
    quietFromMinute: quietFrom === undefined ? null : toMinute(quietFrom),
    quietUntilMinute: quietUntil === undefined ? null : toMinute(quietUntil),
    subjectTemplate: subjectTemplate ?? null,
    bodyTemplate: bodyTemplate ?? null,
    digestMinute: toMinute(digestAt),
  };
}

export function showRoute(route: AlertRoute): RouteView {
  const {
    routeId,
    targetUrl: _address,
    quietFromMinute,
    quietUntilMinute,
    digestMinute,
    kinds,
    createdBy: _,
    ...rest
  } = route;
  return {
    ...rest,
    id: routeId,
    kinds: [...kinds],
    host: hostOf(route),
    quietFrom: quietFromMinute === null ? null : toText(quietFromMinute),
    quietUntil: quietUntilMinute === null ? null : toText(quietUntilMinute),
    digestAt: toText(digestMinute),
    nextDigestAt: route.nextDigestAt?.toISOString() ?? null,
    createdAt: route.createdAt.toISOString(),
    endedAt: route.endedAt?.toISOString() ?? null,
  };
}

export function showAlert(alert: ListedAlert): AlertView {
  const message = operatorMessage(alert);
  return {
    id: String(alert.alertId),
    kind: alert.kind,
    customerId: alert.customerId,
    audience: alert.audience,
    severity: alert.severity,
    subject: message.subject,
    paragraphs: message.paragraphs,
    ending: alert.ending,
    withdraws: alert.withdrawsAlertId === null ? null : String(alert.withdrawsAlertId),
    raisedAt: alert.raisedAt.toISOString(),
    endedAt: alert.endedAt?.toISOString() ?? null,
    acknowledgedAt: alert.acknowledgedAt?.toISOString() ?? null,
    acknowledgedBy: alert.acknowledgedBy,
    deliveries: alert.deliveries,
  };
}
