import { parentPort, workerData } from 'node:worker_threads';
import { openSimulationLedger } from './server.ts';
import { simulate } from './simulate.ts';

/** One thread with a ledger of its own: plays the seeds that it is told, one after the other. */
const { serverUrl, name, stepCount } = workerData as { serverUrl: string; name: string; stepCount: number };
const port = parentPort;
if (port === null) throw new Error('This file is the body of a worker thread');
const ledger = await openSimulationLedger(serverUrl, name);

port.on('message', async (seed: number | null) => {
  if (seed === null) {
    await ledger.close();
    port.close();
    return;
  }
  await ledger.empty();
  port.postMessage(await simulate({ seed, stepCount, ...ledger }));
});
port.postMessage(null);
