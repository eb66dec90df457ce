import { formatMinor } from '../../pricing/money.ts';
import { type Breakdown, breakDown, largestFirst } from '../../pricing/statement.ts';
import { daySlices } from '../ledger/statement-days.ts';
import { groupDigits, usageInWords } from '../pages/words.ts';
import {
  bareDescription,
  groupLines,
  kindOf,
  type LineGroup,
  sharesBy,
  sharesByUser,
} from './statement-groups.ts';
import type { StatementLine } from './statement-lines.ts';
import type { StatementMaterial } from './statement-making.ts';
import type { StatementBody, StatementBreakdownBody } from './statement-schemas.ts';

/** How a count comes about, for people who get the bill. */
export const HOW_METERED: readonly string[] = [
  'Each call of a model reports how many tokens it read and how many it wrote; every report is kept once, under its own number.',
  'The reports are summed by the hour (UTC) and counted a second time by a separate meter, and an hour is billed when both counts are equal.',
  'Each line is the sum of its hours for one model and one kind of token, and is rounded once; a token belongs to the minute in which it was used.',
];

export const ROUNDING =
  "Each line is rounded once. The tables share a line's amount by tokens, at its average price where it has tiers; the cents that do not divide go to the largest remainders, so that every table sums to the lines.";

/** The statement in the form in which it is answered, drawn and written. */
export function showStatement({ head, lines, usage, facts }: StatementMaterial): StatementBody {
  const { currency, period } = head;
  const money = (amount: bigint) => formatMinor(amount, currency);
  const groups = groupLines(lines, usage, facts);
  const groupOf = new Map(groups.flatMap((group) => group.lines.map((line) => [line.lineId, group])));
  const isUnpriced = lines.some((line) => line.amountMinor === null);
  const sumOf = (some: readonly { amountMinor: bigint | null }[]) =>
    some.reduce((sum, { amountMinor }) => sum + (amountMinor ?? 0n), 0n);
  const usageAmount = sumOf(groups);
  const lineAmount = sumOf(lines);
  const total = head.totalMinor ?? lineAmount;
  const tables = {
    byDay: breakDown(
      groups,
      sharesBy(usage.usage, ({ day }) => day),
    ),
    byModel: breakDown(
      groups,
      sharesBy(usage.usage, ({ model }) => model),
    ),
    byFeature: breakDown(
      groups,
      sharesBy(usage.usage, ({ feature }) => feature),
    ),
    byUser: breakDown(groups, sharesByUser(usage.users)),
  };
  const sorted = (table: Breakdown) => ({ ...table, rows: largestFirst(table.rows) });
  const byName = (table: Breakdown) => ({
    ...table,
    rows: [...table.rows].sort((one, other) => (one.value < other.value ? -1 : 1)),
  });
  const show = (table: Breakdown) => showBreakdown(table, groups, money);
  return {
    invoiceId: head.invoiceId,
    number: head.number,
    status: head.status,
    customerId: head.customerId,
    customerName: head.customerName,
    subscriptionId: head.subscriptionId,
    currency,
    periodStart: period.start.toISOString(),
    periodEnd: period.end.toISOString(),
    timeZone: 'UTC',
    dataAsOf: head.dataAsOf.toISOString(),
    linesReadAt: head.linesReadAt?.toISOString() ?? null,
    collectedThrough: facts.collectedThrough?.toISOString() ?? null,
    openHourCount: facts.openHourCount,
    lines: lines.map((line) => showLine(line, groupOf.get(line.lineId), { facts, period, money })),
    totals: {
      usageTokenCount: String(groups.reduce((sum, group) => sum + group.tokenCount, 0n)),
      usageAmount: isUnpriced ? null : money(usageAmount),
      otherAmount: money(lineAmount - usageAmount),
      lineAmount: isUnpriced ? null : money(lineAmount),
      adjustmentAmount: isUnpriced ? null : money(total - lineAmount),
      amount: isUnpriced ? null : money(total),
      amountDue: head.amountDueMinor === null ? null : money(head.amountDueMinor),
    },
    byDay: show(byName(tables.byDay)),
    byModel: show(sorted(tables.byModel)),
    byFeature: show(sorted(tables.byFeature)),
    byUser: show(sorted(tables.byUser)),
    days: showDays({ head, usage }),
    allowances: groups.flatMap((group) => showAllowance(group, facts)),
    missed: facts.missed.map((row) => ({
      name: usageInWords(row.model, row.tokenType),
      tokenCount: String(row.tokenCount),
      usedFrom: row.usedIn.start.toISOString(),
      usedTo: row.usedIn.end.toISOString(),
      billedOnInvoiceId: row.billedOnInvoiceId,
    })),
    billedLate: facts.billedLate.flatMap((late) =>
      lines
        .filter((line) => line.invoiceItemId === late.invoiceItemId)
        .map((line) => ({
          lineId: line.lineId,
          usedFrom: late.usedIn.start.toISOString(),
          usedTo: late.usedIn.end.toISOString(),
          missedInvoiceNumber: late.missedInvoiceNumber,
        })),
    ),
    howMetered: [...HOW_METERED],
    rounding: ROUNDING,
    certificate:
      facts.certificate === null
        ? null
        : { sha256: facts.certificate.sha256, createdAt: facts.certificate.createdAt.toISOString() },
  };
}

