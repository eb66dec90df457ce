import { PICO_DIGITS, parseDecimal } from '../../../pricing/money.ts';
import type { UsageSource } from '../../azure/source.ts';
import { METER_SLUGS, type MeteringSystem } from '../../openmeter/port.ts';
import type { Config } from '../../platform/config.ts';
import { toTallystickError } from '../../platform/errors.ts';
import type { StripeSystem } from '../../stripe/client.ts';
import type { BillingMeter, BillingSubscriptionItem } from '../../stripe/port.ts';
import type { SinkState } from '../../usage/events/sink-state.ts';
import type { Finding } from './finding.ts';
import { checkSurvey } from './survey.ts';

export type { Finding };

const DAY_MS = 86_400_000;

/** Turns whatever a check throws into a finding, so that one dead system hides no other. */
export async function guarded(
  system: Finding['system'],
  check: () => Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await check();
  } catch (error) {
    const known = toTallystickError(error);
    return [
      { system, verdict: 'bad', what: known.message, fix: known.fix ?? 'Check its address and credentials.' },
    ];
  }
}

/** Metrics arrive, under the names and dimensions that the configuration expects. */
export async function checkAzure(source: UsageSource, config: Config, now: Date): Promise<Finding[]> {
  const metrics = await source.summarizeMetrics(
    new Date(now.getTime() - DAY_MS),
    AbortSignal.timeout(60_000),
  );
  const system = 'azure';
  const survey = await source.surveyMetrics?.(
    new Date(now.getTime() - 7 * DAY_MS),
    AbortSignal.timeout(60_000),
  );
  const surveyed = survey === undefined ? [] : checkSurvey(survey, config);
  if (metrics.length === 0) {
    return [
      ...surveyed,
      {
        system,
        verdict: 'bad',
        what: 'reachable and permitted, but no token metric arrived in the last 24 hours',
        fix: 'Check the policy (inbound), "metrics": true on the diagnostic (one at API level overrides the one of the service) and custom metrics "With dimensions": docs/azure.md.',
      },
    ];
  }
  const arrived = metrics.flatMap((metric): Finding[] => {
    const findings: Finding[] = [
      {
        system,
        verdict: 'good',
        what: `${metric.metricName}: ${metric.rowCount} rows in 24 hours, the last at ${metric.lastEventTime?.toISOString() ?? 'no time'}`,
      },
    ];
    for (const [name, count, dimension] of [
      ['DIMENSION_SUBJECT', metric.rowCountWithSubject, config.DIMENSION_SUBJECT],
      ['DIMENSION_MODEL', metric.rowCountWithModel, config.DIMENSION_MODEL],
    ] as const) {
      if (count < metric.rowCount) {
        findings.push({
          system,
          verdict: count === 0 ? 'bad' : 'look',
          what: `${metric.metricName}: ${metric.rowCount - count} of ${metric.rowCount} rows lack the dimension "${dimension}"`,
          fix: `Emit it in the policy, or set ${name} to the name that is emitted.`,
        });
      }
    }
    return findings;
  });
  return [...arrived, ...surveyed];
}

/** OpenMeter answers, and its meters are ours or can be made. */
export async function checkOpenMeter(metering: MeteringSystem): Promise<Finding[]> {
  const { meterSlugs } = await metering.describe(AbortSignal.timeout(30_000));
  const missing = METER_SLUGS.filter((slug) => !meterSlugs.includes(slug));
  return [
    { system: 'openmeter', verdict: 'good', what: `reachable; it holds ${meterSlugs.length} meters` },
    missing.length === 0
      ? { system: 'openmeter', verdict: 'good', what: 'all of our meters are there' }
      : {
          system: 'openmeter',
          verdict: 'look',
          what: `missing: ${missing.join(', ')}`,
          fix: 'The first sync-catalog makes them; start "tallystick up".',
        },
  ];
}

/** OpenMeter shows what it takes, as far as the ledger knows. */
export function judgeSink({ outage, stuckSubjectCount, stuckSince }: SinkState): Finding[] {
  const system = 'openmeter';
  if (outage !== null) {
    return [
      {
        system,
        verdict: 'bad',
        what: `takes events and shows none since ${outage.since.toISOString()}: its sink stands still`,
        fix: 'Look at the lag of its consumer group in Kafka and restart the sink worker; nothing is lost, and all goes on by itself.',
      },
    ];
  }
  if (stuckSince === null) return [];
  return [
    {
      system,
      verdict: 'look',
      what: `events of ${stuckSubjectCount} users do not show since ${stuckSince.toISOString()}, those of others do`,
      fix: 'Look at the lag of each partition in Kafka: one of them may have no reader.',
    },
  ];
}

