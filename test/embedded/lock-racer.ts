/** A process that takes and gives back the lock of a data directory when told to, for tests of races. */
import { lockDataDirectory } from '../../src/platform/embedded/directory-lock.ts';

export type RacerOrder = { take: string; atMs: number } | { release: true };
export type RacerAnswer = { outcome: 'holds' | 'refused' | 'free'; code?: string; message?: string };

let held: { release(): void } | null = null;

function answer(given: RacerAnswer): void {
  process.send?.(given);
}

process.on('message', (order: RacerOrder) => {
  if ('release' in order) {
    held?.release();
    held = null;
    answer({ outcome: 'free' });
    return;
  }
  // All start in the same instant, however late each heard of it.
  while (Date.now() < order.atMs);
  try {
    held = lockDataDirectory(order.take);
    answer({ outcome: 'holds' });
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    answer({ outcome: 'refused', code, message });
  }
});
process.on('disconnect', () => process.exit());
process.send?.({ outcome: 'free' } satisfies RacerAnswer);
