import { html } from 'hono/html';
import type { CloseDifference } from '../../../pricing/closing/certificate.ts';
import { speakNote, speakPeriod } from '../../../pricing/closing/words.ts';
import { formatMinor } from '../../../pricing/money.ts';
import type { CloseState } from '../../billing/states.ts';
import type { InvoiceRow } from '../../closing/invoice-list.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords, instantCell } from '../../pages/numbers.ts';
import { groupDigits, moneyInWords } from '../../pages/words.ts';

/** Minor units, exact: `$210.40`. */
export const minorInMoney = (amountMinor: bigint, currency: string) =>
  moneyInWords(formatMinor(amountMinor, currency), currency);

export function minorCell(amountMinor: bigint, currency: string): Html | string {
  const text = minorInMoney(amountMinor, currency);
  return amountMinor === 0n ? html`<span class="muted">${text}</span>` : text;
}

export const tokensInWords = (count: bigint | string) =>
  `${groupDigits(String(count))} ${String(count) === '1' ? 'token' : 'tokens'}`;

/** What people call an invoice. */
export const nameOf = ({ number, invoiceId }: Pick<InvoiceRow, 'number' | 'invoiceId'>) =>
  number ?? invoiceId;

/** Who has to do something about an invoice now. */
export type InvoiceGroup = 'needs-you' | 'in-progress' | 'done';

export function groupOf(row: InvoiceRow): InvoiceGroup {
  if (row.closeState === 'held' || row.isMismatch || row.undecidedTokenCount > 0n) return 'needs-you';
  const isOver = row.closeState === null ? row.status !== 'draft' : row.endedAt !== null;
  return isOver ? 'done' : 'in-progress';
}

/** Whether its sum is due: final, and not taken back. */
export const isInvoiced = ({ status }: Pick<InvoiceRow, 'status'>) =>
  status === 'open' || status === 'paid' || status === 'uncollectible';

/** Whether Stripe may still add to it. */
export const isDraft = ({ status }: Pick<InvoiceRow, 'status'>) => status === 'draft';

export const STATE_WORDS: Record<CloseState, string> = {
  found: 'draft found',
  claimed: 'held back from Stripe’s clock',
  collected: 'source collected',
  rescanned: 'source looked at again',
  settled: 'usage settled',
  pushed: 'all delivered, sealed',
  compared: 'compared',
  annotated: 'described',
  issued: 'finalized, being proven',
  held: 'held',
  released: 'released',
  overtaken: 'final, being examined',
  finalized: 'certified',
  finalized_without_us: 'certified, finalized by Stripe',
  deleted: 'draft deleted',
  voided: 'voided',
  left_alone: 'left as a draft',
};

/** What waits for what, while nobody needs to do anything. */
const NEXT: Partial<Record<CloseState, string>> = {
  found: 'is claimed by the next run',
  claimed: 'waits until the source is collected past the end of the period',
  collected: 'waits for a last look at the source',
  rescanned: 'waits until every hour of the period is settled',
  settled: 'waits until all usage is delivered',
  pushed: 'is compared once Stripe has added up',
  compared: 'is described next',
  annotated: 'is finalized next',
  issued: 'its final lines are compared next',
  released: 'is finalized by the next run',
  overtaken: 'its lines are compared next',
};

const STATUS_WORDS: Record<string, string> = { open: 'final, not paid yet', deleted: 'draft deleted' };

export function stateTag(row: InvoiceRow): Html {
  if (row.isMismatch) return html`<span class="tag danger">other total</span>`;
  if (row.status === 'void') return html`<span class="tag">voided</span>`;
  const state = row.closeState;
  if (state === null) return html`<span class="tag">${STATUS_WORDS[row.status] ?? row.status}</span>`;
  const isBad = state === 'finalized_without_us' || (row.driftTokenCount ?? 0n) > 0n;
  const kind = state === 'held' ? 'warn' : isBad ? 'warn' : state === 'finalized' ? 'good' : '';
  return html`<span class="tag ${kind}">${STATE_WORDS[state]}</span>`;
}

export function nextInWords(row: InvoiceRow, now: Date): Html | string {
  if (row.closeState === null)
    return isDraft(row) && row.periodEnd > now
      ? 'waits for the end of its period'
      : isInvoiced(row)
        ? 'has no usage to prove'
        : '';
  const next = NEXT[row.closeState] ?? '';
  const deadline = row.deadline === null || row.endedAt !== null ? '' : deadlineInWords(row.deadline, now);
  return html`<span>${next}${next === '' || deadline === '' ? '' : '; '}${deadline}</span>`;
}

/** `Stripe finalizes it in 9 h (1 Dec 2026, 07:00 UTC)`. */
export function deadlineInWords(deadline: Date, now: Date): Html {
  const left = deadline.getTime() - now.getTime();
  return left <= 0
    ? html`<span>its time at Stripe ran out ${ageInWords(-left)} ago</span>`
    : html`<span>Stripe finalizes it in ${ageInWords(left)} <span class="muted">(${instantCell(deadline)})</span></span>`;
}

/** `October 2026`, or its days. */
export function periodInWords(period: { periodStart: Date; periodEnd: Date }): string {
  const words = speakPeriod(period.periodStart.toISOString(), period.periodEnd.toISOString());
  const next = new Date(
    Date.UTC(period.periodStart.getUTCFullYear(), period.periodStart.getUTCMonth() + 1, 1),
  );
  const isMonth = /^1 to /.test(words) && period.periodEnd.getTime() === next.getTime();
  return isMonth ? words.replace(/^1 to \d+ /, '') : words;
}

/** What was noted at a step of its close, as a sentence. */
export function noteInWords(note: string): string {
  const { because, next } = speakNote(note);
  return next === null ? because : `${because.replace(/^./, (first) => first.toUpperCase())}; ${next}.`;
}

/** Why an invoice is held, a sentence each. */
export function heldBecause(row: InvoiceRow): string[] {
  const differences = (row.difference ?? []).map((difference) => differenceInWords(difference, row.currency));
  if (row.lastError !== null) return [`Stripe does not finalize it: ${row.lastError}`, ...differences];
  if (differences.length > 0) return differences;
  return [row.note === null ? 'Nobody wrote down why.' : noteInWords(row.note)];
}

/** What is not as it must be, as a person would say it. */
export function differenceInWords(
  { kind, subject, expected, found }: CloseDifference,
  currency: string,
): string {
  const money = (minor: string) => (/^-?\d+$/.test(minor) ? minorInMoney(BigInt(minor), currency) : minor);
  switch (kind) {
    case 'source':
      return `The source told ${tokensInWords(expected)} of ${subject}, and ${tokensInWords(found)} were made into events or wait.`;
    case 'quantity':
      return `${tokensInWords(expected)} of ${subject} were delivered, and the invoice has ${groupDigits(found)}.`;
    case 'amount':
      return `${subject} comes to ${money(expected)} by its price, and the invoice charges ${money(found)}.`;
    case 'uninvoiced':
      return `${tokensInWords(expected)} of ${subject} were delivered and are on no invoice.`;
    case 'late_item':
      return `Late usage ${subject} is ${money(expected)}, and the invoice has ${found === 'not on the invoice' ? 'nothing of it' : money(found)}.`;
    case 'minimum':
      return `Plan ${subject} lacks ${money(expected)} of its minimum, and ${money(found)} were added.`;
  }
}
