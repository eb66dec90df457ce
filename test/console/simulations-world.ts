import { seedPlans } from '../../src/plans/seed.ts';
import { insertItem, insertUsage } from '../api/world.ts';
import { insertRollupWorld, rate } from '../costs/rollup-world.ts';
import type { ConsoleBench } from './walk.ts';
import { HOSTILE_NAMES } from './world.ts';

const NOW = new Date('2026-11-21T10:00:00Z');

/** The rollup's world, and thirty customers more: some dear, some cheap, some called what nobody should be called. */
export async function insertSimulationWorld({ ledger }: ConsoleBench): Promise<void> {
  const { database } = ledger;
  await insertRollupWorld(database);
  await seedPlans(database, NOW);
  const ids = Array.from({ length: 30 }, (_, index) => `c-${String(index).padStart(2, '0')}`);
  await database
    .insertInto('customers')
    .values(
      ids.map((id, index) => ({
        customer_id: id,
        stripe_customer_id: `cus_${id}`,
        tenant_key: id,
        name: HOSTILE_NAMES[index] ?? `Customer ${index}`,
        currency: 'usd',
        deleted_at: null,
        synced_at: NOW,
      })),
    )
    .execute();
  await database
    .insertInto('subjects')
    .values(
      ids.map((id) => ({
        subject: `user-${id}`,
        tenant_key: id,
        customer_id: id,
        assigned_by: 'tenant' as const,
        first_seen_at: NOW,
        updated_at: NOW,
      })),
    )
    .execute();
  for (const [index, customer] of ids.entries()) {
    for (const [meterId, name] of [
      ['mtr_prompt', 'prompt'],
      ['mtr_completion', 'completion'],
    ] as const) {
      const cents = (0.0002 + (index % 5) * 0.0001).toFixed(4);
      await insertItem(database, {
        id: `si_${customer}_${name}`,
        customer,
        currency: 'usd',
        meterId,
        cents,
        name: `GPT-4o ${name}`,
      });
    }
    await insertUsage(database, [
      {
        hour: '2026-11-10T09:00:00Z',
        tokens: BigInt(1_000_003 * (index + 1)),
        subject: `user-${customer}`,
        customer,
      },
      {
        hour: '2026-11-11T09:00:00Z',
        tokens: BigInt(400_001 * (index + 1)),
        subject: `user-${customer}`,
        customer,
        feature: 'search',
      },
    ]);
  }
  const version = await database
    .selectFrom('plan_versions')
    .select('version_id')
    .where('plan_id', '=', 'scale')
    .executeTakeFirst();
  await database
    .updateTable('subscription_items')
    .set({ price_plan: 'scale', price_plan_version: version?.version_id ?? '' })
    .where('customer_id', 'in', ids.slice(0, 12))
    .execute();
  await rate(database);
}
