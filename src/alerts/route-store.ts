import { sql } from 'kysely';
import type { Locale } from '../../pricing/alerts/customer-words.ts';
import type { Severity } from '../../pricing/alerts/facts.ts';
import { nextDigestAt, type QuietHours } from '../../pricing/alerts/local-time.ts';
import type { RouteFilter } from '../../pricing/alerts/routing.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import { randomText } from '../platform/random-text.ts';

export const CHANNELS = ['email', 'slack', 'teams', 'webhook'] as const;
type Channel = (typeof CHANNELS)[number];

/** What a person says of a route. */
export interface RouteTerms extends Omit<RouteFilter, 'routeId'> {
  name: string;
  channel: Channel;
  emailAddresses: string[];
  /** Of a signed webhook. */
  targetUrl: string | null;
  /** Names the environment variable with the address of Slack or Teams, or with what webhooks are signed with. */
  secretName: string | null;
  timeZone: string;
  quietFromMinute: number | null;
  quietUntilMinute: number | null;
  urgentPasses: boolean;
  hourlyLimit: number;
  locale: Locale;
  subjectTemplate: string | null;
  bodyTemplate: string | null;
  digest: 'none' | 'day' | 'week';
  digestMinute: number;
  skipsEmptyDigest: boolean;
}

export interface AlertRoute extends RouteTerms {
  routeId: string;
  leastSeverity: Severity;
  nextDigestAt: Date | null;
  createdAt: Date;
  createdBy: string;
  endedAt: Date | null;
}

/** Where alerts go, by name; ended ones stay known to the deliveries that were theirs. */
export async function listRoutes(
  database: LedgerDatabase | LedgerTransaction,
  which: { routeId?: string; withEnded?: boolean } = {},
): Promise<AlertRoute[]> {
  const result = await sql<AlertRoute>`
    select alert_route_id as "routeId", name, channel, audience, customer_id as "customerId", kinds,
      least_severity as "leastSeverity", email_addresses as "emailAddresses", target_url as "targetUrl",
      secret_name as "secretName", time_zone as "timeZone", quiet_from_minute as "quietFromMinute",
      quiet_until_minute as "quietUntilMinute", urgent_passes as "urgentPasses", hourly_limit as "hourlyLimit", locale,
      subject_template as "subjectTemplate", body_template as "bodyTemplate", digest, digest_minute as "digestMinute",
      skips_empty_digest as "skipsEmptyDigest", next_digest_at as "nextDigestAt", created_at as "createdAt",
      created_by as "createdBy", ended_at as "endedAt"
    from alert_routes
    where ${which.withEnded === true ? sql`true` : sql`ended_at is null`}
      and ${which.routeId === undefined ? sql`true` : sql`alert_route_id = ${which.routeId}`}
    order by name, alert_route_id`.execute(database);
  return result.rows;
}

/** @throws TallystickError NOT_FOUND */
export async function getRoute(
  database: LedgerDatabase | LedgerTransaction,
  routeId: string,
): Promise<AlertRoute> {
  const [route] = await listRoutes(database, { routeId });
  if (route !== undefined) return route;
  throw new TallystickError(`There is no alert route ${routeId}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/alert-routes, or "tallystick alerts routes", lists them.',
  });
}

/**
 * Keeps a new route, with its audit row. It gets what is raised from now on.
 * @throws TallystickError CONFLICT for a name that a route has
 */
export async function createRoute(
  database: LedgerDatabase,
  { terms, actor, now }: { terms: RouteTerms; actor: string; now: Date },
): Promise<AlertRoute> {
  const routeId = `route_${randomText(12)}`;
  return await database.transaction().execute(async (transaction) => {
    const kept = await transaction
      .insertInto('alert_routes')
      .values({
        alert_route_id: routeId,
        name: terms.name,
        channel: terms.channel,
        audience: terms.audience,
        customer_id: terms.customerId,
        kinds: [...terms.kinds],
        least_severity: terms.leastSeverity,
        email_addresses: terms.emailAddresses,
        target_url: terms.targetUrl,
        secret_name: terms.secretName,
        time_zone: terms.timeZone,
        quiet_from_minute: terms.quietFromMinute,
        quiet_until_minute: terms.quietUntilMinute,
        urgent_passes: terms.urgentPasses,
        hourly_limit: terms.hourlyLimit,
        locale: terms.locale,
        subject_template: terms.subjectTemplate,
        body_template: terms.bodyTemplate,
        digest: terms.digest,
        digest_minute: terms.digestMinute,
        skips_empty_digest: terms.skipsEmptyDigest,
        next_digest_at: digestAfter(terms, now),
        created_at: now,
        created_by: actor,
        changed_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (kept.numInsertedOrUpdatedRows !== 1n) {
      throw new TallystickError(`There is a route "${terms.name}" already.`, {
        code: 'CONFLICT',
        retry: false,
        fix: 'End it first, or take another name.',
      });
    }
    await writeAudit(transaction, {
      actor,
      action: 'alert_routes.create',
      target: routeId,
      details: { ...terms, targetUrl: hostOf(terms), customer_id: terms.customerId },
      now,
    });
    return await getRoute(transaction, routeId);
  });
}

/** Ends a route: what waits for it is not sent any more. @throws TallystickError NOT_FOUND */
export async function endRoute(
  database: LedgerDatabase,
  { routeId, actor, now }: { routeId: string; actor: string; now: Date },
): Promise<AlertRoute> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select from alert_routes where alert_route_id = ${routeId} for update`.execute(transaction);
    const route = await getRoute(transaction, routeId);
    await sql`update alert_routes set ended_at = ${now}, changed_at = ${now}, next_digest_at = null, digest = 'none'
              where alert_route_id = ${routeId}`.execute(transaction);
    await sql`update alert_deliveries set state = 'route_ended', next_attempt_at = null
              where alert_route_id = ${routeId} and state = 'waiting'`.execute(transaction);
    await writeAudit(transaction, {
      actor,
      action: 'alert_routes.end',
      target: routeId,
      details: { name: route.name, customer_id: route.customerId },
      now,
    });
    return { ...route, digest: 'none', nextDigestAt: null, endedAt: now };
  });
}

/** Of a signed webhook, all that is told of its address: the rest may hold a token. Null: it is none. */
export function hostOf({ targetUrl }: Pick<RouteTerms, 'targetUrl'>): string | null {
  return targetUrl === null ? null : new URL(targetUrl).host;
}

/** When a route's next digest is due; null: it has none. */
export function digestAfter(
  { digest, timeZone, digestMinute }: Pick<RouteTerms, 'digest' | 'timeZone' | 'digestMinute'>,
  now: Date,
): Date | null {
  return digest === 'none' ? null : nextDigestAt(now, { timeZone, minute: digestMinute, every: digest });
}

/** When nothing is sent there; null: never. */
export function quietHoursOf(
  { timeZone, quietFromMinute, quietUntilMinute, urgentPasses }: AlertRoute,
  severity: Severity,
): QuietHours | null {
  if (quietFromMinute === null || quietUntilMinute === null) return null;
  if (severity === 'urgent' && urgentPasses) return null;
  return { timeZone, fromMinute: quietFromMinute, untilMinute: quietUntilMinute };
}
