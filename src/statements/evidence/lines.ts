import type { StoredInvoice, StoredInvoiceLine } from '../../billing/invoice-lines.ts';
import { type LedgerSnapshot, readSnapshot } from '../../platform/database/snapshot.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { StatementDependencies } from '../dependencies.ts';
import { readStatementFacts, type StatementFacts } from '../facts.ts';
import { bareDescription, groupLines, kindOf, type LineGroup } from '../groups.ts';
import type { StatementLineKind } from '../schemas.ts';
import { readStatedInvoice, refreshStatedInvoice } from '../stated-invoice.ts';
import type { EvidenceOf } from './hours.ts';

/** A line of an invoice and where its evidence is. */
export interface EvidencedLine {
  line: StoredInvoiceLine;
  name: string;
  kind: StatementLineKind;
  /** All lines that share its hours, itself among them. */
  group: Pick<LineGroup, 'lines' | 'tokenCount'>;
  /** Null: the line bills no usage. */
  of: EvidenceOf | null;
}

export interface EvidencedInvoice {
  invoice: StoredInvoice;
  lines: EvidencedLine[];
}

/**
 * Asks Stripe for the invoice's lines where it must, and then reads all of one answer in one snapshot.
 * @throws TallystickError NOT_FOUND; UpstreamError when its lines are not known and Stripe does not answer
 */
export async function gatherEvidence<Result>(
  dependencies: StatementDependencies,
  invoiceId: string,
  read: (snapshot: LedgerSnapshot) => Promise<Result>,
): Promise<Result> {
  await refreshStatedInvoice(dependencies, invoiceId);
  return await readSnapshot(dependencies.database, read);
}

/**
 * The lines of an invoice with what each rests on.
 * @throws TallystickError NOT_FOUND
 */
export async function readEvidencedInvoice(
  snapshot: LedgerSnapshot,
  invoiceId: string,
): Promise<EvidencedInvoice> {
  const { invoice, lines } = await readStatedInvoice(snapshot, invoiceId);
  const { customerId, period } = invoice;
  const meterIds = [...new Set(lines.flatMap((line) => line.stripeMeterId ?? []))];
  const facts = await readStatementFacts(snapshot, { customerId, invoiceId, period, meterIds });
  const groups = groupLines(lines, { usage: [], users: [] }, facts);
  const usageStart = groups[0]?.lines[0]?.period ?? period;
  return {
    invoice,
    lines: lines.map((line) => {
      const group = groups.find((one) => one.lines.some(({ lineId }) => lineId === line.lineId));
      return {
        line,
        name: group?.name ?? bareDescription(line.description),
        kind: kindOf(line, facts, usageStart),
        group: group ?? { lines: [line], tokenCount: line.quantity ?? 0n },
        of: evidenceOf(line, customerId, facts),
      };
    }),
  };
}

/** @throws TallystickError NOT_FOUND; VALIDATION when the line bills no usage */
export async function readEvidencedLine(
  snapshot: LedgerSnapshot,
  invoiceId: string,
  lineId: string,
): Promise<EvidencedLine & { of: EvidenceOf }> {
  const { lines } = await readEvidencedInvoice(snapshot, invoiceId);
  const found = lines.find(({ line }) => line.lineId === lineId);
  if (found === undefined) {
    throw new TallystickError(`Invoice ${invoiceId} has no line ${JSON.stringify(lineId)}.`, {
      code: 'NOT_FOUND',
      retry: false,
      fix: `GET /v1/invoices/${invoiceId}/lines lists its lines.`,
    });
  }
  const { of } = found;
  if (of === null) {
    throw new TallystickError(`Line ${lineId} bills no usage: it is a ${found.kind} line.`, {
      code: 'NOT_FOUND',
      retry: false,
      fix: 'Only lines whose `evidence` is not null have hours.',
    });
  }
  return { ...found, of };
}

function evidenceOf(line: StoredInvoiceLine, customerId: string, facts: StatementFacts): EvidenceOf | null {
  const { stripeMeterId, invoiceItemId, period } = line;
  if (stripeMeterId !== null) {
    return { kind: 'usage', customerId, stripeMeterId, period };
  }
  if (invoiceItemId === null) return null;
  const isLate = facts.billedLate.some((late) => late.invoiceItemId === invoiceItemId);
  return isLate ? { kind: 'late', customerId, invoiceItemId } : null;
}

/** How a level compares with the one above it. */
export function compareLevels(
  above: bigint,
  below: bigint,
  note: (difference: bigint) => string,
): { agrees: boolean; differenceTokenCount: string; note: string | null } {
  const difference = above - below;
  return {
    agrees: difference === 0n,
    differenceTokenCount: String(difference),
    note: difference === 0n ? null : note(difference),
  };
}
