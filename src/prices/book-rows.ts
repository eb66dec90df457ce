import { sql } from 'kysely';
import type { DeploymentRule, PriceBookData, PriceRow } from '../../pricing/prices/rows.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/** How many rows one statement inserts: 21 parameters each, and Postgres takes 65,535. */
const ROWS_PER_INSERT = 1_000;

/** What the book held after a change: everything up to it that no change up to it had superseded. */
export async function readPriceBookContent(
  database: LedgerDatabase,
  changeId: bigint,
): Promise<Pick<PriceBookData, 'sources' | 'models' | 'deployments' | 'prices'>> {
  const sources = await database
    .selectFrom('price_book_sources')
    .distinctOn('source')
    .selectAll()
    .where('change_id', '<=', changeId)
    .orderBy('source')
    .orderBy('change_id', 'desc')
    .execute();
  const models = await database
    .selectFrom('price_book_models')
    .distinctOn('model')
    .selectAll()
    .where('change_id', '<=', changeId)
    .orderBy('model')
    .orderBy('change_id', 'desc')
    .execute();
  const rows = await database
    .selectFrom('price_book_rows')
    .selectAll()
    .where('change_id', '<=', changeId)
    .where((is) => is.or([is('superseded_by_change', 'is', null), is('superseded_by_change', '>', changeId)]))
    .orderBy('price_row_id')
    .execute();
  const rules = await database
    .selectFrom('price_book_deployments')
    .selectAll()
    .where('change_id', '<=', changeId)
    .where((is) => is.or([is('superseded_by_change', 'is', null), is('superseded_by_change', '>', changeId)]))
    .orderBy('deployment_rule_id')
    .execute();
  return {
    sources: Object.fromEntries(
      sources.map(({ source, title, as_of, note }) => [source, { title, asOf: as_of, note }]),
    ),
    models: models.map(({ model, aliases }) => ({ model, aliases })),
    // What the tables hold was checked before it came in.
    prices: rows.map(
      (row) =>
        ({
          model: row.model,
          deploymentType: row.deployment_type,
          region: row.region,
          tokenType: row.token_type,
          variant: row.variant,
          serviceTier: row.service_tier,
          aboveInputTokenCount: row.above_input_token_count,
          currency: row.currency,
          amount: row.amount,
          unit: row.unit,
          effectiveFrom: showInstant(row.effective_from),
          source: row.source,
          sourceKey: row.source_key,
          listedAt: row.listed_at,
          note: row.note,
          confirmed: row.confirmed,
          allowAbsurd: row.allow_absurd,
          allowGap: row.allow_gap,
        }) as PriceRow,
    ),
    deployments: rules.map(
      (rule) =>
        ({
          deployment: rule.deployment,
          model: rule.model,
          deploymentType: rule.deployment_type,
          region: rule.region,
          serviceTier: rule.service_tier,
          effectiveFrom: showInstant(rule.effective_from),
          retired: rule.retired,
          note: rule.note,
        }) as DeploymentRule,
    ),
  };
}

/** Appends what a change brings. */
export async function insertPriceBookContent(
  transaction: LedgerTransaction,
  changeId: bigint,
  content: Pick<PriceBookData, 'sources' | 'models' | 'deployments' | 'prices'>,
): Promise<void> {
  const sources = Object.entries(content.sources).map(([source, { title, asOf, note }]) => ({
    source,
    change_id: changeId,
    title,
    as_of: asOf,
    note,
  }));
  const models = content.models.map(({ model, aliases }) => ({ model, change_id: changeId, aliases }));
  for (const chunk of chunksOf(sources))
    await transaction.insertInto('price_book_sources').values(chunk).execute();
  for (const chunk of chunksOf(models))
    await transaction.insertInto('price_book_models').values(chunk).execute();
  for (const chunk of chunksOf(content.prices)) {
    await transaction
      .insertInto('price_book_rows')
      .values(
        chunk.map((row) => ({
          change_id: changeId,
          superseded_by_change: null,
          model: row.model,
          deployment_type: row.deploymentType,
          region: row.region,
          token_type: row.tokenType,
          variant: row.variant,
          service_tier: row.serviceTier,
          above_input_token_count: row.aboveInputTokenCount,
          currency: row.currency,
          amount: row.amount,
          unit: row.unit,
          effective_from: readInstant(row.effectiveFrom),
          source: row.source,
          source_key: row.sourceKey,
          listed_at: row.listedAt,
          note: row.note,
          confirmed: row.confirmed,
          allow_absurd: row.allowAbsurd,
          allow_gap: row.allowGap,
        })),
      )
      .execute();
  }
  for (const chunk of chunksOf(content.deployments)) {
    await transaction
      .insertInto('price_book_deployments')
      .values(
        chunk.map((rule) => ({
          change_id: changeId,
          superseded_by_change: null,
          deployment: rule.deployment,
          model: rule.model,
          deployment_type: rule.deploymentType,
          region: rule.region,
          service_tier: rule.serviceTier,
          effective_from: readInstant(rule.effectiveFrom),
          retired: rule.retired,
          note: rule.note,
        })),
      )
      .execute();
  }
}

/** Marks the live rows and rules of the same key and instant as superseded by a change. */
export async function supersedePriceBookContent(
  transaction: LedgerTransaction,
  changeId: bigint,
  superseded: { rows: readonly PriceRow[]; deployments: readonly DeploymentRule[] },
): Promise<void> {
  for (const row of superseded.rows) {
    await transaction
      .updateTable('price_book_rows')
      .set({ superseded_by_change: changeId })
      .where('superseded_by_change', 'is', null)
      .where('model', '=', row.model)
      .where('deployment_type', '=', row.deploymentType)
      .where('region', '=', row.region)
      .where('token_type', '=', row.tokenType)
      .where('variant', '=', row.variant)
      .where('service_tier', '=', row.serviceTier)
      .where('above_input_token_count', '=', row.aboveInputTokenCount)
      .where(sql<boolean>`effective_from is not distinct from ${readInstant(row.effectiveFrom)}::timestamptz`)
      .execute();
  }
  for (const rule of superseded.deployments) {
    await transaction
      .updateTable('price_book_deployments')
      .set({ superseded_by_change: changeId })
      .where('superseded_by_change', 'is', null)
      .where('deployment', '=', rule.deployment)
      .where(
        sql<boolean>`effective_from is not distinct from ${readInstant(rule.effectiveFrom)}::timestamptz`,
      )
      .execute();
  }
}

function showInstant(instant: Date | null): string | null {
  return instant === null ? null : instant.toISOString().replace('.000Z', 'Z');
}

function readInstant(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

function chunksOf<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / ROWS_PER_INSERT);
  return Array.from({ length: count }, (_, index) =>
    items.slice(index * ROWS_PER_INSERT, (index + 1) * ROWS_PER_INSERT),
  );
}