function showLine(
  line: StatementLine,
  group: LineGroup | undefined,
  context: Pick<StatementMaterial, 'facts'> & { period: { start: Date }; money: (amount: bigint) => string },
): StatementBody['lines'][number] {
  const name = group?.name ?? bareDescription(line.description);
  const counted = line.quantity !== null && line.quantity !== 0n && group !== undefined;
  return {
    lineId: line.lineId,
    kind: kindOf(line, context.facts, context.period),
    name,
    text: counted ? `${name}, ${groupDigits(String(line.quantity))} tokens` : name,
    description: line.description,
    quantity: line.quantity === null ? null : String(line.quantity),
    unitAmountDecimal: line.unitAmountDecimal,
    isIncluded:
      counted &&
      line.amountMinor === 0n &&
      line.unitAmountDecimal !== null &&
      !/[1-9]/.test(line.unitAmountDecimal),
    amount: line.amountMinor === null ? null : context.money(line.amountMinor),
    periodStart: line.period.start.toISOString(),
    periodEnd: line.period.end.toISOString(),
  };
}

function showBreakdown(
  { rows, rest }: Breakdown,
  groups: readonly LineGroup[],
  money: (amount: bigint) => string,
): StatementBreakdownBody {
  const figures = ({ tokenCount, amountMinor }: { tokenCount: bigint; amountMinor: bigint }) => ({
    tokenCount: String(tokenCount),
    amount: money(amountMinor),
  });
  return {
    rows: rows.map((row) => ({ name: row.value, ...figures(row) })),
    rest: rest === null ? null : figures(rest),
    total: figures({
      tokenCount: groups.reduce((sum, group) => sum + group.tokenCount, 0n),
      amountMinor: groups.reduce((sum, group) => sum + group.amountMinor, 0n),
    }),
  };
}

/** Every day of the period, those without usage too, with its models by name. */
function showDays({ head, usage }: Pick<StatementMaterial, 'head' | 'usage'>): StatementBody['days'] {
  const byDay = new Map<string, Map<string, bigint>>();
  for (const slice of daySlices(head.period)) byDay.set(slice.start.toISOString().slice(0, 10), new Map());
  for (const { day, model, tokenCount } of usage.usage) {
    const models = byDay.get(day) ?? new Map<string, bigint>();
    models.set(model, (models.get(model) ?? 0n) + tokenCount);
    byDay.set(day, models);
  }
  return [...byDay]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([day, models]) => ({
      day,
      models: [...models]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([model, tokenCount]) => ({ model, tokenCount: String(tokenCount) })),
    }));
}

/** A first tier that costs nothing for a token, as long as the item still has the price of the line. */
function showAllowance(group: LineGroup, facts: StatementMaterial['facts']): StatementBody['allowances'] {
  const [line] = group.lines;
  const item = facts.items.find(
    ({ subscriptionItemId, priceId }) =>
      subscriptionItemId === line?.subscriptionItemId && (line.priceId === null || line.priceId === priceId),
  );
  if (item?.price?.kind !== 'tiered' || item.price.mode !== 'graduated') return [];
  const [first] = item.price.tiers;
  if (first === undefined || first.upTo === null || /[1-9]/.test(first.unitAmountDecimal)) return [];
  const used = group.tokenCount < first.upTo ? group.tokenCount : first.upTo;
  return [{ name: group.name, includedTokenCount: String(first.upTo), usedTokenCount: String(used) }];
}
