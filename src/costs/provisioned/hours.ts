import { sql } from 'kysely';
import { allocateHour, createProvisionedCapacity, weightOf } from '../../../pricing/rating/provisioned.ts';
import type { TokenType } from '../../../pricing/usage/shape.ts';
import { addMs, HOUR_MS, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { countedColumn } from '../../usage/name-keys.ts';
import { CUSTOMER_OF_COST } from '../customers.ts';
import type { AllocatedCost, ProvisionedHours } from '../rated-day.ts';
import type { ProvisionedPurchase } from './provisioned.ts';

interface HourGroup {
  customerId: string | null;
  model: string;
  feature: string;
  deployment: string;
  tokenType: TokenType;
  tokenCount: bigint;
}

/**
 * Divides the price of every hour of bought capacity among those who used it. Memory holds one hour's usage and the
 * day's sums, never the day's usage.
 * @param until hours from it on are not over, and cost nothing yet
 */
export async function allocatePurchases(
  transaction: LedgerTransaction,
  purchases: readonly ProvisionedPurchase[],
  window: TimeWindow,
  until: Date,
): Promise<{ provisioned: ProvisionedHours[]; allocated: AllocatedCost[] }> {
  const provisioned: ProvisionedHours[] = [];
  const allocated = new Map<string, AllocatedCost>();
  for (const purchase of purchases) {
    const capacity = createProvisionedCapacity(purchase.terms);
    const start = later(purchase.validFrom, window.start);
    const end = earlier(purchase.validUntil ?? window.end, earlier(window.end, until));
    if (capacity.unitCount === 0n || start >= end) continue;
    provisioned.push({ deployment: purchase.deployment, start, end });
    const add = (cost: Omit<AllocatedCost, 'reference' | 'notes'>, isOverCapacity: boolean) => {
      const reference = purchase.provisionedCapacityId;
      const { kind, customerId, model, feature, deployment, tokenType } = cost;
      const key = JSON.stringify([reference, kind, customerId, model, feature, deployment, tokenType]);
      const known = allocated.get(key) ?? { ...cost, tokenCount: 0n, costPicoUsd: 0n, reference, notes: [] };
      known.tokenCount += cost.tokenCount;
      known.costPicoUsd += cost.costPicoUsd;
      if (isOverCapacity) known.notes = ['over_capacity'];
      allocated.set(key, known);
    };
    for (let hour = start; hour < end; hour = addMs(hour, HOUR_MS)) {
      const groups = await readHourGroups(transaction, purchase.deployment, hour);
      const weights = groups.map((group) => weightOf(capacity, group.tokenType, group.tokenCount));
      const { sharesPicoUsd, idlePicoUsd, isOverCapacity } = allocateHour(capacity, weights);
      for (const [index, group] of groups.entries()) {
        add({ ...group, kind: 'provisioned', costPicoUsd: sharesPicoUsd[index] ?? 0n }, isOverCapacity);
      }
      if (idlePicoUsd > 0n) {
        const { deployment } = purchase;
        const nobody = {
          customerId: null,
          model: '',
          feature: '',
          deployment,
          tokenType: null,
          tokenCount: 0n,
        };
        add({ ...nobody, kind: 'idle', costPicoUsd: idlePicoUsd }, false);
      }
    }
  }
  return { provisioned, allocated: [...allocated.values()] };
}

async function readHourGroups(
  transaction: LedgerTransaction,
  deployment: string,
  hour: Date,
): Promise<HourGroup[]> {
  const result = await sql<HourGroup>`
    select ${CUSTOMER_OF_COST} as "customerId", ${countedColumn('model', 'usage')} as model, usage.feature,
      ${countedColumn('deployment', 'usage')} as deployment,
      usage.token_type as "tokenType", sum(usage.delta_token_count)::bigint as "tokenCount"
    from hourly_usage as usage left join subjects on subjects.subject = usage.subject
    where usage.window_start = ${hour} and ${countedColumn('deployment', 'usage')} = ${deployment}
    group by 1, 2, 3, 4, 5
    having sum(usage.delta_token_count) <> 0
    order by 1, 2, 3, 4, 5`.execute(transaction);
  return result.rows;
}

function later(left: Date, right: Date): Date {
  return left > right ? left : right;
}

function earlier(left: Date, right: Date): Date {
  return left < right ? left : right;
}
