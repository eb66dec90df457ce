import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RetailChange } from './azure/retail-state.ts';
import type { SandboxCalls, SandboxTotals } from './control.ts';
import type { SandboxFaultSettings } from './fault-settings.ts';
import type { GatewayTurn, PassedTotals } from './gateway/passed-calls.ts';
import type { SandboxAddresses, SandboxOptions } from './sandbox.ts';

/** A sandbox in a thread of its own, so that it takes the second core and no turn of the pipeline's loop. */
export interface SandboxHandle {
  addresses: SandboxAddresses;
  readClock(): Promise<{ nowMs: number; lastIngestionMs: number }>;
  advanceTo(nowMs: number): Promise<void>;
  runWithRealTime(): Promise<void>;
  dropNextMeterEvents(count: number): Promise<void>;
  /** Switches faults; what is left out stays as it is. */
  setFaults(settings: SandboxFaultSettings): Promise<void>;
  clearFaults(): Promise<void>;
  /** Changes a price of the retail list in virtual time. */
  scheduleRetailPrice(change: RetailChange): Promise<void>;
  /** What the gateway let through becomes rows of the source; said again, a turn changes nothing. */
  recordGatewayTurn(turn: GatewayTurn): Promise<void>;
  readPassed(): Promise<PassedTotals>;
  readTotals(): Promise<SandboxTotals>;
  readCalls(): Promise<SandboxCalls>;
  close(): Promise<void>;
}

/** Starts the sandbox in a worker thread and answers when its servers listen. */
export async function startSandboxThread(options: SandboxOptions): Promise<SandboxHandle> {
  const file = new URL(`./sandbox-thread${path.extname(import.meta.filename)}`, import.meta.url);
  const thread = new Worker(file, { workerData: options });
  const exited = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  const addresses = await new Promise<SandboxAddresses>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  const call = async <Answer>(route: string, body?: object, method = 'POST'): Promise<Answer> => {
    const response = await fetch(`${addresses.controlUrl}${route}`, {
      ...(body === undefined ? {} : { method, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`The sandbox answered ${response.status} to ${route}.`);
    return (await response.json()) as Answer;
  };
  return {
    addresses,
    readClock: () => call('/clock'),
    advanceTo: async (nowMs) => void (await call('/clock', { nowMs })),
    runWithRealTime: async () => void (await call('/clock/run', {})),
    dropNextMeterEvents: async (count) => void (await call('/stripe/drop-meter-events', { count })),
    setFaults: async (settings) => void (await call('/faults', settings, 'PUT')),
    clearFaults: async () => void (await call('/faults', {}, 'DELETE')),
    scheduleRetailPrice: async (change) => void (await call('/retail/changes', change)),
    recordGatewayTurn: async (turn) => void (await call('/gateway', turn)),
    readPassed: () => call('/gateway'),
    readTotals: () => call('/totals'),
    readCalls: () => call('/calls'),
    close: async () => {
      thread.postMessage('close');
      await exited;
    },
  };
}
