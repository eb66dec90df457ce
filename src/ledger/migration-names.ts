/**
 * The migrations this version needs, in order. Readiness compares them with the ledger; a Worker has no
 * directory to list. A test holds that they are the files in `migrations/`.
 */
export const LEDGER_MIGRATION_NAMES: readonly string[] = [
  '0001_collection.sql',
  '0002_metering.sql',
  '0003_billing.sql',
  '0004_service.sql',
  '0005_control_source.sql',
  '0006_late_usage.sql',
  '0007_repair.sql',
  '0008_quarantine_desk.sql',
  '0009_reconciliation.sql',
  '0010_late_pushes.sql',
  '0011_price_book.sql',
  '0012_plans.sql',
  '0013_tiered_prices.sql',
  '0014_quotes.sql',
  '0015_costs.sql',
  '0016_price_sync.sql',
  '0017_closes.sql',
  '0017_operations.sql',
  '0018_webhooks.sql',
  '0019_statements.sql',
  '0020_slice_users.sql',
  '0021_webhook_retention.sql',
];
