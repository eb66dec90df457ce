import { expect, test } from 'vitest';
import { loadConfig } from '../../src/platform/config.ts';
import { describeNewInstallation } from '../../src/status/new-installation.ts';

test('an installation without anything is told each thing that is missing, and where it is described', () => {
  const text = describeNewInstallation(loadConfig({ TALLYSTICK_DATA_DIR: '/srv/ledger' }), []);
  for (const name of ['AZURE_LOGS_WORKSPACE_ID', 'OPENMETER_URL', 'STRIPE_API_KEY']) {
    expect(text).toMatch(new RegExp(`missing .*${name}.*docs/\\w+\\.md`));
  }
  expect(text).toContain('/srv/ledger');
  expect(text).toContain('tallystick doctor');
  expect(text).not.toContain('does not run');
});

test('what is set is not called missing, and no value is printed', () => {
  const config = loadConfig({
    DATABASE_URL: 'postgres://tallystick:secret@db.example/ledger',
    AZURE_LOGS_RESOURCE_ID: '/subscriptions/1/resourceGroups/x',
    OPENMETER_URL: 'https://openmeter.example',
    STRIPE_API_KEY: 'sk_live_secret',
  });
  const text = describeNewInstallation(config, ['/srv/demo-1-35d-12c-60u']);
  expect(text).not.toContain('missing');
  expect(text).not.toContain('secret');
  expect(text).toContain('/srv/demo-1-35d-12c-60u');
});
