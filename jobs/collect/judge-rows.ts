import { createHash } from 'node:crypto';
import type { Providers } from '../../pricing/usage/providers.ts';
import { byDimension } from '../../pricing/usage/shape.ts';
import type { SourceRow } from '../../src/azure/source.ts';
import type { NotedMetric } from '../../src/usage/collection/noted-metrics.ts';
import { itemKey, type SourceItem } from '../../src/usage/collection/source-items.ts';
import { isNoted, judgeRow } from './judge-row.ts';

/** Of a name that is longer than any real one, this much is kept readable beside its hash. */
const KEY_LENGTH_LIMIT = 256;
const READABLE_LENGTH = 200;
/** Rows without a time that Postgres can hold lie on this day. */
const NO_DAY = '1970-01-01';

/** The tenant of each subject that is known; null where a person assigned it, and any tenant may use it. */
export type SubjectTenants = Map<string, string | null>;

/**
 * Judges the rows of one answer. One item per (day, id, metric): a source that repeats a row inside one
 * answer repeats nothing here. Learns into `tenants` (tenant by subject) as it goes. Rows that are only noted are no items.
 */
export function judgeRows(
  rows: readonly SourceRow[],
  { tenants, providers }: { tenants: SubjectTenants; providers: Providers },
): SourceItem[] {
  const items = new Map<string, SourceItem>();
  for (const row of rows) {
    if (isNoted(row)) continue;
    const judgement = judgeRow(row, {
      knownTenant: tenants.get(row.subject) ?? undefined,
      rule: providers.ruleOf(row.model),
    });
    const isSound = judgement.quarantineReason === null;
    if (isSound && row.tenantKey !== '' && !tenants.has(row.subject)) tenants.set(row.subject, row.tenantKey);
    const kept = isSound ? storableSoundRow(row) : storableRow(row);
    const eventDay = kept.eventTime?.toISOString().slice(0, 10) ?? NO_DAY;
    const key = itemKey(eventDay, kept.sourceItemId, kept.metricName);
    if (items.has(key)) continue;
    items.set(key, {
      row: kept,
      eventDay,
      usageEventId: null,
      ...judgement,
      ...(isSound ? {} : { original: row }),
    });
  }
  return [...items.values()];
}

/** Metrics that are only noted, by name. */
export function noteMetrics(rows: readonly SourceRow[]): NotedMetric[] {
  const noted = new Map<string, NotedMetric>();
  for (const { metricName: told, ingestedAt } of rows.filter(isNoted)) {
    const metricName = storableKey(told);
    const known = noted.get(metricName) ?? {
      metricName,
      rowCount: 0n,
      firstAt: ingestedAt,
      lastAt: ingestedAt,
    };
    noted.set(metricName, {
      metricName,
      rowCount: known.rowCount + 1n,
      firstAt: ingestedAt < known.firstAt ? ingestedAt : known.firstAt,
      lastAt: ingestedAt > known.lastAt ? ingestedAt : known.lastAt,
    });
  }
  return [...noted.values()];
}

/** Whether Postgres takes this text as it is. */
export function isStorableText(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** A sound row's own words are judged to be storable; its id is not judged. */
function storableSoundRow(row: SourceRow): SourceRow {
  const sourceItemId = storableKey(row.sourceItemId);
  return sourceItemId === row.sourceItemId ? row : { ...row, sourceItemId };
}

/** The row as the ledger's columns can hold it; the original stays whole in the item's raw form. */
function storableRow(row: SourceRow): SourceRow {
  return {
    ...row,
    eventTime: storableTime(row.eventTime),
    sourceItemId: storableKey(row.sourceItemId),
    metricName: storableKey(row.metricName),
    tenantKey: storableText(row.tenantKey),
    ...byDimension((name) => storableText(row[name])),
  };
}

function storableText(text: string): string {
  return text.replaceAll('\u0000', '\\u0000').toWellFormed();
}

/** Part of a primary key: whatever has to be changed carries a hash of what it was, so that no two become one. */
function storableKey(text: string): string {
  if (text.length <= KEY_LENGTH_LIMIT && isStorableText(text)) return text;
  const digest = createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('hex').slice(0, 32);
  return `${storableText(text.slice(0, READABLE_LENGTH))} sha256:${digest}`;
}

/** The years that both ISO text of four digits and Postgres know. */
function storableTime(time: Date | null): Date | null {
  const year = time?.getUTCFullYear() ?? Number.NaN;
  return year >= 1 && year <= 9_999 ? time : null;
}
