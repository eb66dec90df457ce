import { formatMinor } from '../../pricing/money.ts';
import type { Breakdown } from '../../pricing/statements/statement.ts';
import { groupDigits, usageInWords } from '../pages/words.ts';
import type { StatedLine, Statement } from './decide.ts';
import type { SoFarMaterial } from './gather.ts';
import type { StatementBody, StatementBreakdownBody, StatementPreviewBody } from './schemas.ts';

/** How a count comes about, for people who get the bill. */
const HOW_METERED: readonly string[] = [
  'Each call of a model reports how many tokens it read and how many it wrote; every report is kept once, under its own number.',
  'The reports are summed by the hour (UTC) and counted a second time by a separate meter, and an hour is billed when both counts are equal.',
  'Each line is the sum of its hours for one model and one kind of token, and is rounded once; a token belongs to the minute in which it was used.',
];

const ROUNDING =
  "Each line is rounded once. The tables share a line's amount by tokens, at its average price where it has tiers; the cents that do not divide go to the largest remainders, so that every table sums to the lines.";

type Money = (amountMinor: bigint) => string;

/** The statement in the form in which it is answered, drawn and written. */
export function showStatement(statement: Statement): StatementBody {
  const { head, period, facts, lines, totals } = statement;
  const money: Money = (amount) => formatMinor(amount, head.currency);
  const unlessUnpriced = (amount: bigint) => (totals.isUnpriced ? null : money(amount));
  const table = (breakdown: Breakdown) => showBreakdown(breakdown, totals, money);
  return {
    invoiceId: head.invoiceId,
    number: head.number,
    status: head.status,
    usageChoice: head.usageChoice,
    customerId: head.customerId,
    customerName: head.customerName,
    subscriptionId: head.subscriptionId,
    currency: head.currency,
    periodStart: period.start.toISOString(),
    periodEnd: period.end.toISOString(),
    timeZone: 'UTC',
    dataAsOf: head.dataAsOf.toISOString(),
    linesReadAt: head.linesReadAt?.toISOString() ?? null,
    collectedThrough: facts.collectedThrough?.toISOString() ?? null,
    openHourCount: facts.openHourCount,
    lines: lines.map((line) => showLine(line, money)),
    totals: {
      usageTokenCount: String(totals.tokenCount),
      usageAmount: unlessUnpriced(totals.usageMinor),
      otherAmount: money(totals.lineMinor - totals.usageMinor),
      lineAmount: unlessUnpriced(totals.lineMinor),
      adjustmentAmount: unlessUnpriced(totals.invoiceMinor - totals.lineMinor),
      amount: unlessUnpriced(totals.invoiceMinor),
      amountDue: head.amountDueMinor === null ? null : money(head.amountDueMinor),
    },
    byDay: table(statement.byDay),
    byModel: table(statement.byModel),
    byFeature: table(statement.byFeature),
    byUser: table(statement.byUser),
    days: statement.days.map(({ day, models }) => ({
      day,
      models: models.map(([model, tokenCount]) => ({ model, tokenCount: String(tokenCount) })),
    })),
    allowances: statement.allowances.map(({ name, includedTokenCount, usedTokenCount }) => ({
      name,
      includedTokenCount: String(includedTokenCount),
      usedTokenCount: String(usedTokenCount),
    })),
    missed: facts.missed.map((row) => ({
      name: usageInWords(row.model, row.tokenType),
      tokenCount: String(row.tokenCount),
      usedFrom: row.usedIn.start.toISOString(),
      usedTo: row.usedIn.end.toISOString(),
      billedOnInvoiceId: row.billedOnInvoiceId,
    })),
    billedLate: statement.billedLate.map(({ lineId, usedIn, missedInvoiceNumber }) => ({
      lineId,
      usedFrom: usedIn.start.toISOString(),
      usedTo: usedIn.end.toISOString(),
      missedInvoiceNumber,
    })),
    howMetered: [...HOW_METERED],
    rounding: ROUNDING,
    certificate:
      facts.certificate === null
        ? null
        : { sha256: facts.certificate.sha256, createdAt: facts.certificate.createdAt.toISOString() },
  };
}

/** The statements of a customer's next invoices. */
export function showStatementsSoFar(
  { customer, now }: SoFarMaterial,
  statements: readonly Statement[],
): StatementPreviewBody {
  return {
    customerId: customer.customerId,
    asOf: now.toISOString(),
    statements: statements.map(showStatement),
  };
}

function showLine(line: StatedLine, money: Money): StatementBody['lines'][number] {
  const { name, quantity, amountMinor, period } = line;
  return {
    lineId: line.lineId,
    kind: line.kind,
    name,
    text: line.isCounted ? `${name}, ${groupDigits(String(quantity))} tokens` : name,
    description: line.description,
    quantity: quantity === null ? null : String(quantity),
    unitAmountDecimal: line.unitAmountDecimal,
    isIncluded: line.isIncluded,
    amount: amountMinor === null ? null : money(amountMinor),
    periodStart: period.start.toISOString(),
    periodEnd: period.end.toISOString(),
  };
}

function showBreakdown(
  { rows, rest }: Breakdown,
  totals: Statement['totals'],
  money: Money,
): StatementBreakdownBody {
  const figures = ({ tokenCount, amountMinor }: { tokenCount: bigint; amountMinor: bigint }) => ({
    tokenCount: String(tokenCount),
    amount: money(amountMinor),
  });
  return {
    rows: rows.map((row) => ({ name: row.value, ...figures(row) })),
    rest: rest === null ? null : figures(rest),
    total: figures({ tokenCount: totals.tokenCount, amountMinor: totals.usageMinor }),
  };
}