/** Stripe answers, and has what usage must be pushed through. */
export async function checkStripe(billing: StripeSystem, config: Config, now: Date): Promise<Finding[]> {
  const system = 'stripe';
  const signal = AbortSignal.timeout(60_000);
  const { livemode, apiVersion } = await billing.describe(signal);
  const catalog = await billing.readCatalog({ invoicesSince: now }, signal);
  const metered = catalog.subscriptionItems.filter((item) => item.stripeMeterId !== null);
  const bound = metered.filter((item) => item.priceMetadata.tallystick_model !== undefined);
  const named = catalog.customers.filter((customer) => customer.metadata[config.STRIPE_TENANT_METADATA_KEY]);
  const findings: Finding[] = [
    {
      system,
      verdict: 'good',
      what: `reachable in ${livemode ? 'live' : 'test'} mode${config.STRIPE_ACCOUNT === undefined ? '' : `, account ${config.STRIPE_ACCOUNT}`}, API version ${apiVersion}`,
    },
  ];
  const demand = (enough: boolean, what: string, fix: string) =>
    findings.push(enough ? { system, verdict: 'good', what } : { system, verdict: 'bad', what, fix });
  demand(
    catalog.meters.length > 0,
    `${catalog.meters.length} meters`,
    'Create meters with formula "sum": docs/stripe.md.',
  );
  demand(
    metered.length > 0,
    `${metered.length} metered subscription items`,
    'Subscribe customers to prices that have a meter.',
  );
  demand(
    bound.length > 0,
    `${bound.length} of them have a price that names its model`,
    'Set the metadata tallystick_model and tallystick_token_type on the prices.',
  );
  demand(
    named.length > 0,
    `${named.length} of ${catalog.customers.length} customers name their tenant`,
    `Set the metadata ${config.STRIPE_TENANT_METADATA_KEY} on customers, or assign users through the API.`,
  );
  findings.push(...findDeafMeters(catalog.meters), ...findClassicItems(bound));
  const ourMeters = new Set(bound.map((item) => item.stripeMeterId));
  const isOurs = (item: BillingSubscriptionItem) => ourMeters.has(item.stripeMeterId);
  const foreign = new Set(metered.filter((item) => !isOurs(item)).map((item) => item.priceId));
  if (foreign.size > 0)
    findings.push({
      system,
      verdict: 'good',
      what: `${foreign.size} metered prices name no model, and are left to whoever feeds them: ${[...foreign].join(', ')}`,
    });
  findings.push(...findDoubleItems(metered.filter(isOurs)));
  const legacy = catalog.subscriptionItems.length - metered.length;
  if (legacy > 0) {
    findings.push({
      system,
      verdict: 'look',
      what: `${legacy} items are metered without a meter (legacy usage records)`,
      fix: 'Move them to prices with a meter, or set STRIPE_LEGACY_USAGE_RECORDS=true and the metadata on their prices.',
    });
  }
  return findings;
}

/** The key may do what we do. Nothing is written to find out. */
export async function checkStripeRights(billing: StripeSystem): Promise<Finding[]> {
  const missing = await billing.findMissingRights(AbortSignal.timeout(60_000));
  if (missing.length === 0)
    return [
      {
        system: 'stripe',
        verdict: 'good',
        what: 'the key has the rights to send usage and to close periods',
      },
    ];
  return missing.map(({ right, neededFor }) => ({
    system: 'stripe',
    verdict: 'bad',
    what: `the key lacks ${right} (for ${neededFor})`,
    fix: 'Give the restricted key the right in the dashboard: docs/stripe.md, "The key".',
  }));
}

/** Stripe answers 2xx to events that such a meter cannot read, and loses them. */
function findDeafMeters(meters: readonly BillingMeter[]): Finding[] {
  return meters
    .filter(({ payloadKeys: { customer, value } }) => customer !== 'stripe_customer_id' || value !== 'value')
    .map(({ eventName, payloadKeys: { customer, value } }) => ({
      system: 'stripe',
      verdict: 'bad',
      what: `meter ${eventName} reads customer from "${customer}" and value from "${value}"; "stripe_customer_id" and "value" are sent`,
      fix: 'Make another meter with these keys, which cannot be changed; its usage is held as unusable_meter until then.',
    }));
}

/** In the classic mode a metered price that is replaced or removed bills nothing of what was used before. */
function findClassicItems(items: readonly BillingSubscriptionItem[]): Finding[] {
  const ids = [
    ...new Set(items.filter((item) => item.billingMode === 'classic').map((item) => item.subscriptionId)),
  ];
  if (ids.length === 0) return [];
  return [
    {
      system: 'stripe',
      verdict: 'look',
      what: `${ids.length} subscriptions are of the classic billing mode: ${ids.slice(0, 10).join(', ')}`,
      fix: 'Move them to billing_mode=flexible: classic subscriptions do not bill usage of a price that is replaced or removed.',
    },
  ];
}

/** Two items of one customer on one meter would each bill all of its usage. */
function findDoubleItems(items: readonly BillingSubscriptionItem[]): Finding[] {
  const itemsByPair = new Map<string, string[]>();
  for (const item of items) {
    // A price of zero charges nothing twice.
    if (item.price?.kind === 'per_unit' && parseDecimal(item.price.unitAmountDecimal, PICO_DIGITS) === 0n)
      continue;
    const pair = `customer ${item.stripeCustomerId}, meter ${item.stripeMeterId}`;
    itemsByPair.set(pair, [...(itemsByPair.get(pair) ?? []), item.subscriptionItemId]);
  }
  return [...itemsByPair]
    .filter(([, ids]) => ids.length > 1)
    .map(([pair, ids]) => ({
      system: 'stripe',
      verdict: 'bad',
      what: `${pair} would be billed ${ids.length} times, by items ${ids.join(', ')}`,
      fix: 'Cancel all but one of them; until then their usage is held as double_binding.',
    }));
}

/** Settings that are valid but surprise. */
export function checkConfiguration(config: Config): Finding[] {
  const system = 'configuration';
  const findings: Finding[] = [{ system, verdict: 'good', what: 'the environment is well-formed' }];
  const look = (what: string, fix: string) => findings.push({ system, verdict: 'look', what, fix });
  if (config.DATABASE_URL === undefined)
    look(
      'no DATABASE_URL: the ledger is an embedded Postgres',
      'Set DATABASE_URL in production, and back it up.',
    );
  if (config.REDIS_URL === undefined)
    look(
      'no REDIS_URL: the queue lies in Postgres',
      'Fine for one service; set REDIS_URL for several workers.',
    );
  if (config.STRIPE_WEBHOOK_SECRET === undefined)
    look(
      'no STRIPE_WEBHOOK_SECRET: webhooks are answered 503',
      "Set it; until then the catalog follows Stripe's list of events, asked every ten minutes.",
    );
  return findings;
}
