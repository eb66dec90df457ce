import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { openPipeline, outsideWrites, type Pipeline } from '../setup/pipeline.ts';
import type { SyncReport } from '../setup/sync-catalog-child.ts';

const CHILD = new URL('../setup/sync-catalog-child.ts', import.meta.url).pathname;
const MEBIBYTE = 1_048_576;

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Users with ids as long as a GUID. */
async function addUsers(customerId: string, count: number): Promise<void> {
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select gen_random_uuid()::text, ${customerId}, ${customerId}, 'tenant', now(), now()
    from generate_series(1, ${count}::int)`.execute(pipeline.deps.database);
}

/** `sync-catalog` in a process of its own. */
async function sync(): Promise<SyncReport> {
  pipeline.calls.splice(0);
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD], {
    env: {
      PATH: process.env.PATH,
      ...pipeline.azureEnvironment,
      DATABASE_URL: pipeline.ledger.databaseUrl,
      OPENMETER_URL: pipeline.urls.openMeter,
      STRIPE_API_KEY: pipeline.stripe.apiKey,
      STRIPE_API_BASE: pipeline.urls.stripe,
    },
    maxBuffer: 10 * MEBIBYTE,
  });
  return JSON.parse(stdout) as SyncReport;
}

it.each([
  ['one customer', 1, 1],
  ['five customers', 5, 0],
])(
  'sync-catalog with 100,000 users of %s ends well, and writes nothing the second time',
  async (_, among, told) => {
    pipeline = await openPipeline({ scenario: { customerCount: 5, userCount: 5 } });
    const few = await sync();
    expect(few.problems).toEqual([]);
    const customers = await pipeline.deps.database
      .selectFrom('customers')
      .select('customer_id')
      .limit(among)
      .execute();
    for (const { customer_id } of customers) await addUsers(customer_id, 100_000 / among);
    const first = await sync();
    expect(first.problems).toHaveLength(told);
    const again = await sync();
    expect(again.problems).toEqual([]);
    expect(outsideWrites(pipeline.calls)).toEqual([]);
    const growth = [first, again].map(({ peakBytes }) => (peakBytes - few.peakBytes) / MEBIBYTE);
    // Five times 20,000 ids of 36 bytes, in the ledger's answer, in OpenMeter's and in sets, were seen to take 114.
    for (const mebibytes of growth) expect(mebibytes).toBeLessThan(250);
  },
);
