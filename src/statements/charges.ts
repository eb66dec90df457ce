import { breakDown } from '../../pricing/statements/statement.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { decideInvoiceStatement, type StatedLine } from './decide.ts';
import type { InvoiceMaterial } from './gather.ts';
import { type LineGroup, sharesBy } from './groups.ts';

/** Tokens of one day and kind with their share of what the lines of their meter bill. */
export interface UsageCharge {
  group: LineGroup;
  day: string;
  model: string;
  feature: string;
  tokenType: TokenType;
  tokenCount: bigint;
  amountMinor: bigint;
}

/** An invoice as charges: all of them sum to its total, to the minor unit. */
export interface InvoiceCharges {
  usage: UsageCharge[];
  /** What lines of usage bill and no usage here explains. */
  rest: { group: LineGroup; tokenCount: bigint; amountMinor: bigint }[];
  /** Lines that are no usage of this period. */
  others: StatedLine[];
  /** Discounts, credits and taxes: what the total differs from the lines by. */
  adjustmentMinor: bigint;
}

/** Divides an invoice as its statement does, by everything at once. */
export function divideInvoice(material: InvoiceMaterial): InvoiceCharges {
  const { groups, lines, totals } = decideInvoiceStatement(material);
  const shares = Map.groupBy(
    sharesBy(material.usage.usage, ({ day, model, feature, tokenType }) =>
      JSON.stringify([day, model, feature, tokenType]),
    ),
    ({ groupId }) => groupId,
  );
  const divided = groups.map((group) => ({
    group,
    ...breakDown([group], shares.get(group.groupId) ?? []),
  }));
  return {
    usage: divided.flatMap(({ group, rows }) =>
      rows.map(({ value, ...figures }) => {
        const [day, model, feature, tokenType] = JSON.parse(value) as [string, string, string, TokenType];
        return { group, day, model, feature, tokenType, ...figures };
      }),
    ),
    rest: divided.flatMap(({ group, rest }) => (rest === null ? [] : [{ group, ...rest }])),
    others: lines.filter(({ kind }) => kind !== 'usage'),
    adjustmentMinor: totals.invoiceMinor - totals.lineMinor,
  };
}
