import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Harness, hours, readJson, START_MS, startHarness, usageEventBody } from './harness.ts';

let directory: string;
let h: Harness;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tallystick-openmeter-'));
});
afterEach(async () => {
  await h.close();
  rmSync(directory, { recursive: true });
});

const state = async () => {
  const get = async (path: string) => readJson<{ items: unknown[] }>(await fetch(`${h.url}${path}`));
  return {
    tokens: h.standIn.tokenTotalBySubject(),
    rows: await h.openMeter.queryHourly('tallystick_total_tokens', hours(0, 24)),
    meters: await get('/api/v1/meters?includeDeleted=true'),
    customers: await get('/api/v1/customers?includeDeleted=true'),
    events: await get('/api/v2/events'),
  };
};

test('what was answered is there again after a kill, and what was lost or refused is not', async () => {
  h = await startHarness({ stateDirectory: directory });
  await h.openMeter.ensureMeters();
  await fetch(`${h.url}/api/v1/meters/tallystick_requests`, { method: 'DELETE' });
  await h.openMeter.upsertCustomers([
    { customerId: 'a', name: 'A', stripeCustomerId: null, subjectKeys: ['user-1'] },
    { customerId: 'b', name: 'B', stripeCustomerId: 'cus_b', subjectKeys: ['2026-11-21T10:00:00Z'] },
  ]);
  await fetch(`${h.url}/api/v1/customers/a`, { method: 'DELETE' });
  h.standIn.setFaults({ dropEvery: 5, poisonIds: ['poison'] });
  await h.openMeter.ingestEvents(
    Array.from({ length: 23 }, (_, index) => usageEventBody({ id: `e${index}` })),
  );
  await expect(h.openMeter.ingestEvents([usageEventBody({ id: 'poison' })])).rejects.toThrow();
  h.clock.advanceTo(START_MS + 60_000);
  h.standIn.setFaults({ dropEvery: 0, next: ['reset-after-commit'] });
  // Some of these are repeats; one answer is lost on the way.
  await h.openMeter.ingestEvents(
    Array.from({ length: 9 }, (_, index) => usageEventBody({ id: `e${index * 4}` })),
  );
  h.clock.advanceTo(START_MS + 120_000);
  const before = await state();
  expect(before.events.items.length).toBeGreaterThan(0);

  // No close: the process just ends. A line cut short by that was never answered.
  const path = join(directory, 'openmeter.journal.jsonl');
  appendFileSync(path, '{"at":17936');
  const killed = h;
  h = await startHarness({ stateDirectory: directory, startMs: START_MS + 120_000 });
  expect(await state()).toEqual(before);
  await killed.close();
  expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(true);
});

test('events accepted and not yet flushed at the kill show after it, and ids stay remembered', async () => {
  h = await startHarness({ stateDirectory: directory });
  await h.openMeter.ingestEvents([usageEventBody({ id: 'a' })]);
  expect(h.standIn.tokenTotal()).toBe(0n);
  await h.close();
  h = await startHarness({ stateDirectory: directory });
  expect(h.standIn.tokenTotal()).toBe(0n);
  await h.openMeter.ingestEvents([usageEventBody({ id: 'a' }), usageEventBody({ id: 'b' })]);
  h.clock.advanceTo(START_MS + 2_000);
  expect(h.standIn.tokenTotal()).toBe(240n);
});
