import type { DisplayNames } from '../../catalog/display-names.ts';
import type { Statement } from '../../statements/decide.ts';
import { type DaySpan, divideSpan, type SpanParts } from '../../statements/spans.ts';
import type { StatementUsageRows } from '../../statements/usage.ts';
import { clipSpan } from './span.ts';

/** A statement as the portal draws it, whole or of some days. */
export interface Stated {
  statement: Statement;
  /** Of the whole statement, by which its table of users is divided. */
  users: StatementUsageRows['users'];
  names: DisplayNames;
  /** What of it was picked; null: all of it is shown. */
  picked: { span: DaySpan; parts: SpanParts } | null;
  /** Behind the names of its tables, where there are several statements. */
  suffix: string;
}

/** @param asked the days that the address picks, and their users */
export function stateOf(
  statement: Statement,
  users: StatementUsageRows['users'],
  more: {
    names: DisplayNames;
    asked: { span: DaySpan; users: StatementUsageRows['users'] } | null;
    index: number;
  },
): Stated {
  const { names, asked, index } = more;
  const span = clipSpan(asked?.span ?? null, statement.days);
  return {
    statement,
    users,
    names,
    picked:
      span === null || asked === null ? null : { span, parts: divideSpan(statement, span, asked.users) },
    suffix: index === 0 ? '' : `-${index + 1}`,
  };
}
