import { dashboard } from './frame.ts';
import { AGE, COUNT, figures, lines, table } from './panels.ts';
import { kept, last, rowsOf } from './queries.ts';

/** Every process tells the same, read from the ledger: of several scraped, the largest is as good as any. */
const any = (metric: string, ...labels: string[]) =>
  labels.length === 0 ? `max(tallystick_${metric})` : `max by (${labels.join(', ')}) (tallystick_${metric})`;

const TOKENS = { unit: 'short', decimals: 1 };
const HALF = { width: 12 };

const NOW_FIGURES = [
  { name: 'Furthest behind', query: any('watermark_age_seconds'), shown: { ...AGE, warnFrom: 3_600 } },
  {
    name: 'Oldest open hour',
    query: any('oldest_open_hour_age_seconds'),
    shown: { ...AGE, warnFrom: 21_600 },
  },
  {
    name: 'Tokens that differ',
    query: 'max(abs(tallystick_token_difference))',
    shown: { ...COUNT, warnFrom: 1 },
  },
  { name: 'Open drifts', query: any('open_drifts'), shown: { ...COUNT, warnFrom: 1 } },
  {
    name: 'Quarantined tokens',
    query: 'sum(max by (stage, reason, metric) (tallystick_quarantined_tokens)) or vector(0)',
    shown: { ...TOKENS, warnFrom: 1 },
  },
  {
    name: 'Failing steps',
    query: 'sum(max by (step) (tallystick_step_failing))',
    shown: { ...COUNT, warnFrom: 1 },
  },
  {
    name: 'Oldest waiting job',
    query: any('queue_oldest_waiting_age_seconds'),
    shown: { ...AGE, warnFrom: 600 },
  },
  {
    name: 'Held invoices',
    query: 'max(tallystick_closes{state="held"}) or vector(0)',
    shown: { ...COUNT, warnFrom: 1 },
  },
] as const;

const refIdOf = (index: number) => String.fromCharCode('A'.charCodeAt(0) + index);

const now = figures(
  {
    title: 'Now',
    description:
      'What is wrong, if anything: collecting more than an hour behind, an hour open for six, tokens that are not accounted for, differences from OpenMeter, quarantine, steps that fail, a queue that stands.',
  },
  last(NOW_FIGURES[0].query, NOW_FIGURES[0].name),
  NOW_FIGURES.map(({ name, shown }) => ({ name, title: name, ...shown })),
).targets(NOW_FIGURES.map(({ name, query }, index) => last(query, name, refIdOf(index))));

