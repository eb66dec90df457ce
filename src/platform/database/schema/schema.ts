import type { Selectable } from 'kysely';
import type { Ledger } from './schema-tables.ts';

/** Tables and views of the ledger, generated: `npm run generate:types`. Meaning stands in the migrations. */
export type { Ledger };

/** A row as it is read. */
export type LedgerRow<Table extends keyof Ledger> = Selectable<Ledger[Table]>;

/** `usage` is what was collected; the others stand for a usage event and are in no sum of usage. */
export type UsageEventKind = LedgerRow<'usage_events'>['kind'];
