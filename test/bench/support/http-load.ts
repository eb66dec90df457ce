import { Agent, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Cleanup } from './cleanup.ts';

/** What requests got, and what they took. */
export interface Load {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of this process, client and server together. */
  cpuMicros: number;
}

interface LoadTarget {
  port: number;
  path: string;
  body: string;
  plainKey: string;
  count: number;
  /** Requests under way at any time. */
  connectionCount: number;
}

/** Serves an app on a port of its own on loopback. */
export async function listen(app: Pick<Hono, 'fetch'>, cleanup: Cleanup): Promise<number> {
  return await new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, (address: AddressInfo) =>
      resolve(address.port),
    );
    cleanup.defer(async () => {
      await new Promise((closed) => server.close(closed));
    });
  });
}

/** So many requests, each connection sending its next when its last was answered. */
export async function load(target: LoadTarget): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: target.connectionCount });
  const durationsMs: number[] = [];
  let left = target.count;
  const startedCpu = process.cpuUsage();
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: target.connectionCount }, async () => {
      while (left > 0) {
        left -= 1;
        const sentMs = performance.now();
        await post(agent, target);
        durationsMs.push(performance.now() - sentMs);
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(startedCpu);
  agent.destroy();
  durationsMs.sort((left, right) => left - right);
  const at = (share: number) => durationsMs[Math.floor((durationsMs.length - 1) * share)] ?? 0;
  return {
    perSecond: target.count / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: (user + system) / target.count,
  };
}

/** @throws Error when the answer is not 201 */
function post(agent: Agent, { port, path, body, plainKey }: LoadTarget) {
  return new Promise<void>((resolve, reject) => {
    const request = sendRequest(
      {
        agent,
        port,
        host: '127.0.0.1',
        method: 'POST',
        path,
        headers: {
          authorization: `Bearer ${plainKey}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (response) => {
        response.resume();
        response.once('end', () =>
          response.statusCode === 201 ? resolve() : reject(new Error(`answered ${response.statusCode}`)),
        );
      },
    );
    request.once('error', reject);
    request.end(body);
  });
}