export const OPERATIONS = dashboard(
  {
    uid: 'tallystick-operations',
    title: 'Tallystick: operations',
    description: 'The way of a token: how far each step is, what differs, what waits, and what fails.',
    consolePath: '/console/pipeline',
    isLive: true,
    needsPrometheus: true,
  },
  [
    {
      panels: [
        now,
        lines(
          {
            title: 'Behind now, by source',
            description:
              'Age of what is collected: the lag that collecting keeps, and more when it stands still.',
            ...HALF,
            ...AGE,
          },
          kept(any('watermark_age_seconds', 'source'), '{{source}}'),
        ),
        lines(
          {
            title: 'Oldest hour that is not settled',
            description:
              'Since its start; it rises with the clock and falls when OpenMeter shows what the ledger has.',
            ...HALF,
            ...AGE,
          },
          kept(any('oldest_open_hour_age_seconds'), 'oldest open hour'),
        ),
      ],
    },
    {
      title: 'Where tokens are',
      panels: [
        lines(
          {
            title: 'Tokens on their way',
            description:
              'Due: collected and neither delivered nor waiting for a person. Unassigned: settled, and no push carries them yet.',
            ...HALF,
            ...TOKENS,
          },
          kept(any('due_tokens'), 'due'),
          kept(any('unassigned_tokens'), 'unassigned', 'B'),
          kept(any('awaiting_invoice_tokens'), 'await their invoice', 'C'),
        ),
        lines(
          {
            title: 'Collected and delivered in an hour',
            description: 'Tokens by the hour. Delivered follows collected by the settle lag.',
            ...HALF,
            ...TOKENS,
          },
          kept('max(increase(tallystick_collected_tokens_total[1h]))', 'collected'),
          kept('max(increase(tallystick_delivered_tokens_total[1h]))', 'delivered', 'B'),
        ),
        lines(
          {
            title: 'Quarantine',
            description:
              'Tokens that wait, by stage and reason. Nothing of it is billed before somebody cures it.',
            ...HALF,
            ...TOKENS,
          },
          kept(any('quarantined_tokens', 'stage', 'reason', 'metric'), '{{stage}} {{reason}} {{metric}}'),
        ),
        table(
          {
            title: 'Quarantine now',
            description:
              'Read from the ledger, with how many rows wait. Where to cure it: the pipeline page of the console.',
            ...HALF,
            height: 9,
          },
          rowsOf(`select stage, reason, metric_name, row_count, token_count from reporting.quarantine
order by token_count desc, stage, reason, metric_name`),
          [
            { name: 'stage', title: 'Stage' },
            { name: 'reason', title: 'Reason', leadsTo: '/console/pipeline' },
            { name: 'metric_name', title: 'Metric' },
            { name: 'row_count', title: 'Rows', ...COUNT },
            { name: 'token_count', title: 'Tokens', ...COUNT },
          ],
        ),
      ],
    },
    {
      title: 'What differs',
      panels: [
        lines(
          {
            title: 'Drifts',
            description: 'Differences that are not resolved, by the system that differs and by class.',
            ...HALF,
            ...COUNT,
          },
          kept(any('drifts', 'boundary', 'class'), '{{boundary}} {{class}}'),
        ),
        lines(
          {
            title: 'How long the oldest drift is known',
            description:
              'By the system that differs and by class. What is repaired by itself does not get old.',
            ...HALF,
            ...AGE,
          },
          kept(any('drift_oldest_age_seconds', 'boundary', 'class'), '{{boundary}} {{class}}'),
        ),
      ],
    },
    {
      title: 'Steps and queue',
      panels: [
        lines(
          {
            title: 'Since each step last succeeded',
            description:
              'Seconds since the last run that ended well. A line that climbs is a step that fails or is not run.',
            ...HALF,
            ...AGE,
          },
          kept('time() - max by (step) (tallystick_step_last_success_timestamp_seconds)', '{{step}}'),
        ),
        lines(
          {
            title: 'Failed runs in an hour',
            description: 'By step. A failed run is repeated; what it had done stays done.',
            ...HALF,
            ...COUNT,
          },
          kept('max by (step) (increase(tallystick_step_failures_total[1h]))', '{{step}}'),
        ),
        lines(
          { title: 'Queue', description: 'Jobs by state, as a worker last saw them.', ...HALF, ...COUNT },
          kept(any('queue_jobs', 'state'), '{{state}}'),
        ),
        lines(
          {
            title: 'Head of the queue',
            description:
              'How long the job at the head waits, and how old what is known of the queue is: old when no worker runs.',
            ...HALF,
            ...AGE,
          },
          kept(any('queue_oldest_waiting_age_seconds'), 'oldest waiting'),
          kept(any('queue_observed_age_seconds'), 'last looked at', 'B'),
        ),
        lines(
          {
            title: 'Webhooks',
            description: 'Events whose work is not done yet.',
            ...HALF,
            ...COUNT,
          },
          kept(any('webhook_events_due'), 'due'),
        ),
        lines(
          {
            title: 'Days to rate',
            description: 'Days whose cost waits to be rated again: after a change of prices, or late usage.',
            ...HALF,
            ...COUNT,
          },
          kept(any('cost_days_due'), 'days'),
        ),
      ],
    },
    {
      title: 'Closing',
      panels: [
        lines(
          {
            title: 'Invoices being closed',
            description:
              'By the last step that is done. Held ones differ and need a person before Stripe finalizes them.',
            ...HALF,
            ...COUNT,
          },
          kept(any('closes', 'state'), '{{state}}'),
        ),
        lines(
          {
            title: 'Until the first held invoice is finalized by Stripe',
            description: 'Nothing is drawn while none is held.',
            ...HALF,
            ...AGE,
          },
          kept('min(tallystick_close_held_deadline_seconds)', 'deadline'),
        ),
      ],
    },
  ],
);
