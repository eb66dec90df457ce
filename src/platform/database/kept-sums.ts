import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';

/** How many rows there are, and their tokens. */
export interface KeptSum {
  rowCount: bigint;
  tokenCount: bigint;
}

/** Sums of what grows with history, by table and part, as triggers keep them: exact, in the snapshot of whoever reads them. */
export class KeptSums {
  readonly #sums: ReadonlyMap<string, KeptSum>;

  constructor(sums: ReadonlyMap<string, KeptSum>) {
    this.#sums = sums;
  }

  /** Of one part; zeros where nothing ever was. */
  of(name: string, part = ''): KeptSum {
    return this.#sums.get(JSON.stringify([name, part])) ?? { rowCount: 0n, tokenCount: 0n };
  }

  /** Rows of a table by its parts; parts without any are left out. */
  counts(name: string): { part: string; count: bigint }[] {
    return [...this.#sums]
      .map(([key, { rowCount }]) => ({ key: JSON.parse(key) as [string, string], rowCount }))
      .filter(({ key, rowCount }) => key[0] === name && rowCount !== 0n)
      .map(({ key, rowCount }) => ({ part: key[1], count: rowCount }))
      .toSorted((left, right) => (left.part < right.part ? -1 : 1));
  }
}

export async function readKeptSums(database: LedgerDatabase): Promise<KeptSums> {
  const result = await sql<{ name: string; part: string; rows: bigint; tokens: bigint }>`
    select name, part, sum(row_count)::bigint as rows, sum(token_count)::bigint as tokens from kept_sums
    group by 1, 2`.execute(database);
  return new KeptSums(
    new Map(
      result.rows.map(({ name, part, rows, tokens }) => [
        JSON.stringify([name, part]),
        { rowCount: rows, tokenCount: tokens },
      ]),
    ),
  );
}

/**
 * Makes the rows of each sum one, so that reading them does not grow with what was written. Two at once, or one that is killed,
 * change no sum: each row is folded by whoever deletes it.
 */
export async function foldKeptSums(database: LedgerDatabase): Promise<void> {
  await sql`
    with gone as (delete from kept_sums returning *)
    insert into kept_sums (name, part, row_count, token_count)
    select name, part, sum(row_count), sum(token_count) from gone group by 1, 2
    having sum(row_count) <> 0 or sum(token_count) <> 0`.execute(database);
  await sql`
    with gone as (delete from held_item_sums returning *)
    insert into held_item_sums (reason, metric_name, collection_window_id, is_written_off, row_count, token_count,
      counted_row_count, counted_token_count, first_ingested_at)
    select reason, metric_name, collection_window_id, is_written_off, sum(row_count), sum(token_count),
      sum(counted_row_count), sum(counted_token_count), min(first_ingested_at)
    from gone group by 1, 2, 3, 4
    having sum(row_count) <> 0 or sum(token_count) <> 0`.execute(database);
}
