import {
  type Breakdown,
  breakDown,
  type GroupShare,
  largestFirst,
  type StatementGroup,
} from '../../pricing/statements/statement.ts';
import { daySlices } from '../billing/day-slices.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { Statement } from './decide.ts';
import { groupIdOfRow, sharesBy, sharesByUser } from './groups.ts';
import { readStatementUsage, readUnpushedStatementUsage, type StatementUsageRows } from './usage.ts';

/** Days of a statement, the last one included: UTC, `YYYY-MM-DD`. */
export interface DaySpan {
  firstDay: string;
  lastDay: string;
}

/** What some days of a statement are made of. Each table sums to the same rows of the statement's own table of days. */
export interface SpanParts {
  tokenCount: bigint;
  amountMinor: bigint;
  byModel: Breakdown['rows'];
  byFeature: Breakdown['rows'];
  byUser: Breakdown['rows'];
}

type UserUsage = StatementUsageRows['users'];

/** Usage of users within the days, by the meter and period that bill it: of a statement's users there are no days. */
export async function readSpanUsers(
  database: LedgerDatabase,
  {
    customerId,
    periods,
    span,
    isOpen,
  }: { customerId: string; periods: readonly TimeWindow[]; span: DaySpan; isOpen: boolean },
): Promise<UserUsage> {
  const users: UserUsage = [];
  for (const period of periods) {
    const slices = daySlices(period).filter(({ start }) => isWithin(span, start.toISOString().slice(0, 10)));
    const [first, last] = [slices[0], slices.at(-1)];
    if (first === undefined || last === undefined) continue;
    const within = { start: first.start, end: last.end };
    const found = (await readStatementUsage(database, customerId, [within])).users;
    const waiting = isOpen ? (await readUnpushedStatementUsage(database, customerId, within)).users : [];
    for (const row of [...found, ...waiting])
      users.push({ ...row, periodStart: period.start, periodEnd: period.end });
  }
  return users;
}

/** The periods of a statement's lines, each once. */
export function periodsOfGroups({ groups }: Pick<Statement, 'groups'>): TimeWindow[] {
  const periods = groups.flatMap(({ lines }) => lines.map(({ period }) => period));
  return [...new Map(periods.map((one) => [`${+one.start} ${+one.end}`, one])).values()];
}

/** Divides what the days come to, once more. */
export function divideSpan({ groups, usage }: Statement, span: DaySpan, users: UserUsage): SpanParts {
  const rows = usage.filter(({ day }) => isWithin(span, day));
  const picked = groups.map((group) =>
    pickDays(
      group,
      sharesBy(
        usage.filter((row) => groupIdOfRow(row) === group.groupId),
        ({ day }) => day,
      ),
      span,
    ),
  );
  const by = (shares: GroupShare[]) => largestFirst(breakDown(picked, shares).rows);
  return {
    tokenCount: picked.reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
    amountMinor: picked.reduce((sum, { amountMinor }) => sum + amountMinor, 0n),
    byModel: by(sharesBy(rows, ({ model }) => model)),
    byFeature: by(sharesBy(rows, ({ feature }) => feature)),
    byUser: by(sharesByUser(users)),
  };
}

/** Amounts of each day by model: those of a day sum to it in the statement's table of days. */
export function divideDays(statement: Statement): { day: string; models: Breakdown['rows'] }[] {
  const { groups, usage } = statement;
  const byGroup = Map.groupBy(usage, groupIdOfRow);
  const daysOfGroup = groups.map((group) => {
    const its = byGroup.get(group.groupId) ?? [];
    const { rows } = breakDown(
      [group],
      sharesBy(its, ({ day }) => day),
    );
    return {
      rows: new Map(rows.map((row) => [row.value, row])),
      usage: Map.groupBy(its, ({ day }) => day),
      group,
    };
  });
  return statement.days.map(({ day }) => {
    const picked = daysOfGroup.flatMap(({ rows, group }) => {
      const row = rows.get(day);
      return row === undefined
        ? []
        : [{ ...group, tokenCount: row.tokenCount, amountMinor: row.amountMinor }];
    });
    const used = daysOfGroup.flatMap(({ usage: its }) => its.get(day) ?? []);
    return {
      day,
      models: breakDown(
        picked,
        sharesBy(used, ({ model }) => model),
      ).rows,
    };
  });
}

function pickDays(group: StatementGroup, shares: GroupShare[], span: DaySpan): StatementGroup {
  const days = breakDown([group], shares).rows.filter(({ value }) => isWithin(span, value));
  return {
    groupId: group.groupId,
    tokenCount: days.reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
    amountMinor: days.reduce((sum, { amountMinor }) => sum + amountMinor, 0n),
  };
}

function isWithin({ firstDay, lastDay }: DaySpan, day: string): boolean {
  return day >= firstDay && day <= lastDay;
}
