import { parentPort, workerData } from 'node:worker_threads';
import { type SandboxOptions, startSandbox } from './sandbox.ts';

/** The body of the sandbox's thread: it dies with the process, so no kill leaves a stand-in behind. */
const sandbox = await startSandbox(workerData as SandboxOptions);
parentPort?.postMessage(sandbox.addresses);
parentPort?.once('message', async () => {
  await sandbox.close();
  parentPort?.close();
});
