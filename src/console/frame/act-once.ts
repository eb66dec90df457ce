import { setTimeout as sleep } from 'node:timers/promises';
import { raw } from 'hono/html';
import {
  claimForm,
  forgetForm,
  keepFormAnswer,
  type SentOnce,
} from '../../identity/sessions/form-answers.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { ActResult } from './define-page.ts';

/** How long somebody who sent a form again waits for what the first sending comes to. */
const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 100;

/**
 * Does what makes something once for each form, however often it is sent: whoever sends it again sees what the first sending made. What
 * was refused is not done, and is tried anew.
 * @throws what `run` throws; TallystickError CONFLICT while the first sending is still under way
 */
export async function actOnce(
  database: LedgerDatabase,
  sent: SentOnce,
  run: () => Promise<ActResult>,
): Promise<ActResult> {
  for (let waitedMs = 0; waitedMs <= PATIENCE_MS; waitedMs += LOOK_EVERY_MS) {
    const before = await claimForm(database, sent);
    if (before === 'first') {
      const result = await run().catch(async (error: unknown) => {
        await forgetForm(database, sent);
        throw error;
      });
      await keepFormAnswer(database, sent, write(result));
      return result;
    }
    if (before !== 'under way') return read(before.answer);
    await sleep(LOOK_EVERY_MS);
  }
  throw new TallystickError('This form was sent a moment ago, and is still worked on.', {
    code: 'CONFLICT',
    retry: true,
    fix: 'Look whether it is done before you send it again.',
  });
}

function write(result: ActResult): string {
  if (!('shown' in result)) return JSON.stringify(result);
  return JSON.stringify({ shown: { ...result.shown, body: String(result.shown.body) } });
}

function read(text: string): ActResult {
  const result = JSON.parse(text) as ActResult;
  // Escaped when it was drawn.
  return 'shown' in result ? { shown: { ...result.shown, body: raw(String(result.shown.body)) } } : result;
}
