import { sql } from 'kysely';
import { checkRates } from '../../../pricing/exchange/check.ts';
import { parseRateCsv } from '../../../pricing/exchange/csv.ts';
import {
  type Conversions,
  conversionAt,
  type ExchangeRate,
  OLDEST_DAYS,
  RATE_DIGITS,
} from '../../../pricing/exchange/rates.ts';
import { formatDecimal, parseDecimal } from '../../../pricing/money.ts';
import type { LineProblem } from '../../../pricing/prices/file.ts';
import { addMs, DAY_MS, type TimeWindow } from '../../platform/clock.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { nothingApplied, type TallystickError } from '../../platform/errors.ts';

export interface RateImport {
  text: string;
  supersede: boolean;
  allowAbsurd: boolean;
  dryRun: boolean;
  actor: string;
  now: Date;
}

export interface RateImportResult {
  addedCount: number;
  supersededCount: number;
  unchangedCount: number;
}

/** More lines than these are told by their number alone. */
const MOST_PROBLEMS = 50;

/**
 * Imports a file of exchange rates: all of it, or nothing. What is stored already changes nothing.
 * @throws TallystickError VALIDATION with the lines that are wrong
 */
export async function importExchangeRates(
  database: LedgerDatabase,
  { text, supersede, allowAbsurd, dryRun, actor, now }: RateImport,
): Promise<RateImportResult> {
  const { rates, problems } = parseRateCsv(text);
  if (problems.length > 0) throw fileError(problems);
  return await database.transaction().execute(async (transaction) => {
    // Two imports at once would each hold the file against what was before the other.
    await sql`lock table exchange_rates in share row exclusive mode`.execute(transaction);
    const stored = await readStored(transaction, rates);
    const today = now.toISOString().slice(0, 10);
    const wrong = checkRates(rates, stored, { today, supersede, allowAbsurd });
    if (wrong.length > 0) throw fileError(wrong);
    const before = new Map(stored.map((rate) => [keyOf(rate), rate.rate]));
    const changed = rates.filter((rate) => !isSame(before.get(keyOf(rate)), rate.rate));
    const superseded = changed.filter((rate) => before.has(keyOf(rate)));
    const result = {
      addedCount: changed.length - superseded.length,
      supersededCount: superseded.length,
      unchangedCount: rates.length - changed.length,
    };
    if (dryRun || changed.length === 0) return result;
    await sql`
      insert into exchange_rates (day, base, currency, rate, source, imported_at, imported_by)
      select *, ${now}::timestamptz, ${actor} from unnest(${changed.map(({ day }) => day)}::date[],
        ${changed.map(({ base }) => base)}::text[], ${changed.map(({ currency }) => currency)}::text[],
        ${changed.map(({ rate }) => rate)}::numeric[], ${changed.map(({ source }) => source)}::text[])
      on conflict (base, currency, day) do update
        set rate = excluded.rate, source = excluded.source, imported_at = excluded.imported_at,
          imported_by = excluded.imported_by`.execute(transaction);
    const days = changed.map(({ day }) => day).toSorted();
    await writeAudit(transaction, {
      actor,
      action: 'exchange_rates.import',
      target: `${days[0]} to ${days.at(-1)}`,
      details: {
        ...result,
        superseded: superseded
          .slice(0, MOST_PROBLEMS)
          .map((rate) => ({ ...rate, line: undefined, before: before.get(keyOf(rate)) })),
      },
      now,
    });
    return result;
  });
}

/** Rates by day, the newest first. @param after the last row of the page before */
export async function listExchangeRates(
  database: LedgerDatabase,
  query: {
    currency: string | null;
    after: { day: string; base: string; currency: string } | null;
    limit: number;
  },
): Promise<ExchangeRate[]> {
  const { currency, after, limit } = query;
  const rows = await sql<ExchangeRate>`
    select day::text, base, currency, trim_scale(rate)::text as rate, source from exchange_rates
    where (${currency}::text is null or currency = ${currency} or base = ${currency})
      and (${after?.day ?? null}::date is null or day < ${after?.day ?? null}::date
        or (day = ${after?.day ?? null}::date and (base, currency) > (${after?.base ?? ''}, ${after?.currency ?? ''})))
    order by day desc, base, currency limit ${limit}`.execute(database);
  return rows.rows;
}

/**
 * How costs in US dollars are converted for customers of other currencies, as of the last day of a window, or today where that is
 * yet to come.
 */
export async function readConversions(
  database: LedgerDatabase,
  { window, currencies, now }: { window: Pick<TimeWindow, 'end'>; currencies: Iterable<string>; now: Date },
): Promise<Conversions> {
  const others = [...new Set(currencies)].filter((currency) => currency !== 'usd');
  if (others.length === 0) return new Map();
  const last = new Date(Math.min(addMs(window.end, -1).getTime(), now.getTime()));
  const day = last.toISOString().slice(0, 10);
  const oldest = addMs(last, -(OLDEST_DAYS + 1) * DAY_MS)
    .toISOString()
    .slice(0, 10);
  const matters = sql`currency = any(${['usd', ...others]}::text[])`;
  const columns = sql`day::text, base, currency, trim_scale(rate)::text as rate, source`;
  // The newest of long before is read too: that a rate is too old is another answer than that there is none.
  const rows = await sql<ExchangeRate>`
    (select ${columns} from exchange_rates where ${matters} and day >= ${oldest}::date and day <= ${day}::date)
    union all
    (select distinct on (base, currency) ${columns} from exchange_rates where ${matters} and day < ${oldest}::date
     order by base, currency, exchange_rates.day desc)`.execute(database);
  return new Map(others.map((to) => [to, conversionAt(rows.rows, { from: 'usd', to, day })]));
}

async function readStored(database: LedgerDatabase, rates: readonly ExchangeRate[]): Promise<ExchangeRate[]> {
  const days = rates
    .map(({ day }) => day)
    .filter((day) => /^\d{4}-\d{2}-\d{2}$/.test(day))
    .toSorted();
  const [first] = days;
  const pairs = [...new Map(rates.map((rate) => [`${rate.base} ${rate.currency}`, rate])).values()];
  if (first === undefined) return [];
  // From the last day before the file's first on: a first rate is held against what came before it.
  const rows = await sql<ExchangeRate>`
    select rate.day::text, rate.base, rate.currency, trim_scale(rate.rate)::text as rate, rate.source
    from unnest(${pairs.map(({ base }) => base)}::text[], ${pairs.map(({ currency }) => currency)}::text[])
      as pair(base, currency)
    join exchange_rates as rate using (base, currency)
    where rate.day >= coalesce((select max(earlier.day) from exchange_rates as earlier
        where earlier.base = pair.base and earlier.currency = pair.currency and earlier.day < ${first}::date),
      ${first}::date)
      and rate.day <= ${days.at(-1)}::date`.execute(database);
  return rows.rows;
}

function keyOf({ day, base, currency }: ExchangeRate): string {
  return `${day} ${base} ${currency}`;
}

function isSame(before: string | undefined, rate: string): boolean {
  const plain = (text: string) => formatDecimal(parseDecimal(text, RATE_DIGITS), RATE_DIGITS);
  return before !== undefined && plain(before) === plain(rate);
}

function fileError(problems: readonly LineProblem[]): TallystickError {
  const errors = problems.slice(0, MOST_PROBLEMS).map(({ line, field, message, fix }) => ({
    field: `line ${line}: ${field}`,
    message,
    ...(fix === undefined ? {} : { fix }),
  }));
  return nothingApplied(errors, { count: problems.length });
}
