import type { CloseTotals } from './totals.ts';

interface CloseMetric {
  name: string;
  help: string;
  type: 'gauge';
  samples: { labels?: Record<string, string>; value: number | bigint }[];
}

/** How far the closes are, as gauges. */
export function closeMetrics(totals: CloseTotals, now: Date): CloseMetric[] {
  const ageOf = (instant: Date) => Math.max(0, (now.getTime() - instant.getTime()) / 1_000);
  const gauge = (name: string, help: string, samples: CloseMetric['samples']): CloseMetric => ({
    name: `tallystick_${name}`,
    help,
    type: 'gauge',
    samples,
  });
  return [
    gauge(
      'closes',
      'Invoices being closed, or closed, by the last step that is done; held: a difference.',
      totals.states.map(({ state, count }) => ({ labels: { state }, value: count })),
    ),
    gauge(
      'close_held_age_seconds',
      'How long the longest held invoice is held.',
      totals.states
        .filter(({ state }) => state === 'held')
        .map(({ oldestAt }) => ({ value: ageOf(oldestAt) })),
    ),
    gauge(
      'close_held_deadline_seconds',
      'Until Stripe finalizes the first held invoice by itself.',
      totals.nextDeadline === null
        ? []
        : [{ value: (totals.nextDeadline.getTime() - now.getTime()) / 1_000 }],
    ),
    gauge('close_certificates', 'Close certificates.', [{ value: totals.certificateCount }]),
    gauge('close_drift_tokens', 'Tokens by which certificates say that the halves differ.', [
      { value: totals.driftTokenCount },
    ]),
    gauge('close_total_mismatches', 'Closed invoices whose total is not the certified one.', [
      { value: totals.mismatchCount },
    ]),
    gauge(
      'late_item_tokens',
      'Tokens of late usage, by the state of their invoice item.',
      totals.lateItems.map(({ state, tokenCount }) => ({ labels: { state }, value: tokenCount })),
    ),
    gauge(
      'credit_proposals',
      'Credits, by state; proposed ones wait for a person.',
      totals.credits.map(({ state, count }) => ({ labels: { state }, value: count })),
    ),
  ];
}
