import { afterEach, beforeEach, expect, it } from 'vitest';
import { compareHours } from '../../jobs/aggregate/compare-hours.ts';
import { FIGURE_NAMES, FIGURES } from '../../pricing/usage/shape.ts';
import { sumSentEvents } from '../../src/usage/hours/settlements.ts';
import { type EarlierLedger, openLedgerBefore } from '../setup/earlier-ledger.ts';

const HOUR = new Date('2026-10-01T00:00:00Z');
let ledger: EarlierLedger;

beforeEach(async () => {
  ledger = await openLedgerBefore(/_more_figures\.sql$/);
});
afterEach(() => ledger.close());

/** As an earlier version collected it: minute, prompt, cached. */
async function addEvent(id: string, subject: string, minute: number, prompt: number, cached: number) {
  await ledger.client.query(
    `insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment,
       prompt_token_count, cached_prompt_token_count, completion_token_count, reasoning_token_count, total_token_count,
       request_count, body, status, created_at)
     values ($1, $2, $2::timestamptz + make_interval(mins => $3), $4, 'chat', 'm', 'd', $5, $6, 20, 0, $7, 1, '{}',
       'confirmed', $2)`,
    [id, HOUR, minute, subject, prompt, cached, prompt + 20],
  );
}

it('usage that contradicts itself stays as it was billed, with all of its hour and key; other usage is exact', async () => {
  // The cached row of a minute came in one event, its prompt row in the next: the hour was billed right.
  await addEvent('late-1', 'split', 5, 0, 10);
  await addEvent('late-2', 'split', 5, 100, 0);
  await addEvent('odd-1', 'odd', 5, 3, 1_313);
  await addEvent('odd-2', 'odd', 9, 10, 10);
  await addEvent('sound', 'sound', 5, 100, 30);
  const dropped = (subject: string, prompt: number, cached: number) =>
    ledger.client.query(
      `insert into dropped_item_sums (window_start, subject, feature, model, deployment, prompt_token_count,
         cached_prompt_token_count, completion_token_count, first_ingested_at)
       values ($1, $2, 'chat', 'm', 'd', $3, $4, 40, $1)`,
      [HOUR, subject, prompt, cached],
    );
  await dropped('odd', 13, 1_323);
  await dropped('sound', 100, 30);
  await ledger.migrate();

  const flagged = await ledger.client.query(
    'select usage_event_id from usage_events where counted_formerly order by 1',
  );
  expect(flagged.rows.map((row) => row.usage_event_id)).toEqual(['late-1', 'late-2', 'odd-1', 'odd-2']);
  const sums = await ledger.client.query(
    'select subject, counted_formerly from dropped_item_sums order by 1',
  );
  expect(sums.rows).toEqual([
    { subject: 'odd', counted_formerly: true },
    { subject: 'sound', counted_formerly: false },
  ]);

  const sent = await sumSentEvents(ledger.database, [HOUR]);
  const metered = new Map(
    FIGURE_NAMES.map((name) => [
      FIGURES[name].meterSlug,
      sent.map(({ figures, former: _, ...key }) => ({ ...key, value: figures[name] })),
    ]),
  );
  const { usage, drifts } = compareHours(sent, metered);
  expect(drifts).toEqual([]);
  const billed = (subject: string) =>
    Object.fromEntries(
      usage.filter((row) => row.subject === subject).map((row) => [row.tokenType, row.tokenCount]),
    );
  expect(billed('split')).toEqual({ prompt: 90n, prompt_cached: 10n, completion: 40n });
  expect(billed('odd')).toEqual({ prompt_cached: 13n, completion: 40n });
  expect(billed('sound')).toEqual({ prompt: 70n, prompt_cached: 30n, completion: 20n });
});
