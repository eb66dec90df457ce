import { sql } from 'kysely';
import type { CloseComparison } from '../../pricing/closing/certificate.ts';
import { endClose } from '../../src/closing/certificates.ts';
import { moveClose, readDueCloses } from '../../src/closing/closes.ts';
import type { ApiBench } from '../api/setup.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { HOSTILE_NAMES } from './world.ts';

const OCTOBER = { start: '2026-10-01T00:00:00Z', end: '2026-11-01T00:00:00Z' };

/** Of October, whose halves match unless told otherwise. */
function octoberOf(
  invoiceId: string,
  { customerId = 'northwind', currency = 'usd', amountMinor = 123_450n, missing = 0n } = {},
): CloseComparison {
  const tokens = '411500000';
  const found = String(BigInt(tokens) - missing);
  return {
    comparedAt: '2026-11-01T02:00:00.000Z',
    invoiceId,
    customerId,
    subscriptionId: `sub_${customerId}`,
    currency,
    period: OCTOBER,
    tokenTypes: [
      {
        stripeMeterId: 'mtr_prompt',
        tokenType: 'prompt',
        sourceTokens: tokens,
        sourceRows: '9120',
        heldTokens: '0',
        eventTokens: tokens,
        meteredTokens: tokens,
        meteredHours: '744',
        pushedTokens: tokens,
        carriedOutTokens: '0',
        quarantinedTokens: '0',
      },
    ],
    meters: [
      {
        stripeMeterId: 'mtr_prompt',
        eventName: 'gpt_4o_prompt_tokens',
        productName: 'GPT-4o prompt',
        subscriptionItemId: `si_${customerId}_prompt`,
        priceId: 'price_1',
        price: { kind: 'per_unit', unitAmountDecimal: '0.0003' },
        period: OCTOBER,
        pushedTokens: tokens,
        pushCount: '744',
        stripeTokens: null,
        invoiceQuantity: found,
        invoiceAmountMinor: String(amountMinor),
        ratedAmountMinor: String(amountMinor),
        lines: [{ lineId: 'il_1', quantity: found, amountMinor: String(amountMinor) }],
      },
    ],
    lateItems: [],
    minimums: [],
    otherLines: [],
    totalMinor: String(amountMinor),
    collection: {
      chains: [
        {
          source: 'metrics',
          by: 'ingestion',
          windowCount: '2976',
          rowCount: '9120',
          newRowCount: '9120',
          firstPosition: '1',
          lastPosition: '2976',
          firstDigest: 'a1'.repeat(32),
          lastDigest: 'b2'.repeat(32),
          from: OCTOBER.start,
          to: '2026-11-01T02:00:00.000Z',
        },
      ],
    },
    priceBookVersion: '12',
    planVersions: [{ planId: 'scale', versionId: '3' }],
  };
}

interface Seed {
  id: string;
  customer?: string;
  currency?: string;
  totalMinor?: bigint;
  state: 'held' | 'settled' | 'finalized';
  missing?: bigint;
}

/** One more invoice of October with its close, by the functions that the jobs use. */
export async function addInvoice({ ledger: { database }, clock }: ApiBench, seed: Seed): Promise<void> {
  const { id, customer = 'northwind', currency = 'usd', totalMinor = 123_450n, state, missing = 0n } = seed;
  const now = clock.now();
  await sql`
    insert into invoices (invoice_id, customer_id, subscription_id, status, number, currency, total_minor, period_start, period_end, synced_at)
    values (${id}, ${customer}, ${`sub_${customer}`}, 'draft', ${`NUM-${id}`}, ${currency}, ${String(totalMinor)}::bigint, ${OCTOBER.start}::timestamptz,
      ${OCTOBER.end}::timestamptz, ${now})`.execute(database);
  await sql`
    insert into closes (invoice_id, customer_id, subscription_id, currency, period_start, period_end, state, found_at, state_at, deadline)
    values (${id}, ${customer}, ${`sub_${customer}`}, ${currency}, ${OCTOBER.start}::timestamptz, ${OCTOBER.end}::timestamptz, 'pushed', ${now}, ${now},
      ${now}::timestamptz + interval '9 hours 10 minutes')`.execute(database);
  const comparison = octoberOf(id, { customerId: customer, currency, amountMinor: totalMinor, missing });
  if (state === 'finalized') {
    const closes = await readDueCloses(database, { states: ['pushed'], now, limit: 1_000 });
    const close = closes.find(({ invoiceId }) => invoiceId === id);
    if (close === undefined) throw new RangeError(`${id} is not due`);
    await endClose(database, close, { outcome: 'finalized', comparison, invoiceStatus: 'open', now });
    return;
  }
  await moveClose(database, {
    invoiceId: id,
    from: ['pushed'],
    to: state,
    now,
    comparison,
    totalMinor,
    difference:
      state === 'held'
        ? [
            {
              kind: 'quantity',
              subject: 'gpt_4o_prompt_tokens',
              expected: '411500000',
              found: String(411_500_000n - missing),
            },
          ]
        : null,
    note: state === 'held' ? '1 difference' : undefined,
  } as Parameters<typeof moveClose>[1]);
}

