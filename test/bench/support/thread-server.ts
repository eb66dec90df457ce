import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';

/** The other end of `startStandInThread`: listens on loopback, reports when asked, ends when told. */
export function runThreadServer(server: Server, report: () => unknown): void {
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    parentPort?.postMessage({ url: `http://127.0.0.1:${port}` });
  });
  parentPort?.on('message', (message) => {
    if (message === 'report') parentPort?.postMessage(report());
    if (message !== 'close') return;
    server.close();
    server.closeAllConnections();
    parentPort?.close();
  });
}
