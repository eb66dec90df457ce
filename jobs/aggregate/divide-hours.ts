import { byFigure, keyOf, usageKeyText } from '../../pricing/usage/shape.ts';
import {
  bucketsOf,
  countFormerly,
  type Disagreement,
  findDisagreement,
  TOKEN_TYPES,
  type TokenType,
} from '../../pricing/usage/tokens.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import {
  type HourPart,
  type MinuteFigures,
  readKnownParts,
  readSubjectBoundaries,
  sumSentByMinute,
} from '../../src/usage/hours/hour-parts.ts';
import type { MeterDrift, SettledUsage } from '../../src/usage/hours/hourly-usage.ts';
import { disagreeingDrift } from './compare-hours.ts';

interface DividedUsage {
  usage: readonly SettledUsage[];
  /** Keys left out, whose figures contradict each other in some part. */
  drifts: MeterDrift[];
}

/**
 * Divides the settled usage of hours in which a billing period of the customer begins or ends: what was used
 * before the boundary becomes a part of its own, so that each part can be billed in its period. The sums stay:
 * the hour as a whole was what OpenMeter confirmed. A part that a push carries already is divided no more.
 * Usage of all other hours comes back as it is. A key of which a part cannot be divided into token types waits, whole.
 */
export async function divideAtBoundaries(
  database: LedgerDatabase,
  usage: readonly SettledUsage[],
): Promise<DividedUsage> {
  const hours = [...new Map(usage.map((row) => [row.windowStart.getTime(), row.windowStart])).values()];
  if (hours.length === 0) return { usage, drifts: [] };
  const boundaries = await readSubjectBoundaries(database, hours);
  const subjects = [...new Set(boundaries.map((boundary) => boundary.subject))];
  const known = await readKnownParts(database, hours, subjects);
  if (boundaries.length === 0 && known.length === 0) return { usage, drifts: [] };

  const minutesBySubject = Map.groupBy(boundaries, (row) => subjectText(row.windowStart, row.subject));
  const partsByKey = Map.groupBy(known, (row) => usageKeyText(row.windowStart, row));
  const partsOf = new Map<string, HourPart[]>();
  const keys = new Map<string, SettledUsage>();
  for (const row of usage) {
    const key = usageKeyText(row.windowStart, row);
    if (partsOf.has(key)) continue;
    const wanted = (minutesBySubject.get(subjectText(row.windowStart, row.subject)) ?? []).map(
      (boundary) => boundary.minute,
    );
    const parts = divideHour(wanted, partsByKey.get(key) ?? []);
    partsOf.set(key, parts);
    if (parts.length > 1) keys.set(key, row);
  }
  if (keys.size === 0) return { usage, drifts: [] };
  const byMinute = Map.groupBy(await sumSentByMinute(database, [...keys.values()]), (row) =>
    usageKeyText(row.windowStart, row),
  );
  const divided: SettledUsage[] = usage.filter((row) => !keys.has(usageKeyText(row.windowStart, row)));
  const drifts: MeterDrift[] = [];
  const typesOf = Map.groupBy(usage, (row) => usageKeyText(row.windowStart, row));
  for (const [key, row] of keys) {
    const tokenTypes = new Set((typesOf.get(key) ?? []).map(({ tokenType }) => tokenType));
    const settled = (partsOf.get(key) ?? []).map((part) =>
      settlePart({ row, part, tokenTypes }, byMinute.get(key) ?? []),
    );
    const odd = settled.find((part) => 'whole' in part);
    if (odd !== undefined && 'whole' in odd) {
      drifts.push(disagreeingDrift({ windowStart: row.windowStart, ...keyOf(row) }, odd));
    } else divided.push(...settled.flatMap((part) => ('whole' in part ? [] : part)));
  }
  return { usage: divided, drifts };
}

/**
 * The parts of an hour, given the boundaries inside it and the parts its usage has already. A boundary inside a
 * taken part is ignored: what was pushed cannot be taken back out of the period it was pushed to.
 */
export function divideHour(
  boundaryMinutes: readonly number[],
  known: readonly (HourPart & { isTaken: boolean })[],
): HourPart[] {
  const wanted = [
    ...boundaryMinutes,
    ...known.flatMap((part) => [part.partStartMinute, part.partEndMinute]),
  ].filter((minute) => minute > 0 && minute < 60);
  const cuts = [...new Set(wanted)]
    .filter((minute) => !known.some((part) => part.isTaken && isInside(minute, part)))
    .sort((one, other) => one - other);
  return [0, ...cuts].map((start, index) => ({ partStartMinute: start, partEndMinute: cuts[index] ?? 60 }));
}

function isInside(minute: number, part: HourPart): boolean {
  return minute > part.partStartMinute && minute < part.partEndMinute;
}

/** Rows of the token types that the part has, and of `tokenTypes` also where it has nothing of them. */
function settlePart(
  { row, part, tokenTypes }: { row: SettledUsage; part: HourPart; tokenTypes: ReadonlySet<TokenType> },
  minutes: readonly MinuteFigures[],
): SettledUsage[] | Disagreement {
  const inside = minutes.filter(
    ({ minute }) => minute >= part.partStartMinute && minute < part.partEndMinute,
  );
  const sumOf = (read: (minute: MinuteFigures) => bigint) =>
    inside.reduce((total, minute) => total + read(minute), 0n);
  const counted = countFormerly(
    byFigure((figure) => sumOf(({ figures }) => figures[figure])),
    {
      prompt: sumOf(({ former }) => former.prompt),
      cachedPrompt: sumOf(({ former }) => former.cachedPrompt),
    },
  );
  const disagreement = findDisagreement(counted);
  if (disagreement !== null) return disagreement;
  const buckets = bucketsOf(counted);
  const { windowStart } = row;
  return TOKEN_TYPES.filter((tokenType) => buckets[tokenType] !== 0n || tokenTypes.has(tokenType)).map(
    (tokenType) => ({ windowStart, ...keyOf(row), ...part, tokenType, tokenCount: buckets[tokenType] }),
  );
}

function subjectText(windowStart: Date, subject: string): string {
  return `${windowStart.getTime()} ${subject}`;
}