/** A credit that waits for a decision. @returns its id */
export async function addCredit(
  { ledger: { database } }: ApiBench,
  invoiceId: string,
  amountMinor = 1_234n,
): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into credit_proposals (customer_id, invoice_id, stripe_meter_id, product_name, period_start, period_end, token_count,
      currency, amount_minor, cause, idempotency_key, proposed_at)
    values ('northwind', ${invoiceId}, 'mtr_prompt', 'GPT-4o prompt', '2026-10-01', '2026-11-01', 4113333, 'usd', ${String(amountMinor)}::bigint,
      'corrected_usage', ${crypto.randomUUID()}, '2026-11-19T08:00:00Z') returning credit_proposal_id::text as id`.execute(
    database,
  );
  return rows[0]?.id ?? '';
}

/** Delivered usage that no invoice has. @returns its id */
export async function addUninvoiced(
  { ledger: { database } }: ApiBench,
  reason: string,
  invoiceId: string | null = null,
): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into uninvoiced_usage (customer_id, stripe_meter_id, subscription_id, invoice_id, reason, period_start, period_end, token_count, found_at)
    values ('northwind', 'mtr_prompt', 'sub_northwind', ${invoiceId}, ${reason}, '2026-10-01', '2026-11-01', 984230, '2026-11-18T08:00:00Z')
    returning uninvoiced_id::text as id`.execute(database);
  return rows[0]?.id ?? '';
}

/** Invoices in every state, in two currencies, of customers whose names could break a page. */
export async function fillInvoices(bench: ApiBench): Promise<void> {
  const { database } = bench.ledger;
  await insertCatalog(database);
  await database
    .insertInto('customers')
    .values(
      HOSTILE_NAMES.map((name, index) => ({
        customer_id: `hostile-${index}`,
        stripe_customer_id: `cus_hostile_${index}`,
        tenant_key: `hostile-${index}`,
        name,
        currency: 'usd',
        deleted_at: null,
        synced_at: bench.clock.now(),
      })),
    )
    .execute();
  await insertUsage(database, [
    {
      hour: '2026-11-02T09:00:00Z',
      tokens: 41_000_000n,
      push: { meterId: 'mtr_prompt', status: 'delivered' },
    },
    { hour: '2026-11-12T09:00:00Z', tokens: 7_000_000n, tokenType: 'completion' },
    { hour: '2026-11-03T09:00:00Z', tokens: 9_000_000n, customer: 'adatum', subject: 'user-3' },
  ]);
  await addInvoice(bench, { id: 'in_held', state: 'held', missing: 1_204n, totalMinor: 21_040n });
  await addInvoice(bench, { id: 'in_done', state: 'finalized' });
  await addInvoice(bench, {
    id: 'in_euro',
    customer: 'adatum',
    currency: 'eur',
    state: 'finalized',
    totalMinor: 98_765n,
  });
  await addInvoice(bench, { id: 'in_drift', state: 'finalized', missing: 77n, customer: 'adatum' });
  for (const [index] of HOSTILE_NAMES.entries()) {
    const state = index % 3 === 0 ? 'settled' : index % 3 === 1 ? 'finalized' : 'held';
    await addInvoice(bench, {
      id: `in_hostile_${index}`,
      customer: `hostile-${index}`,
      state,
      missing: 5n,
      totalMinor: BigInt(index) * 1_000_000n,
    });
  }
  await sql`insert into invoices (invoice_id, customer_id, subscription_id, status, number, currency, total_minor, period_start, period_end, synced_at)
    values ('in_void', 'northwind', 'sub_northwind', 'void', 'NUM-void', 'usd', 5000, '2026-09-01', '2026-10-01', now())`.execute(
    database,
  );
  await addUninvoiced(bench, 'invoice_voided', 'in_void');
  await addUninvoiced(bench, 'in_trial');
  await addUninvoiced(bench, 'subscription_cancelled');
  await addCredit(bench, 'in_done');
  await database
    .insertInto('watermarks')
    .values({
      source: 'metrics',
      position: new Date(bench.clock.now().getTime() - 14 * 60_000),
      updated_at: bench.clock.now(),
    })
    .execute();
}
