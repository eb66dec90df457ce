import type { PreviewLine } from '../../pricing/previews/preview.ts';
import { type Breakdown, breakDown, largestFirst } from '../../pricing/statements/statement.ts';
import { daySlices } from '../billing/day-slices.ts';
import { isFinalStatus } from '../billing/invoice-lines.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { decidePreview, type SubscriptionPreview } from '../previews/decide.ts';
import type { BilledLate, StatementFacts } from './facts.ts';
import type { DividedUsage, InvoiceMaterial, SoFarMaterial } from './gather.ts';
import {
  bareDescription,
  type CountedUsage,
  groupLines,
  kindOf,
  type LineGroup,
  packagePriceOf,
  type StatementLine,
  sharesBy,
  sharesByUser,
  usageOfLines,
} from './groups.ts';
import type { StatementBody, StatementLineKind } from './schemas.ts';
import type { StatementUsage, StatementUsageRows } from './usage.ts';

/** What a statement says of its invoice as a whole. */
interface StatementHead {
  invoiceId: string | null;
  number: string | null;
  status: StatementBody['status'];
  usageChoice: StatementBody['usageChoice'];
  customerId: string;
  customerName: string;
  subscriptionId: string | null;
  currency: string;
  dataAsOf: Date;
  linesReadAt: Date | null;
  /** Null: the sum of the lines, as far as it is known. */
  totalMinor: bigint | null;
  amountDueMinor: bigint | null;
}

export interface StatedLine extends StatementLine {
  kind: StatementLineKind;
  /** In people's words. */
  name: string;
  /** Whether its quantity is tokens of this period. */
  isCounted: boolean;
  isIncluded: boolean;
}

/** Sums in minor units. */
interface StatementTotals {
  tokenCount: bigint;
  usageMinor: bigint;
  lineMinor: bigint;
  invoiceMinor: bigint;
  /** A line has no price yet: then no sum is known. */
  isUnpriced: boolean;
}

/** An invoice's lines and the usage behind them, divided: every table sums to the lines. */
export interface Statement {
  head: StatementHead;
  period: TimeWindow;
  facts: StatementFacts;
  lines: StatedLine[];
  groups: LineGroup[];
  /** What the groups are divided by. */
  usage: readonly StatementUsage[];
  totals: StatementTotals;
  byDay: Breakdown;
  byModel: Breakdown;
  byFeature: Breakdown;
  byUser: Breakdown;
  /** Every day of the period, those without usage too, with its models by name. */
  days: { day: string; models: [model: string, tokenCount: bigint][] }[];
  allowances: {
    name: string;
    counted: CountedUsage | null;
    includedTokenCount: bigint;
    usedTokenCount: bigint;
  }[];
  billedLate: (BilledLate & { lineId: string })[];
}

/** The usage statement of an invoice: its lines as Stripe has them, divided by what the ledger pushed for them. */
export function decideInvoiceStatement({
  invoice,
  lines,
  now,
  choice,
  ...divided
}: InvoiceMaterial): Statement {
  const { status, readAt } = invoice;
  const head: StatementHead = {
    ...invoice,
    status: status === 'void' ? 'void' : isFinalStatus(status) ? 'final' : 'draft',
    dataAsOf: readAt ?? now,
    linesReadAt: readAt,
    usageChoice: choice?.choice ?? null,
  };
  return decideStatement(head, lines, divided);
}

/** The same for what a customer's next invoices would be now. */
export function decideStatementsSoFar({ customer, now, subscriptions }: SoFarMaterial): Statement[] {
  return subscriptions.map(({ preview: material, divided }) => {
    const preview = decidePreview(material);
    const head: StatementHead = {
      invoiceId: null,
      number: null,
      status: 'so_far',
      customerId: customer.customerId,
      customerName: customer.name,
      subscriptionId: material.subscriptionId,
      currency: preview.currency,
      dataAsOf: now,
      linesReadAt: material.stripe.status === 'ok' ? material.stripe.readAt : null,
      totalMinor: null,
      amountDueMinor: null,
      usageChoice: null,
    };
    const lines = linesOfPreview(preview);
    return decideStatement(head, lines, { ...divided, usage: usageOfLines(divided.usage, lines) });
  });
}

/** The lines that the next invoice will have: of a tiered price one for each tier. */
function linesOfPreview({ material: { period }, lines }: SubscriptionPreview): StatementLine[] {
  return lines.flatMap((line: PreviewLine, position): StatementLine[] => {
    const { subscriptionItemId: itemId, price, ratedLines, usedIn } = line;
    const whole = {
      lineId: `preview-${position + 1}`,
      description: line.description,
      subscriptionItemId: itemId,
      priceId: line.priceId,
      stripeMeterId: line.kind === 'late_usage' ? null : line.meterId,
      ...kindOfPreview(line),
      quantity: line.quantity,
      unitAmountDecimal: price?.kind === 'per_unit' ? price.unitAmountDecimal : null,
      amountMinor: line.amountMinor,
      period: usedIn ?? period,
      invoiceItemId: null,
      metadata: {},
    };
    if (ratedLines.length === 0) return [whole];
    return ratedLines.map(({ quantity, unitAmountDecimal, amountMinor }, index) => ({
      ...whole,
      lineId: ratedLines.length === 1 ? whole.lineId : `${whole.lineId}.${index + 1}`,
      quantity,
      unitAmountDecimal,
      amountMinor,
    }));
  });
}

