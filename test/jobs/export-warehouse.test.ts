import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobDependencies } from '../../jobs/dependencies.ts';
import { runStep, STEP_NAMES, stepNames } from '../../jobs/queue/steps.ts';
import { configuredWarehouse } from '../../src/exports/warehouse/open-store.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { withStepLease } from '../../src/platform/database/leases.ts';
import { createLogger } from '../../src/platform/log.ts';
import type { ApiBench } from '../api/setup.ts';
import { createFocusBench } from '../exports/focus-world.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';

let bench: ApiBench;
let without: JobDependencies;
let deps: JobDependencies;
const folder = makeTemporaryDirectory('warehouse-step');
beforeAll(async () => {
  bench = await createFocusBench();
  // The step asks nothing else of them.
  without = {
    database: bench.ledger.database,
    clock: bench.clock,
    log: createLogger('silent'),
  } as Partial<JobDependencies> as JobDependencies;
  deps = { ...without, ...configuredWarehouse(loadConfig({ WAREHOUSE_URL: pathToFileURL(folder).href })) };
});
afterAll(async () => {
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

it('is none of the steps, and does nothing, where no warehouse is configured', async () => {
  expect(configuredWarehouse(loadConfig({}))).toEqual({});
  expect(stepNames(without)).toEqual(STEP_NAMES);
  expect(stepNames(deps)).toEqual([...STEP_NAMES, 'export-warehouse']);
  expect(await runStep(without, 'export-warehouse')).toMatchObject({ ran: true, writtenDayCount: 0 });
});

it('writes what is due, once, and leaves it to whoever is writing', async () => {
  const held = await withStepLease(bench.ledger.database, 'export-warehouse', () =>
    runStep(deps, 'export-warehouse'),
  );
  expect(held).toEqual({ ran: false });
  expect(existsSync(path.join(folder, 'manifest.json'))).toBe(false);
  expect(await runStep(deps, 'export-warehouse')).toMatchObject({ writtenDayCount: 1, unchangedDayCount: 0 });
  expect(await runStep(deps, 'export-warehouse')).toMatchObject({ writtenDayCount: 0, unchangedDayCount: 1 });
});
