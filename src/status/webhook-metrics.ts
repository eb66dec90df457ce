import type { StatusMetrics } from './status.ts';

export interface WebhookMetric {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  samples: { labels?: Record<string, string>; value: number | bigint }[];
}

/** What webhooks brought and what of it is due, and what the catalog refuses to bill twice. */
export function webhookMetrics(
  { webhookCounts: counts, report }: Pick<StatusMetrics, 'webhookCounts' | 'report'>,
  now: Date,
): WebhookMetric[] {
  const { webhooks: due, doubleBindings: doubles } = report;
  const labelsOf = (count: (typeof counts)[number]) => ({
    provider: count.provider,
    type: count.eventType,
    known: String(count.isKnown),
  });
  return [
    {
      name: 'tallystick_webhook_events_total',
      help: 'Events received for the first time, by type; of types that this version does not know, too.',
      type: 'counter',
      samples: counts.map((count) => ({ labels: labelsOf(count), value: count.receivedCount })),
    },
    {
      name: 'tallystick_webhook_duplicates_total',
      help: 'Events that came again.',
      type: 'counter',
      samples: counts.map((count) => ({ labels: labelsOf(count), value: count.duplicateCount })),
    },
    {
      name: 'tallystick_webhook_other_account_total',
      help: 'Events of other accounts than STRIPE_ACCOUNT: answered, and left alone.',
      type: 'counter',
      samples: counts
        .filter(({ otherAccountCount }) => otherAccountCount > 0n)
        .map((count) => ({ labels: labelsOf(count), value: count.otherAccountCount })),
    },
    {
      name: 'tallystick_webhook_events_due',
      help: 'Events that were recorded and whose work is not done yet.',
      type: 'gauge',
      samples: [{ value: due.dueCount }],
    },
    {
      name: 'tallystick_webhook_oldest_due_age_seconds',
      help: 'How long the oldest of them waits; 0 when none.',
      type: 'gauge',
      samples: [
        {
          value:
            due.oldestDueAt === null ? 0 : Math.max(0, (now.getTime() - due.oldestDueAt.getTime()) / 1_000),
        },
      ],
    },
    {
      name: 'tallystick_double_bindings',
      help: 'Meters that two or more active items of a customer would bill; nothing is pushed to them.',
      type: 'gauge',
      samples: [{ value: doubles.length }],
    },
  ];
}