/** What the next invoice will be given is no invoice item yet, by which it would be known. */
function kindOfPreview({ kind }: PreviewLine): Pick<StatementLine, 'kind'> {
  if (kind === 'late_usage') return { kind: 'late' };
  return kind === 'minimum_top_up' ? { kind: 'minimum' } : {};
}

function decideStatement(
  head: StatementHead,
  lines: readonly StatementLine[],
  { period, usage, facts }: DividedUsage,
): Statement {
  const groups = groupLines(lines, usage, facts);
  const lineMinor = sumOf(lines);
  const by = (readValue: (row: StatementUsage) => string) =>
    breakDown(groups, sharesBy(usage.usage, readValue));
  const sorted = (table: Breakdown) => ({ ...table, rows: largestFirst(table.rows) });
  const byDay = by(({ day }) => day);
  return {
    head,
    period,
    facts,
    lines: lines.map((line) => stateLine(line, { period, groups, facts })),
    groups,
    usage: usage.usage,
    totals: {
      tokenCount: groups.reduce((sum, group) => sum + group.tokenCount, 0n),
      usageMinor: sumOf(groups),
      lineMinor,
      invoiceMinor: head.totalMinor ?? lineMinor,
      isUnpriced: lines.some((line) => line.amountMinor === null),
    },
    byDay: { ...byDay, rows: byDay.rows.toSorted((one, other) => (one.value < other.value ? -1 : 1)) },
    byModel: sorted(by(({ model }) => model)),
    byFeature: sorted(by(({ feature }) => feature)),
    byUser: sorted(breakDown(groups, sharesByUser(usage.users))),
    days: daysOf(period, usage),
    allowances: groups.flatMap((group) => allowanceOf(group, facts)),
    billedLate: facts.billedLate.flatMap((late) =>
      lines
        .filter((line) => line.invoiceItemId === late.invoiceItemId)
        .map(({ lineId }) => ({ ...late, lineId })),
    ),
  };
}

function stateLine(
  line: StatementLine,
  { period, groups, facts }: { period: TimeWindow; groups: readonly LineGroup[]; facts: StatementFacts },
): StatedLine {
  const group = groups.find(({ lines }) => lines.includes(line));
  const { amountMinor } = line;
  // An amount for a package is no price for a token, and a number of packages none of tokens.
  const isByPackage = packagePriceOf(line, facts) !== null;
  const unitAmountDecimal = isByPackage ? null : line.unitAmountDecimal;
  const quantity = isByPackage && group?.lines.length === 1 ? group.tokenCount : line.quantity;
  const isCounted = quantity !== null && quantity !== 0n && group !== undefined;
  return {
    ...line,
    quantity,
    unitAmountDecimal,
    kind: line.kind ?? kindOf(line, facts, period),
    name: group?.name ?? bareDescription(line.description),
    isCounted,
    isIncluded:
      isCounted && amountMinor === 0n && unitAmountDecimal !== null && !/[1-9]/.test(unitAmountDecimal),
  };
}

function daysOf(period: TimeWindow, { usage }: StatementUsageRows): Statement['days'] {
  const byDay = new Map<string, Map<string, bigint>>();
  for (const slice of daySlices(period)) byDay.set(slice.start.toISOString().slice(0, 10), new Map());
  for (const { day, model, tokenCount } of usage) {
    const models = byDay.get(day) ?? new Map<string, bigint>();
    models.set(model, (models.get(model) ?? 0n) + tokenCount);
    byDay.set(day, models);
  }
  const byName = ([one]: [string, unknown], [other]: [string, unknown]) => (one < other ? -1 : 1);
  return [...byDay].sort(byName).map(([day, models]) => ({ day, models: [...models].sort(byName) }));
}

/** A first tier that costs nothing for a token, of the price of the line. */
function allowanceOf(group: LineGroup, { items, prices }: StatementFacts): Statement['allowances'] {
  const [line] = group.lines;
  const item =
    items.find(
      ({ subscriptionItemId, priceId }) =>
        subscriptionItemId === line?.subscriptionItemId &&
        (line.priceId === null || line.priceId === priceId),
    ) ?? prices.find(({ priceId }) => priceId === line?.priceId);
  if (item?.price?.kind !== 'tiered' || item.price.mode !== 'graduated') return [];
  const [first] = item.price.tiers;
  if (first === undefined || first.upTo === null || /[1-9]/.test(first.unitAmountDecimal)) return [];
  const used = group.tokenCount < first.upTo ? group.tokenCount : first.upTo;
  return [{ name: group.name, counted: group.counted, includedTokenCount: first.upTo, usedTokenCount: used }];
}

function sumOf(some: readonly { amountMinor: bigint | null }[]): bigint {
  return some.reduce((sum, { amountMinor }) => sum + (amountMinor ?? 0n), 0n);
}
