import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { toCsv } from '../../src/platform/csv.ts';
import type { ApiBench } from '../api/setup.ts';
import { insertInvoice, storeLines } from '../api/statement-world.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { createFocusBench, FOCUS_WINDOW } from './focus-world.ts';

/** A Python environment with `focus-validator-requirements.txt`; `.ci/run` makes one. */
const ENVIRONMENT = process.env.FOCUS_VALIDATOR_ENVIRONMENT;
const VALIDATOR = ENVIRONMENT === undefined ? '' : path.join(ENVIRONMENT, 'bin/focus-validator');

function hasValidator(): boolean {
  if (existsSync(VALIDATOR)) return true;
  const message =
    'there is no focus-validator: name a Python environment that has it in FOCUS_VALIDATOR_ENVIRONMENT.';
  if (process.env.CI) throw new Error(message);
  console.warn(`Left out: ${message}`);
  return false;
}

/**
 * Four columns are called otherwise in the rules of its version 1.0.0 than in the specification that they are of, and one
 * rule asks for a column that became ChargeCategory before 1.0. So it is given the same file under its own names, and every
 * rule runs.
 */
const ITS_NAMES: Record<string, string> = {
  ProviderName: 'Provider',
  PublisherName: 'Publisher',
  InvoiceIssuerName: 'InvoiceIssuer',
  ResourceId: 'ResourceID',
};

function inItsNames(text: string): string {
  const [names = [], ...rows] = parse(text) as string[][];
  const category = names.indexOf('ChargeCategory');
  return toCsv({
    columns: [...names.map((name) => ITS_NAMES[name] ?? name), 'ChargeType'],
    rows: rows.map((row) => [...row, row[category] ?? '']),
  });
}

describe.skipIf(!hasValidator())('the official validator', () => {
  let bench: ApiBench;
  beforeAll(async () => {
    bench = await createFocusBench();
    const { database } = bench.ledger;
    await insertInvoice(database, { id: 'in_1', totalMinor: 450n });
    await storeLines(database, {
      id: 'in_1',
      totalMinor: 450n,
      lines: [
        { lineId: 'il_fee', description: 'Support', amountMinor: 500n },
        { lineId: 'il_credit', description: 'Goodwill', amountMinor: -100n },
      ],
    });
  });
  afterAll(() => bench.close());

  async function validate(text: string): Promise<{ isValid: boolean; output: string }> {
    const directory = makeTemporaryDirectory('focus');
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const file = path.join(directory, 'focus.csv');
    await writeFile(file, inItsNames(text));
    const library = path.join(ENVIRONMENT ?? '', 'lib');
    const [python = ''] = await readdir(library);
    // It looks for its list of currencies from where it stands.
    const cwd = path.join(library, python, 'site-packages');
    try {
      const { stdout } = await promisify(execFile)(VALIDATOR, ['--data-file', file], { cwd });
      return { isValid: /Validation succeeded/i.test(stdout), output: stdout };
    } catch (error) {
      return { isValid: false, output: (error as { stdout?: string }).stdout ?? String(error) };
    }
  }

  it.each(['1.0', '1.3', '1.3&perspective=invoices'])(
    'finds nothing in an export of %s, and something in one that is not right',
    async (version) => {
      const window = version.includes('invoices') ? 'period=2026-11' : FOCUS_WINDOW;
      const response = await bench.call(`/v1/exports/focus?${window}&version=${version}`);
      const text = await response.text();
      const { isValid, output } = await validate(text);
      expect({ isValid, output: isValid ? '' : output }).toEqual({ isValid: true, output: '' });
      const wrong = await validate(text.replaceAll(',Usage,', ',Usage,Wrong').replaceAll('USD', 'US$'));
      expect(wrong.isValid).toBe(false);
      expect(wrong.output).toContain('BillingCurrency_IsCurrencyCode');
    },
  );
});
