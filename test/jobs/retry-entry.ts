import { retryEntry } from '../../src/quarantine/retry.ts';
import type { Pipeline } from '../setup/pipeline.ts';

/** What a person does at the desk: everything that waits for this reason is to be taken up. */
export async function requestEntryRetry(pipeline: Pipeline, reason: string): Promise<void> {
  const { database, clock } = pipeline.deps;
  const waiting = await database
    .selectFrom('source_items')
    .select('quarantine_number')
    .where('quarantine_reason', '=', reason)
    .execute();
  for (const { quarantine_number } of waiting) {
    await retryEntry(database, {
      quarantineId: `item-${quarantine_number}`,
      actor: 'test',
      now: clock.now(),
    });
  }
}
