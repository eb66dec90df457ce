import { Worker } from 'node:worker_threads';
import type { Cleanup } from './cleanup.ts';

/** A stand-in in a thread of its own, so that its work takes no turn of the measured event loop. */
export interface StandInThread<Report> {
  url: string;
  /** What it counted so far. */
  report(): Promise<Report>;
  close(): Promise<void>;
}

/**
 * Starts a thread whose first message is `{ url }`, which answers the message `report` with one of its own,
 * and which ends on the message `close`.
 */
export async function startStandInThread<Report>(
  file: URL,
  workerData: unknown,
  cleanup: Cleanup,
): Promise<StandInThread<Report>> {
  const worker = new Worker(file, { workerData });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const receive = <Message>() =>
    new Promise<Message>((resolve, reject) => {
      worker.once('message', (message) => {
        worker.off('error', reject);
        resolve(message);
      });
      worker.once('error', reject);
    });
  const close = cleanup.defer(async () => {
    worker.postMessage('close');
    await exited;
  });
  const { url } = await receive<{ url: string }>();
  return {
    url,
    report: async () => {
      const answer = receive<Report>();
      worker.postMessage('report');
      return answer;
    },
    close,
  };
}
